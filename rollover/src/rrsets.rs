//! The RRsets that follow from a schedule: every version of the DS RRset, the DNSKEY RRset and the signatures of the zone that a server may give,
//! and until when a cache may hold it.

use std::collections::BTreeSet;

use key_metadata::Time;
use serde::Serialize;

use crate::schedule::{CauseIndex, Event, KeyIndex, KeyLanes, Lane, Schedule};

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

/// 2^10 versions between two instants.
const MOST_AT_ONCE: usize = 10;

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

/// What can be in a version, or not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Key(KeyIndex),
    Signer(KeyIndex),
    Revoked(KeyIndex),
}

/// Parts that come or go together.
struct Change {
    from: Time,
    by: Time,
    cause: CauseIndex,
    comes: Vec<Part>,
    goes: Vec<Part>,
}

/// What is in a version.
#[derive(Clone, Default)]
struct Content {
    keys: BTreeSet<KeyIndex>,
    signers: BTreeSet<KeyIndex>,
    revoked: BTreeSet<KeyIndex>,
}

impl Content {
    fn apply(&mut self, change: &Change) {
        for part in &change.goes {
            match part {
                Part::Key(key) => self.keys.remove(key),
                Part::Signer(key) => self.signers.remove(key),
                Part::Revoked(key) => self.revoked.remove(key),
            };
        }
        for part in &change.comes {
            match part {
                Part::Key(key) => self.keys.insert(*key),
                Part::Signer(key) => self.signers.insert(*key),
                Part::Revoked(key) => self.revoked.insert(*key),
            };
        }
    }
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

/// Every change of an RRset, in the order of time: first what ends, then what begins.
fn changes(schedule: &Schedule, rrset: Rrset) -> Result<Vec<Change>, VersionsError> {
    let mut changes: Vec<Change> = Vec::new();
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
    for (event, part, comes) in events {
        if event.by < event.from {
            return Err(VersionsError::Backwards {
                what: schedule.cause_name(event.cause).to_owned(),
                from: event.from,
                by: event.by,
            });
        }
        let same =
            |last: &&mut Change| last.cause == event.cause && last.from == event.from && last.by == event.by;
        let change = match changes.last_mut().filter(same) {
            Some(change) => change,
            None => {
                changes.push(Change {
                    from: event.from,
                    by: event.by,
                    cause: event.cause,
                    comes: Vec::new(),
                    goes: Vec::new(),
                });
                match changes.last_mut() {
                    Some(change) => change,
                    None => continue,
                }
            }
        };
        match comes {
            true => change.comes.push(part),
            false => change.goes.push(part),
        }
    }
    Ok(changes)
}

/// The versions of an RRset.
///
/// Changes whose windows overlap may come in any order, so that each set of them may be there alone; a set is there from the latest
/// beginning of its own changes until the earliest end of the others.
fn track(schedule: &Schedule, rrset: Rrset) -> Result<Vec<Version>, VersionsError> {
    let changes = changes(schedule, rrset)?;
    let (before, later): (Vec<_>, Vec<_>) = changes
        .into_iter()
        .partition(|change| change.by <= schedule.since);
    let mut content = Content::default();
    for change in &before {
        content.apply(change);
    }
    let mut versions = Vec::new();
    // What is there for sure until the next cluster, since when, since when alone, and what made it.
    let mut settled = (schedule.since, schedule.since, None);
    let mut rest = later.as_slice();
    while let Some(first) = rest.first() {
        let (mut length, mut by) = (1, first.by);
        while let Some(next) = rest.get(length).filter(|next| next.from < by) {
            by = by.max(next.by);
            length += 1;
        }
        let (cluster, behind) = rest.split_at(length);
        rest = behind;
        if length > MOST_AT_ONCE {
            return Err(VersionsError::TooManyAtOnce {
                count: length,
                from: first.from,
                by,
            });
        }
        let all = (1usize << length) - 1;
        for set in 0..all {
            let outside = cluster
                .iter()
                .enumerate()
                .filter(|(place, _)| set & (1 << place) == 0);
            let next = outside.map(|(_, change)| (change.by, change.cause)).min();
            let until = next.map(|(until, _)| until);
            let inside = cluster
                .iter()
                .enumerate()
                .filter(|(place, _)| set & (1 << place) != 0);
            let last = inside
                .clone()
                .map(|(_, change)| change)
                .max_by_key(|change| change.from);
            let from = last.map_or(settled.0, |change| change.from);
            if until.is_some_and(|until| until <= from) {
                continue;
            }
            let mut here = content.clone();
            inside.for_each(|(_, change)| here.apply(change));
            versions.push(version(
                schedule,
                rrset,
                here,
                (from, next),
                match set {
                    0 => (settled.1 < first.from).then_some((settled.1, Some(first.from))),
                    _ => None,
                },
                last.map_or(settled.2, |change| Some(change.cause)),
            ));
        }
        cluster.iter().for_each(|change| content.apply(change));
        let last = cluster.iter().max_by_key(|change| change.from);
        settled = (
            last.map_or(settled.0, |change| change.from),
            by,
            last.map(|change| change.cause),
        );
    }
    versions.push(version(
        schedule,
        rrset,
        content,
        (settled.0, None),
        Some((settled.1, None)),
        settled.2,
    ));
    versions.sort_by_key(|version| version.from);
    Ok(versions)
}

fn version(
    schedule: &Schedule,
    rrset: Rrset,
    content: Content,
    (from, next): (Time, Option<(Time, CauseIndex)>),
    settled: Option<(Time, Option<Time>)>,
    cause: Option<CauseIndex>,
) -> Version {
    let until = next.map(|(until, _)| until);
    let is_absence = content.keys.is_empty() && content.signers.is_empty();
    Version {
        rrset,
        held_until: until.map(|until| held_until(schedule, rrset, is_absence, from, until)),
        keys: content.keys,
        signers: content.signers,
        revoked: content.revoked,
        from,
        until,
        settled,
        cause,
        ended_by: next.map(|(_, cause)| cause),
    }
}

/// Until when a cache holds what the first server gave from `from` until `until`, with whatever TTL it gave it.
fn held_until(schedule: &Schedule, rrset: Rrset, is_absence: bool, from: Time, until: Time) -> Time {
    let (propagation, caching) = (schedule.propagation, &schedule.caching);
    let (delay, ttls) = match rrset {
        Rrset::Ds => (propagation.parent, &caching.ds),
        // No DNSKEY is a negative answer, whose TTL is among those of the zone (RFC 2308).
        Rrset::Dnskey if is_absence => (propagation.zone, &caching.zone),
        Rrset::Dnskey => (propagation.zone, &caching.dnskey),
        Rrset::Zone => (propagation.zone, &caching.zone),
    };
    let served = until.after(delay);
    ttls.iter()
        .enumerate()
        .filter_map(|(place, (begins, ttl))| {
            // A server that is behind has both as they were: no version has a TTL that came after it had gone, or went before it came.
            let next = ttls.get(place + 1).map(|(next, _)| *next);
            let is_given = (place == 0 || *begins < until) && next.is_none_or(|next| next > from);
            let last = next.map_or(until, |next| next.min(until)).after(delay);
            is_given.then(|| last.after(*ttl))
        })
        .max()
        .map_or(served, |held| held.max(served))
}
