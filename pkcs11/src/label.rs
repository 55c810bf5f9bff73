//! Keys found by their labels, as BIND names them.

use cryptoki::object::{Attribute, ObjectClass};
use key_metadata::{Advice, CkaId, TokenLabel};

use crate::object::{id_of, is_logged_in};
use crate::session::AccessError;
use crate::token::Token;

/// Why the keys of a label are not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// Nobody is logged in, so the token hides its private keys.
    #[error("nobody is logged in to token '{label}', so key '{key_label}' cannot be seen")]
    NotLoggedIn {
        /// The token.
        label: TokenLabel,
        /// The key's label.
        key_label: String,
    },
    /// A private key has that label and no CKA_ID, or one that is longer than 255 bytes.
    #[error("key '{key_label}' in token '{label}' has no CKA_ID by which it can be found again")]
    NoId {
        /// The token.
        label: TokenLabel,
        /// The key's label.
        key_label: String,
    },
    /// The module failed.
    #[error("looking for key '{key_label}' in token '{label}' failed")]
    Access {
        /// The token.
        label: TokenLabel,
        /// The key's label.
        key_label: String,
        /// Why.
        source: AccessError,
    },
}

impl Advice for LabelError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NotLoggedIn { .. } => Some("give the token's user PIN".to_owned()),
            Self::NoId { .. } => Some(
                "give both halves of the key one CKA_ID that no other key has: pkcs11-tool --set-id"
                    .to_owned(),
            ),
            Self::Access { source, .. } => source.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::NotLoggedIn { .. } => true,
            Self::NoId { .. } => false,
            Self::Access { source, .. } => source.is_credential(),
        }
    }
}

impl Token {
    /// The ids, sorted, of the private keys that have that CKA_LABEL, which need not be unique. The user is logged in.
    pub fn find_labelled(&self, key_label: &str) -> Result<Vec<CkaId>, LabelError> {
        let (label, name) = (self.label().clone(), key_label.to_owned());
        let found = self.0.pool.with(|session| {
            if !is_logged_in(session)? {
                return Ok(None);
            }
            let wanted = [
                Attribute::Class(ObjectClass::PRIVATE_KEY),
                Attribute::Label(key_label.as_bytes().to_vec()),
            ];
            let keys = session.find_objects(&wanted)?;
            let ids = keys.into_iter().map(|key| id_of(session, key));
            ids.collect::<cryptoki::error::Result<Vec<_>>>().map(Some)
        });
        let ids = match found {
            Ok(Some(ids)) => ids,
            Ok(None) => {
                return Err(LabelError::NotLoggedIn {
                    label,
                    key_label: name,
                });
            }
            Err(source) => {
                return Err(LabelError::Access {
                    label,
                    key_label: name,
                    source,
                });
            }
        };
        let ids: Option<Vec<CkaId>> = ids.into_iter().collect();
        let mut ids = ids.ok_or(LabelError::NoId {
            label,
            key_label: name,
        })?;
        ids.sort();
        ids.dedup();
        Ok(ids)
    }
}
