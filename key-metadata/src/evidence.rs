//! What was seen of a key's DS at the parent: what the gate goes by instead of assuming that the parent does as it is told within Dreg.
//!
//! A sighting is entered by whoever asked every server of the parent, with what they answered; the history keeps that as the reason.

use std::fmt;
use std::str::FromStr;

use crate::advice::Advice;
use crate::gate::{Refusal, out_of_order};
use crate::history::Change;
use crate::key_id::KeyId;
use crate::step::Step;
use crate::time::Time;
use crate::zone_keys::ZoneKeys;

/// What was seen, where and how, such as `4 of 4 servers of cr have DS 2371 13 2 (f.root-servers.net ...)`: one line of 1 to 500 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence(String);

/// A text that is no evidence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("evidence has 1 to 500 characters, in one line")]
pub struct EvidenceError;

/// What every server of the parent says of a key's DS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// It is there.
    Registered,
    /// It is not there any more.
    Deregistered,
}

/// Why a sighting was not entered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SightingError {
    /// The zone has no such key.
    #[error("key {0} is not among the keys")]
    NoKey(KeyId),
    /// The key is not one of which that can be seen.
    #[error("key {key} was not {}: {refusal}", .sighting.step().participle())]
    Order {
        /// The key.
        key: KeyId,
        /// What was to be entered.
        sighting: Sighting,
        /// The rule that says no.
        refusal: Refusal,
    },
    /// It was seen before it could be, or after it is entered.
    #[error("key {key}: its DS was seen at {seen}, which is not between {from} and {until}")]
    Time {
        /// The key.
        key: KeyId,
        /// When it was seen.
        seen: Time,
        /// When that could be first.
        from: Time,
        /// When it is entered.
        until: Time,
    },
}

impl Sighting {
    /// The step that it is in the key's life.
    pub const fn step(self) -> Step {
        match self {
            Self::Registered => Step::Register,
            Self::Deregistered => Step::Deregister,
        }
    }
}

impl ZoneKeys {
    /// Enters what was seen of a key's DS at `seen` into its record and, with the evidence as the reason, into the history. Of `change` the
    /// time, the tool, the operator and the ceremony count.
    pub fn enter_sighting(
        &mut self,
        key: KeyId,
        sighting: Sighting,
        seen: Time,
        evidence: &Evidence,
        change: Change,
    ) -> Result<(), SightingError> {
        let step = sighting.step();
        let mut record = self.key(key).ok_or(SightingError::NoKey(key))?.clone();
        if let Some(refusal) = out_of_order(step, &record) {
            return Err(SightingError::Order {
                key,
                sighting,
                refusal,
            });
        }
        let times = &record.times;
        let from = match sighting {
            Sighting::Registered => times.submitted,
            // What is still wanted at the parent can be seen missing, but not seen gone for good.
            Sighting::Deregistered => [
                times.submitted,
                times.registered,
                times.retire_active,
                times.retired,
                times.revoked,
                times.removed,
            ]
            .into_iter()
            .flatten()
            .max(),
        };
        let (from, until) = (from.map_or(times.generated, |from| from), change.at);
        if seen < from || seen > until {
            return Err(SightingError::Time {
                key,
                seen,
                from,
                until,
            });
        }
        record.take(step, seen);
        let change = Change {
            action: step.action(),
            reason: Some(evidence.to_string()),
            overrides: Vec::new(),
            ..change
        };
        self.replace(record, change);
        Ok(())
    }
}

impl Advice for SightingError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NoKey(_) | Self::Time { .. } => None,
            Self::Order { refusal, .. } => Some(refusal.remedy.clone()),
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}

impl FromStr for Evidence {
    type Err = EvidenceError;

    fn from_str(text: &str) -> Result<Self, EvidenceError> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > 500 || text.chars().any(char::is_control) {
            return Err(EvidenceError);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
