//! That a token lets keys be backed up.

use key_metadata::KeySpec;

/// What a token was seen to do with a key that was made for that and is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackupProof {
    /// Behind PKCS#11: it left the token wrapped, came back, and signed.
    Wrapped(pkcs11::BackupProof),
    /// In a TPM: it left to a recovery parent, was opened there, came back, and signed.
    Duplicated(tpm::DuplicationProof),
}

impl BackupProof {
    /// The kind of key.
    pub const fn spec(&self) -> KeySpec {
        match self {
            Self::Wrapped(proof) => proof.spec,
            Self::Duplicated(proof) => proof.spec,
        }
    }
}
