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
const ONE_CHANGE: u32 = 60;

/// Where a step may follow another one sooner, only what is done within that time is one change.
fn one_change(figures: &Figures) -> u32 {
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
    /// What the records say.
    pub fn of(zone: &ZoneKeys, figures: &Figures, now: Time) -> Self {
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
        events.sort_by_key(|(at, ..)| *at);
        let window = one_change(figures);
        let is_one = |(first, ..): &(Time, usize, Stage), (next, ..): &(Time, usize, Stage)| {
            next == first || next.since(*first).seconds() < window
        };
        let mut rest = events.as_slice();
        while let Some(first) = rest.first() {
            let together = rest.iter().take_while(|event| is_one(first, event)).count();
            let (group, later) = rest.split_at(together);
            rest = later;
            past.change(group, &imported);
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
                    key.set(
                        stage,
                        Stamp {
                            by: Some(by),
                            ..stamp
                        },
                    );
                }
            }
        }
    }

    /// Lets something happen that is one change. It is there when the last of it is done.
    fn change(&mut self, group: &[(Time, usize, Stage)], imported: &BTreeSet<usize>) {
        let Some(at) = group.iter().map(|(at, ..)| *at).max() else {
            return;
        };
        let cause = CauseIndex(self.causes.len());
        let mut told = Vec::new();
        for (_, index, stage) in group {
            let Some(key) = self.keys.get_mut(*index) else {
                continue;
            };
            told.push(format!("{} {}", key.label, stage.happened()));
            // What another signer had published when the records began is there for sure.
            let by = (at <= self.since && imported.contains(index)).then_some(at);
            key.set(*stage, Stamp { at, by, cause });
        }
        self.causes.push(told.join(", "));
    }
}

/// Where a zone was taken over from another signer, the records begin with that: what the zone's caches held before they do not know.
fn since(zone: &ZoneKeys, now: Time) -> Time {
    let imported = zone
        .history()
        .iter()
        .filter(|entry| entry.action == Action::Import)
        .map(|entry| entry.at);
    // Before the first key was made there was none, even if it was published in the same second.
    let made = zone
        .keys()
        .iter()
        .map(|key| key.times.generated.before(Span::from_seconds(1)));
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
