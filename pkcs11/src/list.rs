//! The keys in a token.

use std::collections::BTreeMap;

use cryptoki::error::Result as CallResult;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use key_metadata::{Advice, CkaId, PublicKey, TokenLabel};

use crate::family::Family;
use crate::material::{Likeness, Material};
use crate::object::{Protection, is_logged_in};
use crate::session::AccessError;
use crate::token::Token;

/// A key as a token shows it, ours or not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FoundKey {
    /// Its CKA_ID: 16 bytes where it is ours, anything where it is not; `None` where it has none, or one of more than 255 bytes.
    pub id: Option<CkaId>,
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
    pub(crate) material: Material,
    pub(crate) private: Option<ObjectHandle>,
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
    ///
    /// Halves belong together by CKA_ID, and where they have none by CKA_LABEL. Where a token has several of one id, or halves of one id with
    /// different public values, each is listed.
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

impl FoundKey {
    /// Whether this is that key, by its public values.
    pub fn is_of(&self, public_key: &PublicKey) -> Likeness {
        self.material.is_of(public_key)
    }

    fn takes(&self, half: &Self) -> bool {
        let lacks_it = !(self.has_private && half.has_private || self.has_public && half.has_public);
        lacks_it && !self.material.contradicts(&half.material)
    }

    fn join(&mut self, half: Self) {
        // It is the private half that signs: what it tells of itself comes first.
        let (first, second) = match half.has_private {
            true => (half.material, self.material.clone()),
            false => (self.material.clone(), half.material),
        };
        self.material = first.or(second);
        self.family = self.material.family;
        self.has_private |= half.has_private;
        self.has_public |= half.has_public;
        self.sensitive = self.sensitive.or(half.sensitive);
        self.extractable = self.extractable.or(half.extractable);
        self.private = self.private.or(half.private);
        if self.label.is_empty() {
            self.label = half.label;
        }
    }
}

pub(crate) fn list(session: &Session) -> CallResult<Vec<FoundKey>> {
    let mut keys: BTreeMap<(Vec<u8>, String), Vec<FoundKey>> = BTreeMap::new();
    for class in [ObjectClass::PUBLIC_KEY, ObjectClass::PRIVATE_KEY] {
        for object in session.find_objects(&[Attribute::Class(class)])? {
            let (id, half) = read(session, object, class)?;
            let label = id.is_empty().then(|| half.label.clone());
            let group = keys
                .entry((id, label.map_or_else(String::new, |label| label)))
                .or_default();
            match group.iter_mut().find(|key| key.takes(&half)) {
                Some(key) => key.join(half),
                None => group.push(half),
            }
        }
    }
    Ok(keys.into_values().flatten().collect())
}

/// A half, and the CKA_ID as it is.
fn read(session: &Session, object: ObjectHandle, class: ObjectClass) -> CallResult<(Vec<u8>, FoundKey)> {
    let has_private = class == ObjectClass::PRIVATE_KEY;
    let protection = match has_private {
        true => Protection::read(session, object)?,
        false => Protection {
            sensitive: None,
            extractable: None,
        },
    };
    // A vendor's kind of key, which cannot be read, is listed as what little is known of it.
    let material = Material::read(session, object).map_or(Material::NOTHING, |material| material);
    let (mut id, mut label) = (Vec::new(), String::new());
    for attribute in session.get_attributes(object, &[AttributeType::Id, AttributeType::Label])? {
        if let Attribute::Id(value) = attribute {
            id = value;
        } else if let Attribute::Label(value) = attribute {
            label = String::from_utf8_lossy(&value).into_owned();
        }
    }
    let half = FoundKey {
        id: CkaId::try_from(id.as_slice()).ok(),
        label,
        family: material.family,
        has_private,
        has_public: !has_private,
        sensitive: protection.sensitive,
        extractable: protection.extractable,
        material,
        private: has_private.then_some(object),
    };
    Ok((id, half))
}
