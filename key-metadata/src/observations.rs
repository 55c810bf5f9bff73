//! `observations/<zone>.yaml`: what was seen of a zone and its parent, and when.
//!
//! What follows from it for a plan is in [`crate::sightings`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::observation::{Observation, ObservationError};
use crate::time::Time;
use crate::version::Version1;
use crate::yaml::{self, YamlError};
use crate::zone_name::ZoneName;

/// How many observations of a zone are kept.
pub const KEPT: usize = 200;

/// The observations of one zone, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Observations {
    version: Version1,
    zone: ZoneName,
    observations: Vec<Observation>,
}

/// Why a text does not hold the observations of a zone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObservationsError {
    /// Not the YAML that it must be.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// Those of another zone.
    #[error("zone: these are the observations of {found}, not of {expected}")]
    OtherZone {
        /// The zone that the file is named for.
        expected: ZoneName,
        /// The zone that it names.
        found: ZoneName,
    },
    /// An observation that cannot be.
    #[error("{}observations[{index}]: {source}", .line.map_or_else(String::new, |line| format!("line {line}: ")))]
    Observation {
        /// Its place, from 0.
        index: usize,
        /// The line where it begins.
        line: Option<usize>,
        /// Why.
        source: ObservationError,
    },
    /// Not in the order of time.
    #[error("observations[{index}]: it is of {at}, before the one that stands before it")]
    Order {
        /// Its place, from 0.
        index: usize,
        /// When.
        at: Time,
    },
}

/// What became of an observation that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is there now.
    Kept,
    /// It was there already.
    Known,
    /// It is there now, and one of that time is not: no more than [`KEPT`] are kept.
    Displaced(Time),
}

impl Observations {
    /// A zone of which nothing was seen.
    pub const fn new(zone: ZoneName) -> Self {
        Self {
            version: Version1,
            zone,
            observations: Vec::new(),
        }
    }

    /// Reads the text of the file of `zone`.
    pub fn from_yaml(text: &str, zone: &ZoneName) -> Result<Self, ObservationsError> {
        let read: Self = yaml::parse(text)?;
        if read.zone != *zone {
            return Err(ObservationsError::OtherZone {
                expected: zone.clone(),
                found: read.zone,
            });
        }
        for (index, observation) in read.observations.iter().enumerate() {
            observation.check().map_err(|source| {
                let place = yaml::place_of(text, &["observations", &index.to_string()]);
                ObservationsError::Observation {
                    index,
                    line: place.map(|(line, _)| line),
                    source,
                }
            })?;
        }
        let pairs = read.observations.iter().zip(read.observations.iter().skip(1));
        match pairs.enumerate().find(|(_, (one, next))| one.at > next.at) {
            Some((index, (_, next))) => Err(ObservationsError::Order {
                index: index + 1,
                at: next.at,
            }),
            None => Ok(read),
        }
    }

    /// The zone.
    pub const fn zone(&self) -> &ZoneName {
        &self.zone
    }

    /// The observations, oldest first.
    pub fn all(&self) -> &[Observation] {
        &self.observations
    }

    /// The last one.
    pub fn newest(&self) -> Option<&Observation> {
        self.observations.last()
    }

    /// Adds an observation at its place in time.
    ///
    /// No more than [`KEPT`] are kept. One goes that says of DS and DNSKEY what those before and after it say, the oldest such, so that
    /// when something came and went stays known; where there is none, the oldest.
    pub fn add(&mut self, observation: Observation) -> Result<Added, ObservationError> {
        observation.check()?;
        if self.observations.contains(&observation) {
            return Ok(Added::Known);
        }
        let place = self
            .observations
            .partition_point(|known| known.at <= observation.at);
        self.observations.insert(place, observation);
        if self.observations.len() <= KEPT {
            return Ok(Added::Kept);
        }
        let between = self.observations.windows(3).position(|three| match three {
            [before, it, after] => it.says_the_same_as(before) && it.says_the_same_as(after),
            _ => false,
        });
        let gone = self.observations.remove(between.map_or(0, |before| before + 1));
        Ok(Added::Displaced(gone.at))
    }
}
