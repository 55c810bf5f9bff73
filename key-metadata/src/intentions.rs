//! `rollovers/<zone>.yaml`: what somebody decided to do with a zone's keys beside what its policy asks for.
//!
//! A policy says when keys are replaced; that one is to be replaced now, or that the zone is to get another algorithm, somebody has to say, and it
//! must be remembered until it is done.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::algorithm::Algorithm;
use crate::digest::Digest;
use crate::key_id::KeyId;
use crate::role::Role;
use crate::time::Time;
use crate::version::Version1;
use crate::yaml::{self, YamlError};
use crate::zone_name::ZoneName;

/// What was decided for a zone, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Intentions {
    version: Version1,
    zone: ZoneName,
    /// What is to be done.
    pub intentions: Vec<Intention>,
}

/// Something that was decided, by whom and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Intention {
    /// When.
    pub at: Time,
    /// By whom.
    pub operator: String,
    /// The tool and its version.
    pub tool: String,
    /// Why.
    pub reason: String,
    /// What is to be done.
    pub goal: KeptGoal,
    /// The keys that are to go.
    pub keys: Vec<KeyId>,
    /// SHA-256 of the plan that was decided on, as its JSON.
    pub plan: Digest,
}

/// What is to be done with a zone's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, tag = "kind")]
pub enum KeptGoal {
    /// The key of a role is replaced, whatever its lifetime.
    Roll {
        /// Whose.
        role: Role,
    },
    /// Somebody else has the key of a role.
    Compromised {
        /// Whose.
        role: Role,
    },
    /// Nobody has the private part of the key of a role.
    Lost {
        /// Whose.
        role: Role,
    },
    /// The zone gets another algorithm.
    Algorithm {
        /// Which.
        algorithm: Algorithm,
        /// The size of its keys in bits, where it has more than one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bits: Option<u16>,
    },
    /// The zone is signed no more.
    Insecure,
    /// The keys that have not taken over leave again.
    Abandon,
}

/// Why a text does not hold what was decided for a zone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IntentionsError {
    /// Not the YAML that it must be.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// Those of another zone.
    #[error("zone: these are the rollovers of {found}, not of {expected}")]
    OtherZone {
        /// The zone that the file is named for.
        expected: ZoneName,
        /// The zone that it names.
        found: ZoneName,
    },
}

impl Intentions {
    /// A zone for which nothing was decided.
    pub const fn new(zone: ZoneName) -> Self {
        Self {
            version: Version1,
            zone,
            intentions: Vec::new(),
        }
    }

    /// Reads the text of the file of `zone`.
    pub fn from_yaml(text: &str, zone: &ZoneName) -> Result<Self, IntentionsError> {
        let read: Self = yaml::parse(text)?;
        if read.zone != *zone {
            return Err(IntentionsError::OtherZone {
                expected: zone.clone(),
                found: read.zone,
            });
        }
        Ok(read)
    }

    /// The zone.
    pub const fn zone(&self) -> &ZoneName {
        &self.zone
    }
}

impl fmt::Display for KeptGoal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Roll { role } => write!(f, "roll the {role}"),
            Self::Compromised { role } => write!(f, "replace the compromised {role}"),
            Self::Lost { role } => write!(f, "replace the lost {role}"),
            Self::Algorithm { algorithm, .. } => write!(f, "change the algorithm to {algorithm}"),
            Self::Insecure => f.write_str("go insecure"),
            Self::Abandon => f.write_str("go back: what has not taken over leaves again"),
        }
    }
}
