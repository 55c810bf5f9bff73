//! What a zone's records say of the past: the keys of a plan as they are when it begins.

use key_metadata::history::HistoryEntry;
use key_metadata::{Action, KeyRecord, Time, ZoneKeys};

use super::key::{PlannedKey, Stage, Stamp};
use crate::schedule::{AlgorithmNumber, CauseIndex};

/// The keys of a zone, when what is known of them begins, and what made each change.
pub struct Past {
    /// The keys, destroyed ones excepted.
    pub keys: Vec<PlannedKey>,
    /// When it begins: what was published then was in every cache.
    pub since: Time,
    /// What made the changes.
    pub causes: Vec<String>,
}

/// Commands that follow each other within a minute are one change: those of a step are taken together, and no signer runs between them.
const ONE_CHANGE: u32 = 60;

impl Past {
    /// What the records say.
    pub fn of(zone: &ZoneKeys, now: Time) -> Self {
        let since = since(zone, now);
        let mut past = Self {
            keys: Vec::new(),
            since,
            causes: Vec::new(),
        };
        let records: Vec<_> = zone
            .keys()
            .iter()
            .filter(|key| key.times.destroyed.is_none())
            .collect();
        let mut events: Vec<(Time, usize, Stage)> = Vec::new();
        for (index, record) in records.iter().enumerate() {
            past.keys.push(key(record));
            for (stage, at) in stages(record, is_imported(zone, record)) {
                events.push((at, index, stage));
            }
        }
        events.sort_by_key(|(at, _, stage)| (*at, ends(*stage)));
        // What is seen is no command.
        let is_seen = |stage: Stage| matches!(stage, Stage::Registered | Stage::DsGone);
        let (seen, done): (Vec<_>, Vec<_>) = events.into_iter().partition(|(.., stage)| is_seen(*stage));
        for change in seen.chunks(1).chain(changes(&done)) {
            past.enter(change);
        }
        past
    }

    /// Enters what happened in one change.
    fn enter(&mut self, change: &[(Time, usize, Stage)]) {
        let (Some((from, ..)), Some((at, ..))) = (change.first(), change.last()) else {
            return;
        };
        let cause = CauseIndex(self.causes.len());
        let mut what = Vec::new();
        for (own, index, stage) in change {
            let Some(key) = self.keys.get_mut(*index) else {
                continue;
            };
            what.push(format!("{} {}", key.label, stage.happened()));
            // What was there when the records began is there for sure.
            let by = (*own <= self.since).then_some(*own);
            let stamp = Stamp {
                from: *from,
                at: *at,
                by,
                cause,
            };
            key.set(*stage, stamp);
        }
        self.causes.push(what.join(", "));
    }
}

/// Whether something of the key goes.
const fn ends(stage: Stage) -> bool {
    match stage {
        Stage::Retired
        | Stage::DsWithdrawn
        | Stage::DsGone
        | Stage::PostActive
        | Stage::Removed
        | Stage::Destroyed => true,
        Stage::Generated
        | Stage::PreActive
        | Stage::Published
        | Stage::Submitted
        | Stage::Registered
        | Stage::Active
        | Stage::Revoked => false,
    }
}

/// Commands as changes, each of what begins within a minute. What happens to a key later, or to what has just come of it, is another change.
fn changes(mut events: &[(Time, usize, Stage)]) -> impl Iterator<Item = &[(Time, usize, Stage)]> {
    std::iter::from_fn(move || {
        let (began, ..) = events.first()?;
        let is_of_it = |place: usize| {
            events.get(place).is_some_and(|(at, key, stage)| {
                let again = |(before, same, first): &(Time, usize, Stage)| {
                    same == key && (before != at || ends(*stage) != ends(*first))
                };
                at.since(*began).seconds() < ONE_CHANGE && !events.iter().take(place).any(again)
            })
        };
        let length = (1..).find(|place| !is_of_it(*place)).map_or(1, |length| length);
        let (change, rest) = events.split_at(length);
        events = rest;
        Some(change)
    })
}

/// Where a zone was taken over from another signer, the records begin with that: what the zone's caches held before they do not know.
fn since(zone: &ZoneKeys, now: Time) -> Time {
    let imported = zone
        .history()
        .iter()
        .filter(|entry| entry.action == Action::Import)
        .map(|entry| entry.at);
    let made = zone.keys().iter().map(|key| key.times.generated);
    imported.max().or(made.min()).map_or(now, |since| since.min(now))
}

fn is_imported(zone: &ZoneKeys, record: &KeyRecord) -> bool {
    let of_key = |entry: &&HistoryEntry| entry.key == record.id && entry.action == Action::Import;
    zone.history().iter().any(|entry| of_key(&entry))
}

fn key(record: &KeyRecord) -> PlannedKey {
    let tag = record.key_tag();
    let label = format!("{} {tag}", record.role);
    let number = AlgorithmNumber(record.algorithm().number());
    let mut key = PlannedKey::new(label, record.role, number);
    key.id = Some(record.id);
    key.tag = Some(tag);
    key
}

/// What happened to a key, by its record.
fn stages(record: &KeyRecord, imported: bool) -> Vec<(Stage, Time)> {
    let times = &record.times;
    let (has_ds, signs_zone) = (record.role.signs_dnskey(), record.role.signs_zone());
    // A key that was taken over is active without its DS having been submitted here.
    let submitted = times.submitted.or(times.active.filter(|_| imported));
    // The parent takes a DS out when that is asked for, or when it sees by the CDS that it is not wanted.
    let withdrawn = [
        times.retired,
        times.retire_active,
        times.removed.filter(|_| submitted.is_some()),
    ];
    let of = |stage: Stage, at: Option<Time>| at.map(|at| (stage, at));
    [
        of(Stage::Generated, Some(times.generated)),
        // That of a KSK is its DS, which is at the parent first.
        of(Stage::PreActive, times.pre_active.filter(|_| signs_zone)),
        of(Stage::Published, times.published.or(times.active)),
        of(Stage::Submitted, submitted.filter(|_| has_ds)),
        of(Stage::Registered, times.registered),
        of(Stage::Active, times.active),
        of(Stage::Retired, times.retired),
        of(
            Stage::DsWithdrawn,
            withdrawn.into_iter().flatten().min().filter(|_| has_ds),
        ),
        of(Stage::DsGone, times.deregistered),
        of(Stage::PostActive, times.post_active),
        of(Stage::Revoked, times.revoked),
        of(Stage::Removed, times.removed),
    ]
    .into_iter()
    .flatten()
    .collect()
}
