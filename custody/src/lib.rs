//! Secrets for custodians, as age files: each is encrypted to people, by their keys or by programs (plugins) that know their hardware, or
//! sealed with a passphrase. What is opened was not changed by a bit.
//!
//! A plugin gets nothing of our environment but `PATH` and `HOME`.

mod armour;
mod decrypt;
mod dialogue;
mod encrypt;
mod identity;
mod passphrase;
mod plugin;

pub use armour::is_age;
pub use decrypt::{DecryptError, decrypt_with};
pub use dialogue::Dialogue;
pub use encrypt::{EncryptError, RecipientProblem, check_recipient, encrypt_to};
pub use identity::{Identity, IdentityError};
pub use passphrase::{
    OpenError, SealError, WorkFactor, WorkFactorError, open_with_passphrase, seal_with_passphrase,
};
pub use plugin::{PluginError, Plugins};
