//! Native keys that come out of their backup into a TPM, and whether a TPM can do that.

use key_metadata::{Advice, KeySpec, PublicKey};
use rsa::rand_core::{self, OsRng, RngCore};
use secrecy::SecretString;

use crate::blob::{KeyBlob, KeyBlobError};
use crate::create::CreateError;
use crate::duplicate::{Duplicate, OpenError, OpenedDuplicate};
use crate::duplication::DuplicateError;
use crate::exit::Exit;
use crate::import::{ImportError, fits, sensitive_area};
use crate::recovery::{DrawError, RecoverySecret};
use crate::tpm::Tpm;

/// Why a key was not restored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The backup does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The public key in it is not usable.
    #[error(transparent)]
    PublicKey(#[from] KeyBlobError),
    /// The TPM does not take it.
    #[error(transparent)]
    Import(#[from] ImportError),
}

impl Advice for RestoreError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Open(error) => error.hint(),
            Self::PublicKey(error) => error.hint(),
            Self::Import(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Open(error) => error.is_credential(),
            Self::PublicKey(error) => error.is_credential(),
            Self::Import(error) => error.is_credential(),
        }
    }
}

/// Why a TPM is not known to let such a key be backed up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DuplicationError {
    /// It makes no such key.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// There was no recovery parent to try it with.
    #[error(transparent)]
    Draw(#[from] DrawError<NoEntropy>),
    /// The key did not leave it.
    #[error(transparent)]
    Duplicate(#[from] DuplicateError),
    /// The key did not come back.
    #[error(transparent)]
    Restore(#[from] RestoreError),
}

/// The system gives no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes")]
pub struct NoEntropy;

impl Advice for NoEntropy {
    fn hint(&self) -> Option<String> {
        None
    }

    fn is_credential(&self) -> bool {
        false
    }
}

impl Advice for DuplicationError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Create(error) => error.hint(),
            Self::Draw(error) => error.hint(),
            Self::Duplicate(error) => error.hint(),
            Self::Restore(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Create(error) => error.is_credential(),
            Self::Draw(error) => error.is_credential(),
            Self::Duplicate(error) => error.is_credential(),
            Self::Restore(error) => error.is_credential(),
        }
    }
}

/// What a TPM was seen to do with a key that was made for that and is gone: it left to a recovery parent, came back, and signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DuplicationProof {
    /// The kind of key.
    pub spec: KeySpec,
}

impl Tpm {
    /// Puts a key that was backed up under this TPM's SRK, with that auth value in the place of the one it had, and gives it once it has
    /// signed a nonce that verifies. Its public area is the same, so it has its Name, and leaves again to the same recovery parent.
    ///
    /// The private half crosses the bus encrypted for the SRK, whose Name should be pinned ([`Tpm::pin_srk`]).
    pub fn restore(
        &self,
        backup: &Duplicate,
        secret: &RecoverySecret,
        auth: Option<&SecretString>,
    ) -> Result<KeyBlob, RestoreError> {
        self.take_back(&backup.open(secret)?, auth)
    }

    fn take_back(
        &self,
        opened: &OpenedDuplicate,
        auth: Option<&SecretString>,
    ) -> Result<KeyBlob, RestoreError> {
        fits(auth)?;
        let spec = opened.kind.spec().map_err(ImportError::Size)?;
        let public_key: PublicKey = opened.public_key(spec.algorithm())?;
        self.takes(spec)?;
        let sensitive = &opened.sensitive;
        let area = sensitive_area(sensitive.kind, auth, &sensitive.seed, &sensitive.secret);
        let blob = self.wrap_and_import(spec, opened.public.clone(), &area)?;
        Ok(self.has_sign(blob, spec.algorithm(), auth, &public_key)?)
    }

    /// Makes a recovery parent and such a key, has the key leave to the parent, opens the backup, restores it, and has it sign. Nothing is
    /// left of any of it: neither is written down, and the TPM keeps nothing.
    ///
    /// The key's policy is the one of [`Self::create_duplicable_key`] but for the owner's authorisation, which whoever makes keys need not
    /// have.
    pub fn proves_duplication(&self, spec: KeySpec) -> Result<DuplicationProof, DuplicationError> {
        let secret = RecoverySecret::generate(|out| {
            OsRng.try_fill_bytes(out).map_err(|_: rand_core::Error| NoEntropy)
        })?;
        let exit = Exit::unguarded(secret.parent());
        let key = self.create(spec, None, Some(&exit))?;
        let backup = self.duplicate_by(&exit, &key, secret.parent(), None)?;
        let opened = backup.open_by(&exit, &secret).map_err(RestoreError::from)?;
        self.take_back(&opened, None)?;
        Ok(DuplicationProof { spec })
    }
}
