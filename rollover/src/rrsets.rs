//! The RRsets that follow from a schedule: every version of the DS RRset, the DNSKEY RRset and the signatures of the zone that a server may give,
//! and until when a cache may hold it.

mod changes;
mod track;

use std::collections::BTreeSet;

use key_metadata::Time;
use serde::Serialize;

use self::track::{MOST_AT_ONCE, track};
use crate::schedule::{CauseIndex, KeyIndex, Schedule};

/// One of the three things that a validator needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rrset {
    /// The DS RRset at the parent, or its absence.
    Ds,
    /// The DNSKEY RRset with its RRSIGs, or its absence.
    Dnskey,
    /// Any other RRset of the zone with its RRSIGs.
    Zone,
}

/// A version of an RRset, as some resolver may have got it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Version {
    /// Of what.
    pub rrset: Rrset,
    /// The keys that are in it: the DS records', the DNSKEY records'. None for the zone.
    pub keys: BTreeSet<KeyIndex>,
    /// The keys whose RRSIGs are with it. None for the DS RRset, which the parent signs.
    pub signers: BTreeSet<KeyIndex>,
    /// Those of the keys that have the REVOKE bit.
    pub revoked: BTreeSet<KeyIndex>,
    /// Before this no server gives it.
    pub from: Time,
    /// From this on the first server gives another one; never, where there is nothing.
    pub until: Option<Time>,
    /// From this on no cache holds it: `until`, propagation and TTL; never, where there is nothing.
    pub held_until: Option<Time>,
    /// From when until when nothing else can be there: outside the windows of the changes around it. Empty where it is only one of
    /// several that may be there.
    pub settled: Option<(Time, Option<Time>)>,
    /// The change that completes it; nothing, where it was there when the schedule began.
    pub cause: Option<CauseIndex>,
    /// The change that ends it; nothing, where it stays.
    pub ended_by: Option<CauseIndex>,
}

/// All versions of each RRset, by when they come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Versions {
    /// Of the DS RRset.
    pub ds: Vec<Version>,
    /// Of the DNSKEY RRset.
    pub dnskey: Vec<Version>,
    /// Of the zone's signatures.
    pub zone: Vec<Version>,
}

/// Why no versions follow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VersionsError {
    /// So many changes whose time is unknown that they might come in any of thousands of orders.
    #[error(
        "{count} changes of one RRset may come in any order between {from} and {by}; at most {MOST_AT_ONCE} are followed"
    )]
    TooManyAtOnce {
        /// How many.
        count: usize,
        /// From when.
        from: Time,
        /// Until when.
        by: Time,
    },
    /// A change that is done before it can begin.
    #[error("{what} is done by {by}, before {from} where it begins")]
    Backwards {
        /// The cause.
        what: String,
        /// Its `from`.
        from: Time,
        /// Its `by`.
        by: Time,
    },
}

impl key_metadata::Advice for VersionsError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::TooManyAtOnce { .. } => {
                "tell the times of the changes more exactly, or leave some time between them".to_owned()
            }
            Self::Backwards { .. } => "correct the times of this change".to_owned(),
        })
    }

    fn is_credential(&self) -> bool {
        false
    }
}

impl Versions {
    /// What follows from a schedule.
    pub fn of(schedule: &Schedule) -> Result<Self, VersionsError> {
        Ok(Self {
            ds: track(schedule, Rrset::Ds)?,
            dnskey: track(schedule, Rrset::Dnskey)?,
            zone: track(schedule, Rrset::Zone)?,
        })
    }
}

impl Version {
    /// Whether some cache may hold it at that time.
    pub fn is_held(&self, at: Time) -> bool {
        self.from <= at && self.held_until.is_none_or(|until| at < until)
    }
}
