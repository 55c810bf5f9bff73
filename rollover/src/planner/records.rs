//! What a zone's records say of the past: the keys of a plan as they are when it begins.

use std::collections::BTreeSet;

use key_metadata::history::HistoryEntry;
use key_metadata::timing::{Figure, Figures};
use key_metadata::{Action, KeyRecord, Span, Time, ZoneKeys};

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
pub const ONE_CHANGE: u32 = 60;

/// Where a step may follow another one sooner, only what is done within that time is one change.
pub fn one_change(figures: &Figures) -> u32 {
    let seconds = |parts: [&Figure; 3]| {
        let parts = parts.into_iter().map(|part| part.span.seconds());
        parts.fold(0, u32::saturating_add)
    };
    let shortest = [
        seconds([&figures.dsgn, &figures.dprp, &figures.ttl_key]),
        seconds([&figures.dsgn, &figures.dprp, &figures.ttl_sig]),
        seconds([&figures.dreg, &figures.dprp_parent, &figures.ttl_ds]),
    ];
    shortest.into_iter().fold(ONE_CHANGE, u32::min)
}

impl Past {
    /// What the records say. What is done within `window` seconds is one change.
    pub fn of(zone: &ZoneKeys, window: u32, now: Time) -> Self {
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
        let mut imported = BTreeSet::new();
        for (index, record) in records.iter().enumerate() {
            past.keys.push(key(record));
            if is_imported(zone, record) {
                imported.insert(index);
            }
            for (stage, at) in stages(record, imported.contains(&index)) {
                events.push((at, index, stage));
            }
        }
        events.sort_by_key(|(at, _, stage)| (*at, ends(*stage)));
        // What is seen is no command.
        let is_seen = |stage: Stage| matches!(stage, Stage::Registered | Stage::DsGone);
        let (seen, done): (Vec<_>, Vec<_>) = events.into_iter().partition(|(.., stage)| is_seen(*stage));
        for change in seen.chunks(1).chain(changes(&done, window)) {
            past.enter(change, &imported);
        }
        past
    }

    /// What was done before an outage, or in it, is signed after it.
    pub fn sign_late(&mut self, figures: &Figures, outages: &[(Time, Time)]) {
        for key in &mut self.keys {
            for stage in Stage::ALL {
                let stamp = key.stamp(stage).filter(|stamp| stamp.by.is_none());
                let late = stamp.and_then(|stamp| stage.signed_late(stamp.at, figures, outages));
                if let (Some(stamp), Some(by)) = (stamp, late) {
                    let by = Some(by);
                    key.set(stage, Stamp { by, ..stamp });
                }
            }
        }
    }

    /// When a KSK has just ceased to sign, it may have been lost before: what was published meanwhile, and waits, is in the DNSKEY RRset only since its
    /// successor signs that.
    pub fn sign_anew(&mut self, figures: &Figures, now: Time) {
        let ceased = self.keys.iter().filter(|key| key.role.signs_dnskey());
        let ceased =
            ceased.filter_map(|key| key.stamp(Stage::PostActive).or_else(|| key.stamp(Stage::Retired)));
        let Some(last) = ceased.max_by_key(|stamp| stamp.at) else {
            return;
        };
        let signed = last.by(figures);
        if now >= signed.after(figures.dprp.span).after(figures.ttl_key.span) {
            return;
        }
        for key in self.keys.iter_mut().filter(|key| !key.is(Stage::Active)) {
            let stamp = key.stamp(Stage::Published).filter(|stamp| stamp.at < last.at);
            if let Some(stamp) = stamp {
                let by = Some(stamp.by(figures).max(signed));
                key.set(Stage::Published, Stamp { by, ..stamp });
            }
        }
    }

    /// Enters what happened in one change.
    fn enter(&mut self, change: &[(Time, usize, Stage)], imported: &BTreeSet<usize>) {
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
            // What another signer had published when the records began is there for sure.
            let by = (*own <= self.since && imported.contains(index)).then_some(*own);
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
fn changes(
    mut events: &[(Time, usize, Stage)],
    window: u32,
) -> impl Iterator<Item = &[(Time, usize, Stage)]> {
    std::iter::from_fn(move || {
        let (began, ..) = events.first()?;
        let is_of_it = |place: usize| {
            events.get(place).is_some_and(|(at, key, stage)| {
                let again = |(before, same, first): &(Time, usize, Stage)| {
                    same == key && (before != at || ends(*stage) != ends(*first))
                };
                (at == began || at.since(*began).seconds() < window) && !events.iter().take(place).any(again)
            })
        };
        let length = (1..).find(|place| !is_of_it(*place)).map_or(1, |length| length);
        // What was done at one time is not taken apart: it may be two halves of one step.
        let at = |place: usize| events.get(place).map(|(at, ..)| *at);
        let length = match at(length) {
            Some(next) if next > *began => events.iter().take_while(|(at, ..)| *at < next).count(),
            Some(_) | None => length,
        };
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
    // Before the first key was made there was none, even if it was published in the same second; nor was there before one that is to be made now.
    let before = |time: Time| time.before(Span::from_seconds(1));
    let made = zone.keys().iter().map(|key| before(key.times.generated));
    let known = imported.max().or(made.min());
    known.map_or(before(now), |since| since.min(now))
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
