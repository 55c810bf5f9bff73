//! One key in a token.

use std::sync::Arc;

use cryptoki::object::ObjectHandle;
use key_metadata::{Advice, Algorithm, CkaId, PublicKey, TokenLabel};

use crate::family::Family;
use crate::material::Material;
use crate::object::{Halves, is_logged_in};
use crate::session::AccessError;
use crate::token::Token;

/// A private key that was found in a token. Clones are the same key.
#[derive(Clone)]
pub struct Key(pub(crate) Arc<Found>);

pub(crate) struct Found {
    pub(crate) token: Token,
    pub(crate) id: CkaId,
    pub(crate) private: ObjectHandle,
    pub(crate) material: Material,
}

/// Why a key was not found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// Nobody is logged in, so the token hides its private keys.
    #[error("nobody is logged in to token '{label}', so key {id} cannot be seen")]
    NotLoggedIn {
        /// The token.
        label: TokenLabel,
        /// The key.
        id: CkaId,
    },
    /// No object has that id.
    #[error("token '{label}' has no key {id}")]
    NoKey {
        /// The token.
        label: TokenLabel,
        /// The key.
        id: CkaId,
    },
    /// The public half alone is there.
    #[error("token '{label}' has the public half of key {id} and not the private one")]
    PrivateMissing {
        /// The token.
        label: TokenLabel,
        /// The key.
        id: CkaId,
    },
    /// More than one private key has that id.
    #[error("token '{label}' has {count} private keys of id {id}")]
    Several {
        /// The token.
        label: TokenLabel,
        /// The key.
        id: CkaId,
        /// How many.
        count: usize,
    },
    /// The module failed.
    #[error("looking for key {id} in token '{label}' failed")]
    Access {
        /// The token.
        label: TokenLabel,
        /// The key.
        id: CkaId,
        /// Why.
        source: AccessError,
    },
}

impl Advice for FindError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NotLoggedIn { .. } => Some("give the token's user PIN".to_owned()),
            Self::NoKey { .. } => Some("check that this is the token that the key was made in".to_owned()),
            Self::PrivateMissing { .. } => Some(
                "a generation that was killed leaves that; destroy the key and make another, or restore it"
                    .to_owned(),
            ),
            Self::Several { .. } => Some(
                "another program made or copied one of them; remove it with its vendor's tool".to_owned(),
            ),
            Self::Access { source, .. } => source.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::NotLoggedIn { .. } => true,
            Self::NoKey { .. } | Self::PrivateMissing { .. } | Self::Several { .. } => false,
            Self::Access { source, .. } => source.is_credential(),
        }
    }

    fn is_absence(&self) -> bool {
        match self {
            // It was logged in to before, or there would be no session.
            Self::NotLoggedIn { .. } => true,
            Self::NoKey { .. } | Self::PrivateMissing { .. } | Self::Several { .. } => false,
            Self::Access { source, .. } => source.is_absence(),
        }
    }
}

/// Why a key's public half is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// The key is of another kind.
    #[error("key {id} in token '{label}' is {family}, which is not for {algorithm}")]
    WrongFamily {
        /// The token.
        label: TokenLabel,
        /// The key.
        id: CkaId,
        /// What the key is.
        family: Family,
        /// The algorithm asked for.
        algorithm: Algorithm,
    },
    /// Neither object has the public values, or they are no public key of the algorithm.
    #[error("token '{label}' does not tell the public half of key {id}")]
    Unreadable {
        /// The token.
        label: TokenLabel,
        /// The key.
        id: CkaId,
    },
}

impl Advice for PublicKeyError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::WrongFamily { .. } => None,
            Self::Unreadable { .. } => {
                Some("the public key object may be gone; the site's key file still has it".to_owned())
            }
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::WrongFamily { .. } | Self::Unreadable { .. } => false,
        }
    }
}

impl Token {
    /// The private key of that id. The user is logged in.
    pub fn key(&self, id: impl Into<CkaId>) -> Result<Key, FindError> {
        let (label, id) = (self.label().clone(), id.into());
        let found = self.0.pool.with(|session| {
            let halves = Halves::find(session, &id)?;
            let mut material: Option<Material> = None;
            for object in halves.public.iter().take(1).chain(halves.private.iter().take(1)) {
                let read = Material::read(session, *object)?;
                material = Some(match material {
                    Some(public) => public.or(read),
                    None => read,
                });
            }
            Ok((halves, material, is_logged_in(session)?))
        });
        let (halves, material, logged_in) = match found {
            Ok(found) => found,
            Err(source) => return Err(FindError::Access { label, id, source }),
        };
        match (halves.private.as_slice(), material) {
            ([private], Some(material)) => Ok(Key(Arc::new(Found {
                token: self.clone(),
                id,
                private: *private,
                material,
            }))),
            ([], _) if !logged_in => Err(FindError::NotLoggedIn { label, id }),
            ([], Some(_)) => Err(FindError::PrivateMissing { label, id }),
            ([], None) => Err(FindError::NoKey { label, id }),
            (several, _) => Err(FindError::Several {
                label,
                id,
                count: several.len(),
            }),
        }
    }
}

impl Key {
    /// The token that the key is in.
    pub fn token(&self) -> &Token {
        &self.0.token
    }

    /// The key's id.
    pub fn id(&self) -> &CkaId {
        &self.0.id
    }

    /// What the key is.
    pub fn family(&self) -> Family {
        self.0.material.family
    }

    /// The public half, for that algorithm. The token was asked when the key was found.
    pub fn public_key(&self, algorithm: Algorithm) -> Result<PublicKey, PublicKeyError> {
        let (label, id, family) = (self.token().label().clone(), self.id().clone(), self.family());
        if !family.signs_for(algorithm) {
            return Err(PublicKeyError::WrongFamily {
                label,
                id,
                family,
                algorithm,
            });
        }
        self.0
            .material
            .public_key(algorithm)
            .ok_or(PublicKeyError::Unreadable { label, id })
    }
}
