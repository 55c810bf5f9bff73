//! The keys in a token.

use std::collections::BTreeMap;

use cryptoki::error::Result as CallResult;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use key_metadata::{Advice, TokenLabel};

use crate::family::Family;
use crate::material::Material;
use crate::object::{Protection, is_logged_in};
use crate::session::AccessError;
use crate::token::Token;

/// A key as a token shows it, ours or not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FoundKey {
    /// Its CKA_ID: 16 bytes where it is ours, anything where it is not.
    pub id: Vec<u8>,
    /// Its CKA_LABEL.
    pub label: String,
    /// What it is.
    pub family: Family,
    /// Whether the private half is there; a generation that was killed leaves a public half alone.
    pub has_private: bool,
    /// Whether the public half is there.
    pub has_public: bool,
    /// CKA_SENSITIVE of the private half, where the token tells.
    pub sensitive: Option<bool>,
    /// CKA_EXTRACTABLE of the private half, where the token tells.
    pub extractable: Option<bool>,
}

/// Why a token's keys were not listed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// Nobody is logged in, so the token hides its private keys.
    #[error("nobody is logged in to token '{label}', so its keys cannot be listed")]
    NotLoggedIn {
        /// The token.
        label: TokenLabel,
    },
    /// The module failed.
    #[error("listing the keys of token '{label}' failed")]
    Access {
        /// The token.
        label: TokenLabel,
        /// Why.
        source: AccessError,
    },
}

impl Advice for ListError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NotLoggedIn { .. } => Some("give the token's user PIN".to_owned()),
            Self::Access { source, .. } => source.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::NotLoggedIn { .. } => true,
            Self::Access { source, .. } => source.is_credential(),
        }
    }
}

impl Token {
    /// Every key pair, or half of one, sorted by id. The user is logged in.
    pub fn keys(&self) -> Result<Vec<FoundKey>, ListError> {
        let label = self.label().clone();
        match self.0.pool.with(|session| {
            if is_logged_in(session)? {
                list(session).map(Some)
            } else {
                Ok(None)
            }
        }) {
            Ok(Some(keys)) => Ok(keys),
            Ok(None) => Err(ListError::NotLoggedIn { label }),
            Err(source) => Err(ListError::Access { label, source }),
        }
    }
}

fn list(session: &Session) -> CallResult<Vec<FoundKey>> {
    let mut keys: BTreeMap<Vec<u8>, FoundKey> = BTreeMap::new();
    for class in [ObjectClass::PUBLIC_KEY, ObjectClass::PRIVATE_KEY] {
        for object in session.find_objects(&[Attribute::Class(class)])? {
            let half = read(session, object, class)?;
            match keys.get_mut(&half.id) {
                Some(key) => key.join(half),
                None => {
                    keys.insert(half.id.clone(), half);
                }
            }
        }
    }
    Ok(keys.into_values().collect())
}

fn read(session: &Session, object: ObjectHandle, class: ObjectClass) -> CallResult<FoundKey> {
    let has_private = class == ObjectClass::PRIVATE_KEY;
    let protection = match has_private {
        true => Protection::read(session, object)?,
        false => Protection {
            sensitive: None,
            extractable: None,
        },
    };
    let mut half = FoundKey {
        id: Vec::new(),
        label: String::new(),
        // A vendor's kind of key, which cannot be read, is listed as what little is known of it.
        family: Material::read(session, object).map_or(Family::Other, |material| material.family),
        has_private,
        has_public: !has_private,
        sensitive: protection.sensitive,
        extractable: protection.extractable,
    };
    for attribute in session.get_attributes(object, &[AttributeType::Id, AttributeType::Label])? {
        if let Attribute::Id(id) = attribute {
            half.id = id;
        } else if let Attribute::Label(label) = attribute {
            half.label = String::from_utf8_lossy(&label).into_owned();
        }
    }
    Ok(half)
}

impl FoundKey {
    fn join(&mut self, other: Self) {
        self.has_private |= other.has_private;
        self.has_public |= other.has_public;
        self.sensitive = self.sensitive.or(other.sensitive);
        self.extractable = self.extractable.or(other.extractable);
        if self.label.is_empty() {
            self.label = other.label;
        }
        if matches!(self.family, Family::Other) {
            self.family = other.family;
        }
    }
}
