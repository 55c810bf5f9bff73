//! The versions of an RRset, by a sweep over the instants at which a change may begin.

use std::collections::{BTreeMap, BTreeSet};

use key_metadata::Time;

use super::changes::{Change, Part, changes};
use super::{Rrset, Version, VersionsError};
use crate::schedule::{CauseIndex, KeyIndex, Schedule};

/// 2^10 versions at one instant.
pub const MOST_AT_ONCE: usize = 10;

/// The versions of an RRset, by when they come.
///
/// Changes whose windows overlap may come in any order: at an instant those are done whose windows have ended, and of those whose windows are
/// open any may be. Each such set of changes is a version, which is there from the latest beginning of its own until the earliest end of the
/// others. It is found at that beginning, so that what is looked at is what can be there, however long the chain of windows is.
pub fn track(schedule: &Schedule, rrset: Rrset) -> Result<Vec<Version>, VersionsError> {
    let since = schedule.since;
    let (before, later): (Vec<_>, Vec<_>) = changes(schedule, rrset)?
        .into_iter()
        .partition(|change| change.by <= since);
    let later = in_groups(&later);
    let next_ends = next_ends(&later);
    let next_end = |begun: usize| next_ends.get(begun).copied().flatten();
    let begins = |begun: usize| later.get(begun).map(|next| next.change.from);
    let mut done = Done::default();
    for change in &before {
        done.content.take(change, |_| true);
    }
    let mut versions = vec![version(
        schedule,
        rrset,
        done.with(&[]),
        (since, None),
        next_end(0),
        alone(since, begins(0)),
    )];
    let mut open: Vec<Ahead<'_>> = Vec::new();
    // So many have begun, and all of them are done by then.
    let (mut begun, mut by) = (0, since);
    for beginning in later.chunk_by(|one, other| one.change.from == other.change.from) {
        let Some(at) = begins(begun) else { break };
        begun += beginning.len();
        by = beginning.iter().map(|ahead| ahead.change.by).fold(by, Time::max);
        open.retain(|ahead| !done.takes(ahead, at));
        let older = open.len();
        open.extend(beginning.iter().filter(|ahead| !done.takes(ahead, at)));
        let all = all_of(&open, at)?;
        let at_once = open.len() < older + beginning.len();
        for set in 0..=all {
            // With nothing that begins here it was there before.
            if !at_once && set >> older == 0 {
                continue;
            }
            let (inside, outside) = split(&open, set);
            let last = inside
                .last()
                .into_iter()
                .chain(&done.last)
                .max_by_key(|ahead| ahead.place);
            versions.push(version(
                schedule,
                rrset,
                done.with(&inside),
                (at, last.map(|last| last.change.cause)),
                outside.iter().map(Ahead::end).chain(next_end(begun)).min(),
                alone(by, begins(begun)).filter(|_| set == all),
            ));
        }
    }
    versions.sort_by_key(|version| version.from);
    Ok(versions)
}

/// A change that is not done when the schedule begins.
#[derive(Clone, Copy)]
struct Ahead<'a> {
    /// Its place among them: of two that change the same, the later one counts.
    place: usize,
    /// The number of its group: the windows of a group overlap, one with the other, and no two groups do.
    group: usize,
    change: &'a Change,
}

/// When a change is done for sure. Of those that are at one time the group that began first ends a version, in it the first cause.
type End = (Time, usize, CauseIndex);

impl Ahead<'_> {
    fn end(&self) -> End {
        (self.change.by, self.group, self.change.cause)
    }
}

fn in_groups(changes: &[Change]) -> Vec<Ahead<'_>> {
    let mut group = 0;
    let mut by: Option<Time> = None;
    let places = changes.iter().enumerate();
    places
        .map(|(place, change)| {
            if by.is_some_and(|by| by <= change.from) {
                group += 1;
            }
            by = by.max(Some(change.by));
            Ahead { place, group, change }
        })
        .collect()
}

