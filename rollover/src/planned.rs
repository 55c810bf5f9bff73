//! A plan that was written before, to hold what happened against it.

use key_metadata::{KeyRecord, Time, ZoneKeys};
use serde::Deserialize;

use crate::schedule::Schedule;

/// What of a plan's JSON (`plan --out`) counts here; the rest may be there.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Planned {
    version: u32,
    /// When it was made.
    pub now: Time,
    /// Until when it planned.
    pub until: Time,
    /// What was to be published.
    pub schedule: Schedule,
}

/// Why a text is no such plan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlannedError {
    /// Not the JSON that it must be.
    #[error("this is no plan as 'keyrite-rollover plan --out' writes it")]
    Json(#[from] serde_json::Error),
    /// Of another version.
    #[error("a plan of version {0}, and this tool reads 1")]
    Version(u32),
    /// Of another zone.
    #[error("a plan of {found}, not of {expected}")]
    OtherZone {
        /// The zone that is meant.
        expected: String,
        /// The zone that it is of.
        found: String,
    },
}

impl Planned {
    /// Reads a plan of the zone of `keys`. Its keys that were to be made have the labels of those that were: the first that was made after
    /// the plan is the first of its role, and so on.
    pub fn read(text: &str, keys: &ZoneKeys) -> Result<Self, PlannedError> {
        let mut planned: Self = serde_json::from_str(text)?;
        if planned.version != 1 {
            return Err(PlannedError::Version(planned.version));
        }
        if planned.schedule.zone != *keys.zone() {
            return Err(PlannedError::OtherZone {
                expected: keys.zone().to_string(),
                found: planned.schedule.zone.to_string(),
            });
        }
        let mut made: Vec<&KeyRecord> = keys
            .keys()
            .iter()
            .filter(|key| key.times.generated >= planned.now)
            .collect();
        made.sort_by_key(|key| key.times.generated);
        for lanes in &mut planned.schedule.keys {
            let role = lanes.role;
            let Some(number) = lanes.label.strip_prefix(&format!("{role} new ")) else {
                continue;
            };
            let place = number
                .parse::<usize>()
                .ok()
                .and_then(|number| number.checked_sub(1));
            let made = place.and_then(|place| made.iter().filter(|key| key.role == role).nth(place));
            if let Some(key) = made {
                lanes.label = key.name();
            }
        }
        Ok(planned)
    }
}

impl key_metadata::Advice for PlannedError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Json(_) | Self::Version(_) => {
                Some("make it anew: keyrite-rollover plan --zone ZONE --out FILE".to_owned())
            }
            Self::OtherZone { found, .. } => Some(format!("name that zone: --zone {found}")),
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}
