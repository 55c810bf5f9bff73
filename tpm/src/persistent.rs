//! What is kept at a persistent handle.

use std::fmt;

use key_metadata::TpmHandle;
use tss_esapi::structures::Public;

use crate::command::CommandError;
use crate::engine::Engine;
use crate::tpm::Tpm;

/// What an object in the TPM is, by its public area.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PersistentKind {
    /// Data that was sealed.
    SealedData,
    /// A key that other objects are kept under.
    StorageKey,
    /// A key pair that signs.
    SigningKey,
    /// Another key.
    OtherKey,
}

impl fmt::Display for PersistentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SealedData => "sealed data",
            Self::StorageKey => "a storage key",
            Self::SigningKey => "a signing key",
            Self::OtherKey => "a key",
        })
    }
}

impl Tpm {
    /// What is at a persistent handle; `None` where there is nothing.
    pub fn persistent_kind(&self, handle: TpmHandle) -> Result<Option<PersistentKind>, CommandError> {
        self.engine().persistent_kind(handle)
    }
}

impl Engine {
    pub(crate) fn persistent_kind(
        &mut self,
        handle: TpmHandle,
    ) -> Result<Option<PersistentKind>, CommandError> {
        if !self.is_there(handle.number())? {
            return Ok(None);
        }
        let mut object = self.open(handle.number())?;
        let open = object.handle();
        Ok(Some(kind(&object.read_public(open)?)))
    }
}

pub(crate) fn kind(public: &Public) -> PersistentKind {
    match public {
        Public::KeyedHash {
            object_attributes: a, ..
        } if !a.sign_encrypt() && !a.decrypt() => PersistentKind::SealedData,
        Public::Rsa {
            object_attributes: a, ..
        }
        | Public::Ecc {
            object_attributes: a, ..
        } => match (a.restricted() && a.decrypt(), a.sign_encrypt()) {
            (true, _) => PersistentKind::StorageKey,
            (false, true) => PersistentKind::SigningKey,
            (false, false) => PersistentKind::OtherKey,
        },
        Public::KeyedHash { .. } | Public::SymCipher { .. } => PersistentKind::OtherKey,
    }
}