/// For each place, which of the changes from there on is done first.
fn next_ends(later: &[Ahead<'_>]) -> Vec<Option<End>> {
    let mut ends: Vec<_> = later
        .iter()
        .rev()
        .scan(None::<End>, |first, ahead| {
            *first = Some(first.map_or(ahead.end(), |first| first.min(ahead.end())));
            Some(*first)
        })
        .collect();
    ends.reverse();
    ends
}

/// The set of all that are open, as the bits of a number.
fn all_of(open: &[Ahead<'_>], at: Time) -> Result<usize, VersionsError> {
    match open.len() {
        ..=MOST_AT_ONCE => Ok((1 << open.len()) - 1),
        count => Err(VersionsError::TooManyAtOnce {
            count,
            from: at,
            by: open.iter().map(|ahead| ahead.change.by).min().map_or(at, |by| by),
        }),
    }
}

/// Those that are in a set, and those that are not.
fn split<'a>(open: &[Ahead<'a>], set: usize) -> (Vec<Ahead<'a>>, Vec<Ahead<'a>>) {
    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    for (place, ahead) in open.iter().enumerate() {
        match set & (1 << place) {
            0 => outside.push(*ahead),
            _ => inside.push(*ahead),
        }
    }
    (inside, outside)
}

/// From when until when nothing else can be there, if all windows that began are over by then and the next one begins then.
fn alone(by: Time, next: Option<Time>) -> Option<(Time, Option<Time>)> {
    next.is_none_or(|next| by < next).then_some((by, next))
}

/// What is in a version.
#[derive(Clone, Default)]
struct Content {
    keys: BTreeSet<KeyIndex>,
    signers: BTreeSet<KeyIndex>,
    revoked: BTreeSet<KeyIndex>,
}

impl Content {
    /// Takes what counts of a change.
    fn take(&mut self, change: &Change, mut counts: impl FnMut(Part) -> bool) {
        for part in change.goes.iter().filter(|part| counts(**part)) {
            match part {
                Part::Key(key) => self.keys.remove(key),
                Part::Signer(key) => self.signers.remove(key),
                Part::Revoked(key) => self.revoked.remove(key),
            };
        }
        for part in change.comes.iter().filter(|part| counts(**part)) {
            match part {
                Part::Key(key) => self.keys.insert(*key),
                Part::Signer(key) => self.signers.insert(*key),
                Part::Revoked(key) => self.revoked.insert(*key),
            };
        }
    }
}

/// What is done for sure.
#[derive(Default)]
struct Done<'a> {
    content: Content,
    /// The place of the last change of each part.
    parts: BTreeMap<Part, usize>,
    /// The last change of all.
    last: Option<Ahead<'a>>,
}

impl<'a> Done<'a> {
    /// Takes a change, if its window has ended by that time, and tells whether it has.
    fn takes(&mut self, ahead: &Ahead<'a>, at: Time) -> bool {
        if ahead.change.by > at {
            return false;
        }
        let (parts, place) = (&mut self.parts, ahead.place);
        self.content.take(ahead.change, |part| {
            let last = parts.entry(part).or_insert(place);
            *last = place.max(*last);
            *last == place
        });
        if self.last.is_none_or(|last| last.place < place) {
            self.last = Some(*ahead);
        }
        true
    }

    /// What is in a version in which these are done too.
    fn with(&self, open: &[Ahead<'_>]) -> Content {
        let mut here = Content {
            keys: self.content.keys.clone(),
            signers: self.content.signers.clone(),
            revoked: BTreeSet::new(),
        };
        for ahead in open {
            let is_last = |part| self.parts.get(&part).is_none_or(|last| *last < ahead.place);
            here.take(ahead.change, is_last);
        }
        // The bit never goes again, and counts for nothing without the key: those of keys that are gone are not carried on.
        let is_revoked = |key: &&KeyIndex| here.revoked.contains(key) || self.content.revoked.contains(key);
        here.revoked = here.keys.iter().filter(is_revoked).copied().collect();
        here
    }
}

fn version(
    schedule: &Schedule,
    rrset: Rrset,
    content: Content,
    (from, cause): (Time, Option<CauseIndex>),
    end: Option<End>,
    settled: Option<(Time, Option<Time>)>,
) -> Version {
    let until = end.map(|(until, ..)| until);
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
        ended_by: end.map(|(.., cause)| cause),
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
    // A server that is behind has both as they were: no version has a TTL that came after it had gone, or went before it came.
    let later = ttls.get(1..).map_or(&[][..], |later| later);
    let first = later.partition_point(|(begins, _)| *begins <= from);
    let given = ttls.iter().enumerate().skip(first);
    given
        .take_while(|(place, (begins, _))| *place == 0 || *begins < until)
        .map(|(place, (_, ttl))| {
            let next = ttls.get(place + 1).map(|(next, _)| *next);
            let last = next.map_or(until, |next| next.min(until)).after(delay);
            last.after(*ttl)
        })
        .max()
        .map_or(served, |held| held.max(served))
}
