//! OpenDNSSEC 2: the keys that `ods-enforcer` lists, and the commands that give it keys.
//!
//! `key list --verbose --parsable --all` has everything but the public keys; those are in `key export --zone ZONE --keytype TYPE --keystate
//! STATE`, or one at a time by `--cka_id ID` (which gives a DNSKEY for KSK and ZSK). `key list --debug --parsable --all` tells besides how far
//! caches know each record.

mod export;
mod import;
mod list;

pub use export::key_import;
pub use import::import;
pub use list::{ListedKey, ListedRecords, ListedState, Listing};

/// The largest list that is read, in bytes: of all zones, with 120 bytes a key.
pub const LARGEST_LIST: usize = 32 << 20;
