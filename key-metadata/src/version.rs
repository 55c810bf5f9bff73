//! The version that every file of a site starts with.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `version: 1`; any other is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(into = "u32", try_from = "u32")]
#[schemars(with = "u32", extend("const" = 1))]
pub struct Version1;

/// A version that this Keyrite does not read.
#[derive(Debug, thiserror::Error)]
#[error("this Keyrite reads version 1, not version {0}; a newer Keyrite may have written it")]
pub struct VersionError(u32);

impl From<Version1> for u32 {
    fn from(_: Version1) -> Self {
        1
    }
}

impl TryFrom<u32> for Version1 {
    type Error = VersionError;

    fn try_from(version: u32) -> Result<Self, VersionError> {
        if version == 1 {
            Ok(Self)
        } else {
            Err(VersionError(version))
        }
    }
}
