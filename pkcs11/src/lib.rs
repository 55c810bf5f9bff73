//! Tokens behind PKCS#11: finding, initialising and opening them, key pairs inside them, raw DNSSEC signatures from them.
//!
//! A [`Module`] is the vendor's shared object, a [`Token`] one of the tokens that it reaches, a [`Key`] a private key in it. All three
//! are handles: cheap to clone, usable from any thread. Once the last of them is dropped the module is finalised (C_Finalize), so a
//! program that drops them all and loads the module again gets past a token that was unplugged or a TPM that was restarted.
//!
//! SoftHSM, tpm2-pkcs11 and opencryptoki's TPM token read their store's place from the environment when the module is initialised; this library reads none.

mod backup;
mod call;
mod destroy;
mod ec_point;
mod family;
mod find;
mod generate;
mod held;
mod import;
mod initialise;
mod initialise_error;
mod key;
mod label;
mod list;
mod lock;
mod log_key;
mod login;
mod material;
mod mechanism;
mod module;
mod object;
mod pair;
mod pin_change;
mod pin_state;
mod probe;
mod random;
mod raw;
mod restore;
mod restore_error;
mod session;
mod sign;
mod signature;
mod slot;
mod template;
mod throwaway;
mod token;
mod trial;
mod unfinished;
mod wrap;
mod wrap_error;
mod wrapping;

pub use key_metadata::{verifies, verifies_as_openssl};

pub use backup::{BackupError, BackupProof, Tried};
pub use call::CallError;
pub use destroy::DestroyError;
pub use family::Family;
pub use find::Presence;
pub use generate::GenerateError;
pub use import::ImportError;
pub use initialise::{DeliveredPins, Initialised, PinOwner, Prospect};
pub use initialise_error::{InitialiseError, InitialiseStep};
pub use key::{FindError, Key, PublicKeyError};
pub use label::LabelError;
pub use list::{FoundKey, ListError};
pub use lock::{LOCK_TIMEOUT, LockError};
pub use log_key::{LogKey, LogKeyError};
pub use login::LoginError;
pub use material::Likeness;
pub use mechanism::{Mechanism, MechanismsError, Offer};
pub use module::{LoadError, Module, ModuleInfo};
pub use pin_change::PinChangeError;
pub use pin_state::{LastTry, PinState};
pub use probe::{KeyProbe, Lie, Probe, ProbeError, ProbeVerdict, WrapProbe};
pub use random::RandomError;
pub use restore::Restored;
pub use restore_error::RestoreError;
pub use session::AccessError;
pub use sign::SignError;
pub use slot::{InfoError, PinLengthLimits, TokenInfo};
pub use throwaway::Storage;
pub use token::{OpenError, Token};
pub use unfinished::UnfinishedError;
pub use wrap::WrapMechanism;
pub use wrap_error::WrapError;
pub use wrapping::{Leaving, OpenedError, Wrapping};
