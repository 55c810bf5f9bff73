//! Putting a key from outside into a token.

use cryptoki::error::Result as CallResult;
use cryptoki::object::Attribute;
use cryptoki::session::Session;
use key_metadata::{
    Advice, Algorithm, CkaId, Extractability, KeyAlgorithm, PublicKey, SoftwareKey, TokenLabel, verifies,
};

use crate::generate::{MAX_LABEL, restrict};
use crate::key::FindError;
use crate::mechanism::{MechanismsError, Offer, offer, signs};
use crate::object::{Halves, Protection, Vacancy};
use crate::session::AccessError;
use crate::sign::SignError;
use crate::template::{Secret, private, public};
use crate::token::Token;

/// What a key signs to show that it is the one that was given.
const DATA: &[u8] = b"is this the key that came from outside?";

/// Why a key is not in the token. Nothing is left of it there, except where [`Self::LeftBehind`] says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The key's label is too long.
    #[error("a key label has at most {MAX_LABEL} bytes, '{key_label}' has {}", key_label.len())]
    LabelLength {
        /// The label asked for.
        key_label: String,
    },
    /// The key is of an algorithm that is only read.
    #[error("Keyrite does not sign with {0}")]
    Legacy(KeyAlgorithm),
    /// The private half is of another kind than the public one, or of another length.
    #[error("the private half of this key is none of {algorithm}")]
    OtherKind {
        /// The algorithm of the public half.
        algorithm: Algorithm,
    },
    /// Nobody is logged in.
    #[error("nobody is logged in to token '{label}', so it takes no key {id}")]
    NotLoggedIn {
        /// The token.
        label: TokenLabel,
        /// The key's id.
        id: CkaId,
    },
    /// The token does not sign with such keys.
    #[error("token '{label}' does not sign for {algorithm} with a key of {bits} bits; it offers {offer}")]
    Unsupported {
        /// The token.
        label: TokenLabel,
        /// The key's algorithm.
        algorithm: Algorithm,
        /// The key's size in bits.
        bits: u16,
        /// What the token makes.
        offer: Offer,
    },
    /// An object of the token has that id.
    #[error("token '{label}' has a key {id} already")]
    IdUsed {
        /// The token.
        label: TokenLabel,
        /// The id asked for.
        id: CkaId,
    },
    /// The token makes no private key of values that it is given (C_CreateObject).
    #[error("token '{label}' takes no private key for {algorithm} from outside")]
    Refused {
        /// The token.
        label: TokenLabel,
        /// The key's algorithm.
        algorithm: Algorithm,
        /// What it answered.
        source: AccessError,
    },
    /// The token protects the key less than was asked for. It was destroyed.
    #[error(
        "token '{label}' has key {id} with {attribute} {value}, which was not asked for; it was destroyed"
    )]
    Protection {
        /// The token.
        label: TokenLabel,
        /// The key's id.
        id: CkaId,
        /// The attribute.
        attribute: &'static str,
        /// `true`, `false` or `unknown`.
        value: &'static str,
    },
    /// What the private half signs does not verify with the public half. It was destroyed.
    #[error(
        "the two halves of key {id} do not belong together: what token '{label}' signs with one does not verify with the other"
    )]
    NotThatKey {
        /// The token.
        label: TokenLabel,
        /// The key's id.
        id: CkaId,
    },
    /// The token took the key and does not show it. It was destroyed.
    #[error(transparent)]
    Find(FindError),
    /// The token took the key and does not sign with it. It was destroyed.
    #[error(transparent)]
    Sign(SignError),
    /// It failed, and what there is of the key could not be removed.
    #[error("token '{label}' has a part of key {id}, which cannot be removed")]
    LeftBehind {
        /// The token.
        label: TokenLabel,
        /// The key's id.
        id: CkaId,
        /// Why it cannot be removed.
        source: AccessError,
    },
    /// The token does not tell what it signs with.
    #[error(transparent)]
    Mechanisms(#[from] MechanismsError),
    /// The module failed.
    #[error("token '{label}' did not take key {id}")]
    Access {
        /// The token.
        label: TokenLabel,
        /// The key's id.
        id: CkaId,
        /// Why not.
        source: AccessError,
    },
}

