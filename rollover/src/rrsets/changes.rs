//! The changes of an RRset: what comes and what goes, when, in one step.

use key_metadata::Time;

use super::{Rrset, VersionsError};
use crate::schedule::{CauseIndex, Event, KeyIndex, KeyLanes, Lane, Schedule};

/// What can be in a version, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Key(KeyIndex),
    Signer(KeyIndex),
    Revoked(KeyIndex),
}

/// Parts that come or go together.
#[derive(Debug)]
pub struct Change {
    /// Before this the first server does not have it.
    pub from: Time,
    /// From this on it has it for sure.
    pub by: Time,
    /// What makes it.
    pub cause: CauseIndex,
    /// What goes, before anything comes.
    pub goes: Vec<Part>,
    /// What comes.
    pub comes: Vec<Part>,
}

/// Every change of an RRset, by when it may come first, then by when it is there, then by its cause.
pub fn changes(schedule: &Schedule, rrset: Rrset) -> Result<Vec<Change>, VersionsError> {
    let mut events: Vec<(Event, Part, bool)> = Vec::new();
    for (index, key) in schedule.keys.iter().enumerate() {
        let index = KeyIndex(index);
        for (part, lane) in lanes(key, index, rrset) {
            for presence in &lane.0 {
                events.push((presence.begins, part, true));
                events.extend(presence.ends.map(|event| (event, part, false)));
            }
        }
        if let (Rrset::Dnskey, Some(event)) = (rrset, key.revoked) {
            events.push((event, Part::Revoked(index), true));
        }
    }
    events.sort_by_key(|(event, ..)| (event.from, event.by, event.cause));
    events
        .chunk_by(|(one, ..), (other, ..)| one == other)
        .filter_map(|together| {
            together
                .first()
                .map(|(event, ..)| change(schedule, *event, together))
        })
        .collect()
}

/// The change that these events are.
fn change(
    schedule: &Schedule,
    event: Event,
    together: &[(Event, Part, bool)],
) -> Result<Change, VersionsError> {
    if event.by < event.from {
        return Err(VersionsError::Backwards {
            what: schedule.cause_name(event.cause).to_owned(),
            from: event.from,
            by: event.by,
        });
    }
    let parts = |wanted: bool| {
        let those = together.iter().filter(|(_, _, comes)| *comes == wanted);
        those.map(|(_, part, _)| *part).collect()
    };
    Ok(Change {
        from: event.from,
        by: event.by,
        cause: event.cause,
        goes: parts(false),
        comes: parts(true),
    })
}

/// The lanes of a key that make an RRset.
fn lanes(key: &KeyLanes, index: KeyIndex, rrset: Rrset) -> Vec<(Part, &Lane)> {
    match rrset {
        Rrset::Ds => vec![(Part::Key(index), &key.ds)],
        Rrset::Dnskey => vec![
            (Part::Key(index), &key.dnskey),
            (Part::Signer(index), &key.dnskey_rrsig),
        ],
        Rrset::Zone => vec![(Part::Signer(index), &key.zone_rrsig)],
    }
}
