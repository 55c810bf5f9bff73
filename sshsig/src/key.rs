//! The public key of somebody who signs.

use std::fmt;
use std::str::FromStr;

use ssh_key::{Algorithm, HashAlg, PublicKey};

use crate::fields::Fields;

/// A public key that can stand in `allowed_signers`: Ed25519, ECDSA, RSA from 2048 to 4096 bits, or a security key (`sk-`).
#[derive(Clone, PartialEq, Eq)]
pub struct SignerKey {
    key: PublicKey,
    blob: Vec<u8>,
}

/// Why a key is none of those.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The base64, or what it says.
    #[error("the {key_type} key is damaged")]
    Damaged {
        /// The type that stands in front of it.
        key_type: String,
    },
    /// Another type, or a certificate.
    #[error("'{key_type}' is no type of key that can sign here")]
    Type {
        /// The type.
        key_type: String,
    },
    /// An RSA key that is too short, or too long for our reader.
    #[error("the RSA key has {bits} bits, not 2048 to 4096")]
    RsaSize {
        /// Its size.
        bits: usize,
    },
}

impl SignerKey {
    /// The types that are known, by the names that stand in front of keys.
    pub(crate) fn is_type(word: &str) -> bool {
        Algorithm::new(word).is_ok_and(|algorithm| takes(&algorithm))
    }

    /// Its type, such as `ssh-ed25519` or `sk-ssh-ed25519@openssh.com`.
    pub fn key_type(&self) -> String {
        self.key.algorithm().to_string()
    }

    /// Its fingerprint, as OpenSSH shows it: `SHA256:` and base64.
    pub fn fingerprint(&self) -> String {
        self.key.fingerprint(HashAlg::Sha256).to_string()
    }

    /// Whether it is in a security key, which tells of touch and PIN.
    pub fn is_security_key(&self) -> bool {
        matches!(
            self.key.algorithm(),
            Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256
        )
    }

    pub(crate) fn key(&self) -> &PublicKey {
        &self.key
    }

    pub(crate) fn blob(&self) -> &[u8] {
        &self.blob
    }
}

fn takes(algorithm: &Algorithm) -> bool {
    matches!(
        algorithm,
        Algorithm::Ed25519
            | Algorithm::Ecdsa { .. }
            | Algorithm::Rsa { hash: None }
            | Algorithm::SkEd25519
            | Algorithm::SkEcdsaSha2NistP256
    )
}

/// A key as it is in a `.pub` file: type and base64; a comment may follow.
impl FromStr for SignerKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut words = text.split_ascii_whitespace();
        let (key_type, base64) = (words.next(), words.next());
        let key_type = key_type.map_or("", |key_type| key_type).to_owned();
        if !Self::is_type(&key_type) {
            return Err(KeyError::Type { key_type });
        }
        let base64 = base64.map_or("", |base64| base64);
        let key = PublicKey::from_openssh(&format!("{key_type} {base64}"));
        let key = key.and_then(|key| Ok((key.to_bytes()?, key)));
        let Ok((blob, key)) = key else {
            return Err(KeyError::Damaged { key_type });
        };
        if let Some(modulus) = key.key_data().rsa().and_then(|_| modulus_of(&blob)) {
            let bits = modulus.first().map_or(0, |first| {
                8 * modulus.len() - usize::try_from(first.leading_zeros()).map_or(0, |zeros| zeros)
            });
            if !(2048..=4096).contains(&bits) {
                return Err(KeyError::RsaSize { bits });
            }
        }
        Ok(Self { key, blob })
    }
}

/// Of an RSA key: the fields are type, exponent, modulus (RFC 4253 6.6).
fn modulus_of(blob: &[u8]) -> Option<&[u8]> {
    let mut fields = Fields::of(blob);
    fields.string()?;
    fields.string()?;
    let modulus = fields.string()?;
    Some(modulus.strip_prefix(&[0]).map_or(modulus, |modulus| modulus))
}

/// Type and base64, without a comment.
impl fmt::Display for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use base64::Engine;
        let base64 = base64::engine::general_purpose::STANDARD.encode(&self.blob);
        write!(f, "{} {base64}", self.key_type())
    }
}

impl fmt::Debug for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignerKey({self})")
    }
}
