//! The key that signs a ceremony's log: one in a token, and never one of DNSSEC.
//!
//! It is known by its CKA_ID, which is longer than that of any key of a zone, and has the same text as its label.

use key_metadata::{
    Advice, Algorithm, CkaId, Extractability, KeySpec, PublicKey, TokenLabel, ecdsa_to_der, verifies,
    verifies_as_openssl,
};

use crate::destroy::DestroyError;
use crate::family::Family;
use crate::find::Presence;
use crate::generate::GenerateError;
use crate::key::{FindError, Key, PublicKeyError};
use crate::mechanism::{MechanismsError, Offer, offer, supports};
use crate::object::Protection;
use crate::session::AccessError;
use crate::sign::SignError;
use crate::token::Token;
use crate::unfinished::UnfinishedError;

/// The kinds of key, the first one that a token makes: P-256, and RSA of 2048 bits where it has no curves.
const KINDS: [(Algorithm, Option<u16>); 2] = [
    (Algorithm::EcdsaP256Sha256, None),
    (Algorithm::RsaSha256, Some(2048)),
];

/// A log key that was found in a token.
#[derive(Clone)]
pub struct LogKey {
    key: Key,
    algorithm: Algorithm,
    public_key: PublicKey,
    spki: Vec<u8>,
}

