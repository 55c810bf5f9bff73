//! `signed/<zone>.state`: what was last released of a zone, and what stood in the way since.
//!
//! Format in docs/formats/zone-state.md. It is no source of truth: whoever reads it holds [`Release::octets`] and the serial against the signed zone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Time;
use crate::version::Version1;
use crate::yaml::{self, YamlError};
use crate::zone_name::ZoneName;

/// How a zone stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ZoneState {
    version: Version1,
    /// The zone.
    pub zone: ZoneName,
    /// What was last released; missing where nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
    /// What failed since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<LastFailure>,
}

/// A signed zone that took the place of the last one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Release {
    /// When it was signed.
    pub signed: Time,
    /// Its serial.
    pub serial: u32,
    /// When the first of its signatures expires.
    pub first_expiration: Time,
    /// How many signatures it has.
    pub signatures: u64,
    /// How many records it has that signing did not make.
    pub records: u64,
    /// How many octets these records are, as text.
    pub record_octets: u64,
    /// How many octets the file is.
    pub octets: u64,
}

/// A failure of `keyrite-signer run`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LastFailure {
    /// When.
    pub at: Time,
    /// What failed and why, in one line.
    pub error: String,
}

/// Why a text is no state of the zone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ZoneStateError {
    /// Not the YAML that it must be.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// That of another zone.
    #[error("zone: this is the state of {found}, not of {expected}")]
    OtherZone {
        /// The zone that the file is named for.
        expected: ZoneName,
        /// The zone that it names.
        found: ZoneName,
    },
}

impl ZoneState {
    /// That of a zone of which nothing is known.
    pub const fn new(zone: ZoneName) -> Self {
        Self {
            version: Version1,
            zone,
            release: None,
            failure: None,
        }
    }

    /// Reads the text of the file of `zone`.
    pub fn from_yaml(text: &str, zone: &ZoneName) -> Result<Self, ZoneStateError> {
        let read: Self = yaml::parse(text)?;
        match read.zone == *zone {
            true => Ok(read),
            false => Err(ZoneStateError::OtherZone {
                expected: zone.clone(),
                found: read.zone,
            }),
        }
    }
}
