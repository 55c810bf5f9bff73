//! Knot DNS: the keys that `keymgr` lists, and the commands that give it keys.
//!
//! `keymgr -j ZONE list` has everything but the public keys; `keymgr ZONE dnskey TAG` has those, one KSK or ZSK at a time.

mod export;
mod import;
mod list;

pub(crate) use list::id;

pub use export::{import_bind, import_pkcs11, import_public};
pub use import::import;
pub use list::{Custody, ListedKey, Listing, render};

/// The largest list that is read, in bytes; it is of one zone, and a key has 500.
pub const LARGEST_LIST: usize = 4 << 20;
