//! The name of a key: 16 random bytes, which are its CKA_ID on a PKCS#11 token.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::written_as_text;

/// Names one key for ever, in its token (as CKA_ID) and in the site's files: 16 bytes, written as 32 hex digits.
///
/// Random, so that no token can hand one out twice; never derived from a tag or a label, which can repeat.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String", extend("pattern" = r"^[0-9a-f]{32}$"))]
pub struct KeyId([u8; 16]);

/// A text that is no key id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no key id; one has 32 hex digits")]
pub struct KeyIdError(String);

impl KeyId {
    /// The id made of these 16 bytes, which the caller drew at random.
    pub const fn from_random(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes, as in CKA_ID.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl FromStr for KeyId {
    type Err = KeyIdError;

    fn from_str(text: &str) -> Result<Self, KeyIdError> {
        let mut bytes = [0; 16];
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) => Ok(Self(bytes)),
            Err(_) => Err(KeyIdError(text.chars().take(64).collect())),
        }
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

written_as_text!(KeyId, KeyIdError);
