//! What the transcripts, the rehearsals' tests and `make stacks` share: a site on a stack of real tokens, in a folder of its own, and what
//! must not be left behind.

mod orphans;
mod rig;
mod sealed;
mod secret;
mod stack;
pub mod terminal;
mod tools;
mod tpm_state;

pub use orphans::orphans;
pub use rig::Rig;
pub use sealed::{Tool, sealed_secrets};
pub use secret::{Secret, forms_of};
pub use stack::Stack;
pub use tools::tools;
pub use tpm_state::TpmState;

use std::path::PathBuf;

/// The eight zones, made by a generator of registry-like zones at a scale of about 1,500 delegations together.
pub const ZONES: [&str; 8] = [
    "cr", "fi.cr", "go.cr", "ac.cr", "or.cr", "sa.cr", "co.cr", "ed.cr",
];

/// The folder with the unsigned zones.
pub fn zone_fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/zones")
}
