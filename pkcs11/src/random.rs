//! Random bytes from a token.

use cryptoki::error::RvError;
use key_metadata::{Advice, TokenLabel};

use crate::session::AccessError;
use crate::token::Token;

/// Why a token gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("token '{label}' gave no random bytes, {count} were asked for")]
pub struct RandomError {
    /// The token.
    pub label: TokenLabel,
    /// How many were asked for.
    pub count: usize,
    /// Why not.
    pub source: AccessError,
}

impl RandomError {
    /// Whether the token gives random bytes only to a user who is logged in (CKR_USER_NOT_LOGGED_IN).
    pub fn needs_login(&self) -> bool {
        matches!(self.source.answer(), Some(RvError::UserNotLoggedIn))
    }
}

impl Advice for RandomError {
    fn hint(&self) -> Option<String> {
        self.source.hint()
    }

    fn is_credential(&self) -> bool {
        self.source.is_credential()
    }
}

impl Token {
    /// That many bytes from the token's generator (C_GenerateRandom). Most give them without a login.
    pub fn random(&self, count: usize) -> Result<Vec<u8>, RandomError> {
        let mut bytes = vec![0; count];
        self.fill_random(&mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn fill_random(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        let count = bytes.len();
        self.0
            .pool
            .with(|session| session.generate_random_slice(bytes))
            .map_err(|source| RandomError {
                label: self.label().clone(),
                count,
                source,
            })
    }
}
