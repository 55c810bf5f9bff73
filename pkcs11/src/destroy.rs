//! Destroying a key.

use key_metadata::{Advice, CkaId, TokenLabel};

use crate::object::{Halves, is_logged_in};
use crate::session::AccessError;
use crate::token::Token;

/// Why a key was not destroyed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DestroyError {
    /// Nobody is logged in, so the token hides its private keys.
    #[error("nobody is logged in to token '{label}', so key {id} cannot be destroyed")]
    NotLoggedIn {
        /// The token.
        label: TokenLabel,
        /// The key.
        id: CkaId,
    },
    /// No object has that id.
    #[error("token '{label}' has no key {id} to destroy")]
    NoKey {
        /// The token.
        label: TokenLabel,
        /// The key.
        id: CkaId,
    },
    /// The token said that it destroyed the key and has it still.
    #[error("token '{label}' still has key {id} after destroying it")]
    StillThere {
        /// The token.
        label: TokenLabel,
        /// The key.
        id: CkaId,
    },
    /// The module failed; a part of the key may be gone.
    #[error("destroying key {id} in token '{label}' failed")]
    Access {
        /// The token.
        label: TokenLabel,
        /// The key.
        id: CkaId,
        /// Why.
        source: AccessError,
    },
}

impl Advice for DestroyError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NotLoggedIn { .. } => Some("give the token's user PIN".to_owned()),
            Self::NoKey { .. } => Some("check that this is the token that the key was made in".to_owned()),
            Self::StillThere { .. } => {
                Some("the token may forbid it (CKA_DESTROYABLE); its vendor's tool may say why".to_owned())
            }
            Self::Access { source, .. } => source.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::NotLoggedIn { .. } => true,
            Self::NoKey { .. } | Self::StillThere { .. } => false,
            Self::Access { source, .. } => source.is_credential(),
        }
    }
}

enum Outcome {
    NotLoggedIn,
    NoKey,
    StillThere,
    Destroyed,
}

impl Token {
    /// Destroys the private and the public half, or whichever of them is there. The user is logged in. It can be killed and run again.
    ///
    /// What that is worth depends on the token: tpm2-pkcs11 forgets its row of the key, and an old copy of its store signs again.
    pub fn destroy(&self, id: impl Into<CkaId>) -> Result<(), DestroyError> {
        let (label, id) = (self.label().clone(), id.into());
        let outcome = self.0.pool.with(|session| {
            if !is_logged_in(session)? {
                return Ok(Outcome::NotLoggedIn);
            }
            let halves = Halves::find(session, &id)?;
            if halves.is_empty() {
                return Ok(Outcome::NoKey);
            }
            halves.destroy(session)?;
            Ok(if Halves::find(session, &id)?.is_empty() {
                Outcome::Destroyed
            } else {
                Outcome::StillThere
            })
        });
        match outcome {
            Ok(Outcome::Destroyed) => Ok(()),
            Ok(Outcome::NotLoggedIn) => Err(DestroyError::NotLoggedIn { label, id }),
            Ok(Outcome::NoKey) => Err(DestroyError::NoKey { label, id }),
            Ok(Outcome::StillThere) => Err(DestroyError::StillThere { label, id }),
            Err(source) => Err(DestroyError::Access { label, id, source }),
        }
    }
}
