//! A key found by what it is, and what is there of a key.

use std::sync::Arc;

use key_metadata::{CkaId, PublicKey, verifies};

use crate::key::{FindError, Found, Key};
use crate::list::{FoundKey, ListError};
use crate::material::Likeness;
use crate::object::{Halves, is_logged_in};
use crate::session::AccessError;
use crate::sign::SignError;
use crate::token::Token;

/// What is signed to see which key it is.
const DATA: &[u8] = b"which key of Keyrite is this?";

/// What of a key is in a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Both halves.
    Whole,
    /// The public half alone, as a generation that was killed leaves it.
    PublicOnly,
    /// The private half alone.
    PrivateOnly,
    /// Nothing.
    Absent,
}

impl Token {
    /// What of a key is there under that id. The user is logged in.
    pub fn presence(&self, id: impl Into<CkaId>) -> Result<Presence, FindError> {
        let (label, id) = (self.label().clone(), id.into());
        let found = self
            .0
            .pool
            .with(|session| Ok((is_logged_in(session)?, Halves::find(session, &id)?)));
        match found {
            Ok((true, halves)) => Ok(match (halves.private.is_empty(), halves.public.is_empty()) {
                (false, false) => Presence::Whole,
                (true, false) => Presence::PublicOnly,
                (false, true) => Presence::PrivateOnly,
                (true, true) => Presence::Absent,
            }),
            Ok((false, _)) => Err(FindError::NotLoggedIn { label, id }),
            Err(source) => Err(FindError::Access { label, id, source }),
        }
    }

    /// The private key that has that public half, whatever its id and label; `None` where there is none, or it has no CKA_ID. The user is logged in.
    ///
    /// The whole token is looked through. Where a private key's public values are nowhere in the token, it is known by a signature.
    pub fn key_of(&self, public_key: &PublicKey) -> Result<Option<Key>, ListError> {
        let keys = self.keys()?;
        let told = |likeness| keys.iter().filter(move |key| key.is_of(public_key) == likeness);
        if let Some(key) = told(Likeness::Same).find_map(|key| self.opened(key)) {
            return Ok(Some(key));
        }
        let Some(algorithm) = public_key.algorithm().made() else {
            return Ok(None);
        };
        let silent = told(Likeness::Untold).filter(|key| key.family.signs_for(algorithm));
        for key in silent.filter_map(|key| self.opened(key)) {
            match key.sign(algorithm, DATA) {
                Ok(signature) if verifies(public_key, DATA, &signature) => return Ok(Some(key)),
                Err(SignError::Access { label, source, .. }) if is_gone(&source) => {
                    return Err(ListError::Access { label, source });
                }
                // Another key, or one that does not sign: not the one that was asked for.
                Ok(_) | Err(_) => {}
            }
        }
        Ok(None)
    }

    fn opened(&self, key: &FoundKey) -> Option<Key> {
        Some(Key(Arc::new(Found {
            token: self.clone(),
            id: key.id.clone()?,
            private: key.private?,
            material: key.material.clone(),
        })))
    }
}

impl Key {
    /// Whether this is that key, by its public values.
    pub fn is_of(&self, public_key: &PublicKey) -> Likeness {
        self.0.material.is_of(public_key)
    }
}

fn is_gone(error: &AccessError) -> bool {
    match error {
        AccessError::Lock(_) => true,
        AccessError::Call(call) => !call.is_about_the_operation(),
    }
}
