//! Signatures as an RRSIG record carries them.

use cryptoki::error::{Result as CallResult, RvError};
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use key_metadata::{Advice, Algorithm, CkaId, PublicKey, TokenLabel, verifies};

use crate::key::{Key, PublicKeyError};
use crate::mechanism::{Mechanism as Offered, MechanismsError, signs_with};
use crate::session::AccessError;
use crate::signature;

/// Times that a signature is tried again after CKR_OPERATION_NOT_INITIALIZED, which tpm2-pkcs11 1.9 answers now and then to threads
/// that share a key.
const RETRIES: u32 = 5;

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The key is of another kind, or its size is not known.
    #[error(transparent)]
    Key(#[from] PublicKeyError),
    /// The token does not tell how it signs.
    #[error(transparent)]
    Mechanisms(#[from] MechanismsError),
    /// The module failed.
    #[error("token '{label}' did not sign with key {id} for {algorithm}")]
    Access {
        /// The token.
        label: TokenLabel,
        /// The key.
        id: CkaId,
        /// The algorithm asked for.
        algorithm: Algorithm,
        /// Why not.
        source: AccessError,
    },
    /// The token answered something that is no signature.
    #[error(
        "token '{label}' answered {found} bytes for a signature of key {id} for {algorithm}, which has {expected}"
    )]
    Length {
        /// The token.
        label: TokenLabel,
        /// The key.
        id: CkaId,
        /// The algorithm asked for.
        algorithm: Algorithm,
        /// How many bytes a signature has.
        expected: usize,
        /// How many the token gave.
        found: usize,
    },
}

impl Advice for SignError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Key(source) => source.hint(),
            Self::Mechanisms(source) => source.hint(),
            Self::Access { source, .. } => match source.answer() {
                Some(RvError::ObjectHandleInvalid | RvError::KeyHandleInvalid) => {
                    Some("the key, or the token's store, went away while the program ran".to_owned())
                }
                _ => source.hint(),
            },
            Self::Length { .. } => None,
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Key(source) => source.is_credential(),
            Self::Mechanisms(source) => source.is_credential(),
            Self::Access { source, .. } => source.is_credential(),
            Self::Length { .. } => false,
        }
    }

    fn is_absence(&self) -> bool {
        match self {
            Self::Key(_) | Self::Length { .. } => false,
            Self::Mechanisms(source) => source.is_absence(),
            Self::Access { source, .. } => source.is_absence(),
        }
    }
}

impl Key {
    /// The signature field of an RRSIG record over `data` (RFC 4034 3.1.8.1): RSA as long as the modulus (RFC 5702), r | s of 64 or 96 bytes
    /// (RFC 6605), or Ed25519's 64 (RFC 8080).
    ///
    /// Data are hashed here. RSA goes through CKM_RSA_PKCS with our DigestInfo, which every token has; only one without it hashes itself.
    pub fn sign(&self, algorithm: Algorithm, data: &[u8]) -> Result<Vec<u8>, SignError> {
        let length = self.signature_length(algorithm)?;
        let (mechanism, input) = operation(self.token().mechanisms()?, algorithm, data);
        let answer = self
            .answer(&mechanism, &input)
            .map_err(|source| SignError::Access {
                label: self.token().label().clone(),
                id: self.id().clone(),
                algorithm,
                source,
            })?;
        signature::field(algorithm, &answer, length).ok_or_else(|| SignError::Length {
            label: self.token().label().clone(),
            id: self.id().clone(),
            algorithm,
            expected: length,
            found: answer.len(),
        })
    }

    fn signature_length(&self, algorithm: Algorithm) -> Result<usize, PublicKeyError> {
        let bits = match algorithm {
            Algorithm::RsaSha256 | Algorithm::RsaSha512 => self.public_key(algorithm)?.bits(),
            Algorithm::EcdsaP256Sha256 | Algorithm::EcdsaP384Sha384 | Algorithm::Ed25519 => {
                let family = self.family();
                if !family.signs_for(algorithm) {
                    let label = self.token().label().clone();
                    return Err(PublicKeyError::WrongFamily {
                        label,
                        id: self.id().clone(),
                        family,
                        algorithm,
                    });
                }
                0
            }
        };
        Ok(signature::length(algorithm, bits))
    }

    fn answer(&self, mechanism: &Mechanism<'_>, input: &[u8]) -> Result<Vec<u8>, AccessError> {
        let mut retries = RETRIES;
        loop {
            let answer = self
                .token()
                .0
                .pool
                .with(|session| session.sign(mechanism, self.0.private, input));
            match answer {
                Err(error)
                    if retries > 0 && matches!(error.answer(), Some(RvError::OperationNotInitialized)) =>
                {
                    retries -= 1
                }
                Ok(_) | Err(_) => return answer,
            }
        }
    }
}

/// Whether that private key makes signatures of the public key.
pub(crate) fn signs_as(
    session: &Session,
    mechanisms: &[Offered],
    private: ObjectHandle,
    public_key: &PublicKey,
    data: &[u8],
) -> CallResult<bool> {
    let Some(algorithm) = public_key.algorithm().made() else {
        return Ok(false);
    };
    let (mechanism, input) = operation(mechanisms, algorithm, data);
    let answer = session.sign(&mechanism, private, &input)?;
    let length = signature::length(algorithm, public_key.bits());
    let field = signature::field(algorithm, &answer, length);
    Ok(field.is_some_and(|signature| verifies(public_key, data, &signature)))
}

/// How a token signs data for that algorithm, and what it is given.
fn operation(mechanisms: &[Offered], algorithm: Algorithm, data: &[u8]) -> (Mechanism<'static>, Vec<u8>) {
    let hashing = match algorithm {
        Algorithm::RsaSha256 => Some(Mechanism::Sha256RsaPkcs),
        Algorithm::RsaSha512 => Some(Mechanism::Sha512RsaPkcs),
        Algorithm::EcdsaP256Sha256 | Algorithm::EcdsaP384Sha384 | Algorithm::Ed25519 => None,
    };
    if let Some(mechanism) = hashing
        && !signs_with(mechanisms, MechanismType::RSA_PKCS)
    {
        return (mechanism, data.to_vec());
    }
    let mechanism = match algorithm {
        Algorithm::RsaSha256 | Algorithm::RsaSha512 => Mechanism::RsaPkcs,
        Algorithm::EcdsaP256Sha256 | Algorithm::EcdsaP384Sha384 => Mechanism::Ecdsa,
        Algorithm::Ed25519 => Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure)),
    };
    (mechanism, signature::input(algorithm, data))
}