/// Why there is no log key, or no signature of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogKeyError {
    /// There is one already.
    #[error("token '{label}' has a log key already")]
    Exists {
        /// The token.
        label: TokenLabel,
    },
    /// The token makes neither P-256 nor RSA-2048.
    #[error("token '{label}' makes no key that could sign a log; it offers {offer}")]
    Unsupported {
        /// The token.
        label: TokenLabel,
        /// What the token makes.
        offer: Offer,
    },
    /// The key can leave the token, so that others may sign with it.
    #[error("the log key of token '{label}' has {attribute} {value}")]
    Protection {
        /// The token.
        label: TokenLabel,
        /// The attribute.
        attribute: &'static str,
        /// `true`, `false` or `unknown`.
        value: &'static str,
    },
    /// The token's signature is not one of that key.
    #[error("token '{label}' gave a signature that its log key's public half does not verify")]
    BadSignature {
        /// The token.
        label: TokenLabel,
    },
    /// The public half has no SubjectPublicKeyInfo.
    #[error("the public half of the log key of token '{label}' cannot be written")]
    Spki {
        /// The token.
        label: TokenLabel,
    },
    /// It cannot be looked for, or is there more than once.
    #[error(transparent)]
    Find(#[from] FindError),
    /// Its public half is not known.
    #[error(transparent)]
    PublicKey(#[from] PublicKeyError),
    /// The token does not tell what it makes.
    #[error(transparent)]
    Mechanisms(#[from] MechanismsError),
    /// What an interrupted run left of it was not removed.
    #[error(transparent)]
    Destroy(#[from] DestroyError),
    /// The same, of what has no id yet.
    #[error(transparent)]
    Unfinished(#[from] UnfinishedError),
    /// It was not made.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// The token did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The module failed.
    #[error("reading how token '{label}' protects its log key failed")]
    Access {
        /// The token.
        label: TokenLabel,
        /// Why.
        source: AccessError,
    },
}

impl Advice for LogKeyError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Exists { .. } | Self::Spki { .. } => None,
            Self::Unsupported { .. } => Some("have another token sign the log".to_owned()),
            Self::Protection { .. } => Some(
                "it was not made by Keyrite: remove it with its vendor's tool, or use another token"
                    .to_owned(),
            ),
            Self::BadSignature { .. } => Some("do not use this token before it was repaired".to_owned()),
            Self::Find(error) => error.hint(),
            Self::PublicKey(error) => error.hint(),
            Self::Mechanisms(error) => error.hint(),
            Self::Destroy(error) => error.hint(),
            Self::Unfinished(error) => error.hint(),
            Self::Generate(error) => error.hint(),
            Self::Sign(error) => error.hint(),
            Self::Access { source, .. } => source.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Exists { .. }
            | Self::Unsupported { .. }
            | Self::Protection { .. }
            | Self::BadSignature { .. }
            | Self::Spki { .. } => false,
            Self::Find(error) => error.is_credential(),
            Self::PublicKey(error) => error.is_credential(),
            Self::Mechanisms(error) => error.is_credential(),
            Self::Destroy(error) => error.is_credential(),
            Self::Unfinished(error) => error.is_credential(),
            Self::Generate(error) => error.is_credential(),
            Self::Sign(error) => error.is_credential(),
            Self::Access { source, .. } => source.is_credential(),
        }
    }
}

impl Token {
    /// The log key; `None` where there is none, or a part of one that [`Self::make_log_key`] replaces. The user is logged in.
    pub fn log_key(&self) -> Result<Option<LogKey>, LogKeyError> {
        let id = CkaId::of_ceremony_log();
        let key = match self.key(&id) {
            Ok(key) => key,
            Err(FindError::NoKey { .. } | FindError::PrivateMissing { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let algorithm = match key.family() {
            Family::Rsa { .. } => Algorithm::RsaSha256,
            // Of another family it is said below that it is wrong.
            Family::P256 | Family::P384 | Family::Ed25519 | Family::Other => Algorithm::EcdsaP256Sha256,
        };
        let public_key = key.public_key(algorithm);
        // A run may have been killed while the token wrote the private half; a whole one of some tokens looks the same, and signs.
        if self.is_unfinished(&id)? && !key.signs(algorithm, public_key.as_ref().ok()) {
            return Ok(None);
        }
        let public_key = public_key?;
        let label = || self.label().clone();
        let read = |session: &_| Protection::read(session, key.0.private);
        let protection = self.0.pool.with(read).map_err(|source| LogKeyError::Access {
            label: label(),
            source,
        })?;
        if let Some((attribute, value)) = protection.less_than(Extractability::Never) {
            return Err(LogKeyError::Protection {
                label: label(),
                attribute,
                value,
            });
        }
        let spki = public_key
            .spki_der()
            .map_err(|_| LogKeyError::Spki { label: label() })?;
        Ok(Some(LogKey {
            key,
            algorithm,
            public_key,
            spki,
        }))
    }

    /// Makes the log key: one that cannot leave the token, on P-256, or RSA of 2048 bits where the token has no curves. The user is logged in.
    ///
    /// What a run that was killed left of one is removed before.
    pub fn make_log_key(&self) -> Result<LogKey, LogKeyError> {
        let label = || self.label().clone();
        if self.log_key()?.is_some() {
            return Err(LogKeyError::Exists { label: label() });
        }
        let mechanisms = self.mechanisms()?;
        let mut kinds = KINDS
            .into_iter()
            .filter_map(|(algorithm, bits)| KeySpec::new(algorithm, bits).ok());
        let Some(spec) = kinds.find(|spec| supports(mechanisms, *spec)) else {
            return Err(LogKeyError::Unsupported {
                label: label(),
                offer: offer(mechanisms),
            });
        };
        let id = CkaId::of_ceremony_log();
        self.remove_unfinished()?;
        match self.presence(&id)? {
            Presence::Absent => {}
            Presence::Whole | Presence::PublicOnly | Presence::PrivateOnly => self.destroy(&id)?,
        }
        self.generate(spec, &id, CkaId::CEREMONY_LOG, Extractability::Never)?;
        self.log_key()?
            .ok_or_else(|| FindError::NoKey { label: label(), id }.into())
    }
}

impl Key {
    fn signs(&self, algorithm: Algorithm, public_key: Option<&PublicKey>) -> bool {
        const DATA: &[u8] = b"is this a log key of Keyrite?";
        public_key.is_some_and(|public_key| {
            self.sign(algorithm, DATA)
                .is_ok_and(|signature| verifies(public_key, DATA, &signature))
        })
    }
}

impl LogKey {
    /// The public half.
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The DER SubjectPublicKeyInfo.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// A signature with SHA-256, for `openssl dgst -sha256 -verify`: ECDSA as DER, or RSA (PKCS#1 v1.5). It was verified; another one is
    /// never given out. An auditor asks [`verifies_as_openssl`].
    pub fn sign(&self, data: &[u8]) -> Result<Vec<u8>, LogKeyError> {
        let fixed = self.key.sign(self.algorithm, data)?;
        let signature = match self.algorithm {
            Algorithm::EcdsaP256Sha256 => ecdsa_to_der(&fixed),
            Algorithm::RsaSha256 | Algorithm::RsaSha512 | Algorithm::EcdsaP384Sha384 | Algorithm::Ed25519 => {
                Some(fixed)
            }
        };
        signature
            .filter(|signature| verifies_as_openssl(&self.spki, data, signature))
            .ok_or_else(|| LogKeyError::BadSignature {
                label: self.key.token().label().clone(),
            })
    }
}
