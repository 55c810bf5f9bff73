//! Signatures of officers and witnesses: OpenSSH's, armoured (PROTOCOL.sshsig). They are read and verified here, and made by `ssh-keygen`.

mod allowed_signers;
mod armour;
mod fields;
mod key;
mod line;
mod open_ssh;
mod pattern;
mod seen;
mod sign;
mod verify;

pub use allowed_signers::{AllowedKey, AllowedSigners, SharedKey};
pub use armour::ArmourError;
pub use key::{KeyError, SignerKey};
pub use line::{AllowedSignersError, LineError};
pub use open_ssh::{OpenSsh, Said, SignError};
pub use seen::SignerSeen;
pub use sign::{KeyPlace, Signed};
pub use verify::{Expected, SecurityKey, Verified, VerifyError, verify};
