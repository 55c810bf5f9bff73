//! Schedules that are not plans of ours: what other signers tell of their keys, and what somebody wrote down of a zone.
//!
//! | module | of | what its times are |
//! |---|---|---|
//! | [`bind`] | `K*.key`, `.private` and `.state` | what named and the `dnssec-*` tools obey, and how far named is |
//! | [`knot`] | `keymgr -j ZONE list`, one list or several | what Knot did, and what it will do |
//! | [`opendnssec`] | `ods-enforcer key list` | none: how far caches are, now |
//! | [`dnst`] | the state of `dnst keyset` | what dnst was told that it saw |
//! | [`recorded`] | a history of RRsets, in YAML | what its writer knows |
//!
//! Past and future count alike: times to come are the other signer's plan. A time that is not told is a window from the earliest to the latest
//! that it can have, and what had to be taken for granted is an [`Reading::assumptions`]. All are pure functions; `now` is when it was told.
//!
//! **A signed response is one more source** (its reader is not here yet): each of its bundles is a [`Sets`] with the DNSKEY RRset and who signed
//! it, from the bundle's inception on, and [`Sets::from_then_on`] makes the changes of it.

pub mod bind;
mod circumstances;
pub mod dnst;
mod draft;
pub mod knot;
pub mod opendnssec;
pub mod recorded;
mod sets;
mod told;

use key_metadata::{Time, ZoneName};

use crate::schedule::Schedule;

pub use circumstances::{Circumstances, Software};
pub use sets::Sets;
pub use told::ToldKey;

/// A schedule, and what it takes for granted.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The schedule.
    pub schedule: Schedule,
    /// What the source does not tell and the schedule had to say, a sentence each.
    pub assumptions: Vec<String>,
}

/// Why no schedule follows from what a source tells.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// Nothing of that zone is ever published.
    #[error("no key of {zone} is ever published")]
    NoKeys {
        /// The zone.
        zone: ZoneName,
    },
    /// Something goes before it comes.
    #[error("{key}: its {what} goes at {ends}, before it comes at {begins}")]
    Backwards {
        /// The key.
        key: String,
        /// `DNSKEY`, `DS`, `RRSIG of the DNSKEY RRset` or `RRSIG of the zone`.
        what: &'static str,
        /// When it comes.
        begins: Time,
        /// When it goes.
        ends: Time,
    },
}

impl key_metadata::Advice for HistoryError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoKeys { zone } => {
                format!("check that the source is of {zone}, and has keys that are published")
            }
            Self::Backwards { key, .. } => format!("correct the times of {key} where they are kept"),
        })
    }

    fn is_credential(&self) -> bool {
        false
    }
}
