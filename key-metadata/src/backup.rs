//! What stands between a key and its loss.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Time;

/// Whether and how a private key can leave its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Extractability {
    /// Never: if the token is lost, so is the key.
    Never,
    /// Wrapped by another key of the token (CKA_EXTRACTABLE, with CKA_SENSITIVE), or for the recovery parent of its TPM.
    Wrapped,
}

/// What stands between a key and its loss.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Backup {
    /// Whether it can be backed up at all.
    pub extractability: Extractability,
    /// The bundles that hold it, and the drills that each passed.
    #[serde(default)]
    pub bundles: Vec<BundleEntry>,
}

/// One backup bundle that holds the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BundleEntry {
    /// The bundle's id.
    pub bundle: String,
    /// When it was made.
    pub created: Time,
    /// The drills that it passed, oldest first.
    #[serde(default)]
    pub drills: Vec<Drill>,
}

/// A drill that a bundle passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Drill {
    /// How far it went.
    pub level: DrillLevel,
    /// When.
    pub at: Time,
}

/// How far a bundle was proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum DrillLevel {
    /// Hashes, signatures, expiry, media.
    D0,
    /// Every custodian proved to hold the share.
    D1,
    /// The whole pipeline, with a canary key.
    D2,
    /// The key itself, restored to a spare token.
    D3,
}

/// A text that names no drill.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no drill; D0, D1, D2 and D3 are")]
pub struct DrillLevelError(String);

impl Backup {
    /// Of a key that is in no bundle yet.
    pub const fn none(extractability: Extractability) -> Self {
        Self {
            extractability,
            bundles: Vec::new(),
        }
    }

    /// The drills of `required` that no one bundle has passed together with the others: those that the best bundle lacks.
    pub fn lacks(&self, required: &[DrillLevel]) -> Vec<DrillLevel> {
        let lacking = |drills: &[Drill]| -> Vec<DrillLevel> {
            let passed = |level: &&DrillLevel| !drills.iter().any(|drill| drill.level == **level);
            required.iter().filter(passed).copied().collect()
        };
        self.bundles
            .iter()
            .map(|bundle| lacking(&bundle.drills))
            .min_by_key(Vec::len)
            .map_or_else(|| required.to_vec(), |least| least)
    }
}

impl fmt::Display for Extractability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Never => "never",
            Self::Wrapped => "wrapped",
        })
    }
}

impl fmt::Display for DrillLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::D0 => "D0",
            Self::D1 => "D1",
            Self::D2 => "D2",
            Self::D3 => "D3",
        })
    }
}

impl FromStr for DrillLevel {
    type Err = DrillLevelError;

    fn from_str(text: &str) -> Result<Self, DrillLevelError> {
        [Self::D0, Self::D1, Self::D2, Self::D3]
            .into_iter()
            .find(|level| level.to_string().eq_ignore_ascii_case(text))
            .ok_or_else(|| DrillLevelError(text.to_owned()))
    }
}
