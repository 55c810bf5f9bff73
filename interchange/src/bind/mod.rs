//! BIND's key files: `K<zone>.+<algorithm>+<tag>` with `.key`, `.private` and `.state`.
//!
//! `.key` has the DNSKEY record with the times as comments, `.private` the private key or where it is and the times again, and `.state`, where
//! `dnssec-policy` is in use, how far caches know each record. Where they differ, named goes by `.state` before `.private`; a comment in
//! `.key` counts where neither tells a time.

mod export;
mod folder;
mod key_file;
mod metadata;
mod name;
mod pair;
mod private_file;
mod software_files;
mod state_file;

pub use export::{KeyFiles, TokenLookup};
pub use folder::{read_folder, read_key};
pub use key_file::KeyFile;
pub use name::KeyFileName;
pub use private_file::{PrivateFile, PrivateKey, RsaIntegers};
pub use software_files::SoftwareFiles;
pub use state_file::StateFile;

/// The largest key file that is read, in bytes; one of a 4096-bit RSA key has 4 KB.
pub const LARGEST_KEY_FILE: usize = 64 << 10;

/// The most keys of one zone that are read from a folder.
pub const MOST_KEYS: usize = 10_000;
