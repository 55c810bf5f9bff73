//! TPM2_MakeCredential in software: a secret that one TPM alone gives back, and only where it holds a certain key as well.
//!
//! TPM 2.0 part 1, 24. It is not left to the TPM, since the TPM is what it examines.

use key_metadata::Advice;

use crate::blob::with_size;
use crate::ek_template::EkTemplate;
use crate::name::Name;
use crate::outer_wrap::{Purpose, Wrapped};
use crate::public_key::EkPublicKey;

/// The longest secret, in bytes: a digest of the endorsement key's hash (TPM2_MakeCredential; TPM 2.0 part 3, 12.6). SHA-256 in any case.
pub(crate) const LONGEST: usize = 32;

/// A secret for the holder of two keys: the endorsement key that it is encrypted for, and the key whose Name it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The contents of TPM2B_ID_OBJECT.
    pub(crate) object: Vec<u8>,
    /// The contents of TPM2B_ENCRYPTED_SECRET.
    pub(crate) secret: Vec<u8>,
}

/// Why a credential was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// The key is not of the template's kind.
    #[error("this key is none of the template {template}")]
    OtherKind {
        /// The template.
        template: EkTemplate,
    },
    /// A number or a point that makes no key.
    #[error("nothing can be encrypted for this {template} key")]
    Unusable {
        /// The template.
        template: EkTemplate,
    },
    /// A secret of no bytes or of too many.
    #[error("a credential holds 1 to {LONGEST} bytes, not {length}")]
    Length {
        /// The secret's length, in bytes.
        length: usize,
    },
}

impl Advice for CredentialError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::OtherKind { .. } | Self::Unusable { .. } => Some(
                "the endorsement key's certificate is not what its place says; ask the TPM's maker"
                    .to_owned(),
            ),
            Self::Length { .. } => None,
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}

impl Credential {
    /// Encrypts `secret` for the endorsement key, bound to the Name of a key that must be in the same TPM.
    ///
    /// `key` comes from the certificate, not from the TPM.
    pub fn make(
        template: EkTemplate,
        key: &EkPublicKey,
        name: &Name,
        secret: &[u8],
    ) -> Result<Self, CredentialError> {
        let length = secret.len();
        if !(1..=LONGEST).contains(&length) {
            return Err(CredentialError::Length { length });
        }
        match (template, key) {
            (
                EkTemplate::Rsa2048 | EkTemplate::Rsa2048High | EkTemplate::Rsa3072,
                EkPublicKey::Rsa { .. },
            )
            | (EkTemplate::P256 | EkTemplate::P256High, EkPublicKey::P256(_))
            | (EkTemplate::P384, EkPublicKey::P384(_)) => {}
            (
                EkTemplate::Rsa2048
                | EkTemplate::Rsa2048High
                | EkTemplate::Rsa3072
                | EkTemplate::P256
                | EkTemplate::P256High
                | EkTemplate::P384,
                EkPublicKey::Rsa { .. } | EkPublicKey::P256(_) | EkPublicKey::P384(_),
            ) => return Err(CredentialError::OtherKind { template }),
        }
        let Wrapped { object, seed } =
            Wrapped::make(template.strength(), Purpose::Credential, key, name, secret)
                .ok_or(CredentialError::Unusable { template })?;
        Ok(Self { object, secret: seed })
    }

    /// The file that `tpm2_activatecredential -i` takes: its magic number and version, TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET.
    pub fn to_bytes(&self) -> Vec<u8> {
        let header = [0xba, 0xdc, 0xc0, 0xde, 0, 0, 0, 1];
        [
            &header,
            with_size(&self.object).as_slice(),
            &with_size(&self.secret),
        ]
        .concat()
    }
}
