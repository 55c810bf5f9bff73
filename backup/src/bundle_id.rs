//! The name of a bundle.

use std::fmt;
use std::str::FromStr;

use key_metadata::written_as_text;
use serde::{Deserialize, Serialize};

/// Names one bundle for ever: 8 random bytes, written as 16 hex digits, short enough to be read aloud and written on a share's paper.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct BundleId([u8; 8]);

/// A text that is no bundle id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no bundle id; one has 16 hex digits")]
pub struct BundleIdError(String);

impl BundleId {
    /// The id made of these 8 bytes, which the caller drew at random.
    pub const fn from_random(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }
}

impl FromStr for BundleId {
    type Err = BundleIdError;

    fn from_str(text: &str) -> Result<Self, BundleIdError> {
        let mut bytes = [0; 8];
        let is_ours = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) if is_ours => Ok(Self(bytes)),
            Ok(()) | Err(_) => Err(BundleIdError(text.chars().take(40).collect())),
        }
    }
}

impl fmt::Display for BundleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for BundleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BundleId({self})")
    }
}

written_as_text!(BundleId, BundleIdError);