impl Advice for ImportError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::LabelLength { .. } => Some("choose a shorter label".to_owned()),
            Self::Legacy(_) => Some("replace the key by one of another algorithm, in a rollover".to_owned()),
            Self::OtherKind { .. } | Self::NotThatKey { .. } => {
                Some("check that the files of the key belong together and are whole".to_owned())
            }
            Self::NotLoggedIn { .. } => Some("give the token's user PIN".to_owned()),
            Self::Unsupported { .. } | Self::Refused { .. } => Some(
                "choose another token, or make a new key in this one and replace the old key in a rollover"
                    .to_owned(),
            ),
            Self::IdUsed { .. } => {
                Some("it may be there from an earlier import; list the token's keys".to_owned())
            }
            Self::Protection { .. } => {
                Some("do not use this token for such keys before its vendor has explained it".to_owned())
            }
            Self::LeftBehind { id, .. } => Some(format!("destroy key {id} before anything else is done")),
            Self::Find(source) => source.hint(),
            Self::Sign(source) => source.hint(),
            Self::Mechanisms(source) => source.hint(),
            Self::Access { source, .. } => source.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::NotLoggedIn { .. } => true,
            Self::LabelLength { .. }
            | Self::Legacy(_)
            | Self::OtherKind { .. }
            | Self::Unsupported { .. }
            | Self::IdUsed { .. }
            | Self::Protection { .. }
            | Self::NotThatKey { .. } => false,
            Self::Find(source) => source.is_credential(),
            Self::Sign(source) => source.is_credential(),
            Self::Mechanisms(source) => source.is_credential(),
            Self::Refused { source, .. } | Self::LeftBehind { source, .. } | Self::Access { source, .. } => {
                source.is_credential()
            }
        }
    }
}

impl Token {
    /// Puts a key into the token: private, sensitive, for signatures only where the token allows that, with that id and label. The user is logged in.
    ///
    /// The private half goes first, by C_CreateObject; where that is refused, nothing else is tried. The key is then proved by a signature
    /// that verifies under the public half that it came with. A process killed meanwhile may leave a half of it, which [`Token::presence`] tells
    /// and [`Token::destroy`] removes.
    pub fn import(
        &self,
        key: &SoftwareKey,
        id: impl Into<CkaId>,
        label: &str,
        extractability: Extractability,
    ) -> Result<(), ImportError> {
        let (token, id, public_key) = (|| self.label().clone(), &id.into(), &key.public_key);
        if label.len() > MAX_LABEL {
            return Err(ImportError::LabelLength {
                key_label: label.to_owned(),
            });
        }
        let algorithm = public_key.algorithm();
        let algorithm = algorithm.made().ok_or(ImportError::Legacy(algorithm))?;
        let name = [
            Attribute::Token(true),
            Attribute::Id(id.as_bytes().to_vec()),
            Attribute::Label(label.as_bytes().to_vec()),
        ];
        let private =
            private(key, algorithm, &name, extractability).ok_or(ImportError::OtherKind { algorithm })?;
        let mechanisms = self.mechanisms()?;
        if !signs(mechanisms, algorithm, public_key.bits()) {
            return Err(ImportError::Unsupported {
                label: token(),
                algorithm,
                bits: public_key.bits(),
                offer: offer(mechanisms),
            });
        }
        let failed = |source| ImportError::Access {
            label: token(),
            id: id.clone(),
            source,
        };
        match self
            .0
            .pool
            .with(|session| Vacancy::of(session, id))
            .map_err(failed)?
        {
            Vacancy::Free => {}
            Vacancy::NotLoggedIn => {
                return Err(ImportError::NotLoggedIn {
                    label: token(),
                    id: id.clone(),
                });
            }
            Vacancy::Used => {
                return Err(ImportError::IdUsed {
                    label: token(),
                    id: id.clone(),
                });
            }
        }
        let Err(error) = self.put(public_key, algorithm, id, &name, &private, extractability) else {
            return Ok(());
        };
        self.0
            .pool
            .with(|session| Halves::find(session, id)?.destroy(session))
            .map_err(|source| ImportError::LeftBehind {
                label: token(),
                id: id.clone(),
                source,
            })?;
        Err(error)
    }

    fn put(
        &self,
        public_key: &PublicKey,
        algorithm: Algorithm,
        id: &CkaId,
        name: &[Attribute],
        private: &Secret,
        extractability: Extractability,
    ) -> Result<(), ImportError> {
        let label = || self.label().clone();
        let failed = |source| ImportError::Access {
            label: label(),
            id: id.clone(),
            source,
        };
        let created = self.0.pool.with(|session| session.create_object(&private.0));
        let private = created.map_err(|source| match &source {
            AccessError::Call(call) if call.is_about_the_operation() => ImportError::Refused {
                label: label(),
                algorithm,
                source,
            },
            AccessError::Call(_) | AccessError::Lock(_) => failed(source),
        })?;
        let protection = |session: &Session| -> CallResult<_> {
            restrict(session, private)?;
            session.create_object(&public(public_key, algorithm, name))?;
            Protection::read(session, private)
        };
        let protection = self.0.pool.with(protection).map_err(failed)?;
        if let Some((attribute, value)) = protection.less_than(extractability) {
            return Err(ImportError::Protection {
                label: label(),
                id: id.clone(),
                attribute,
                value,
            });
        }
        let signature = self
            .key(id)
            .map_err(ImportError::Find)?
            .sign(algorithm, DATA)
            .map_err(ImportError::Sign)?;
        match verifies(public_key, DATA, &signature) {
            true => Ok(()),
            false => Err(ImportError::NotThatKey {
                label: label(),
                id: id.clone(),
            }),
        }
    }
}
