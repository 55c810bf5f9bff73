//! The same by trying every set of changes, and every pair of versions.

use std::collections::{BTreeMap, BTreeSet};

use key_metadata::{Span, Time};
use rollover::chain::incomplete;
use rollover::prove::Fault;
use rollover::rrsets::{Rrset, Version, Versions};
use rollover::schedule::{CauseIndex, Event, KeyIndex, Lane, Schedule, Silence, Silenced};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Key(KeyIndex),
    Signer(KeyIndex),
    Revoked(KeyIndex),
}

/// From, by and cause, which are one change.
type When = (Time, Time, CauseIndex);

/// What each change takes away and brings.
fn changes(schedule: &Schedule, rrset: Rrset) -> BTreeMap<When, (BTreeSet<Part>, BTreeSet<Part>)> {
    let mut changes: BTreeMap<When, (BTreeSet<Part>, BTreeSet<Part>)> = BTreeMap::new();
    let when = |event: Event| (event.from, event.by, event.cause);
    for (place, key) in schedule.keys.iter().enumerate() {
        let key_index = KeyIndex(place);
        let lanes: Vec<(Part, &Lane)> = match rrset {
            Rrset::Ds => vec![(Part::Key(key_index), &key.ds)],
            Rrset::Dnskey => vec![
                (Part::Key(key_index), &key.dnskey),
                (Part::Signer(key_index), &key.dnskey_rrsig),
            ],
            Rrset::Zone => vec![(Part::Signer(key_index), &key.zone_rrsig)],
        };
        for (part, lane) in lanes {
            for presence in &lane.0 {
                changes.entry(when(presence.begins)).or_default().1.insert(part);
                if let Some(ends) = presence.ends {
                    changes.entry(when(ends)).or_default().0.insert(part);
                }
            }
        }
        if let (Rrset::Dnskey, Some(revoked)) = (rrset, key.revoked) {
            let part = Part::Revoked(key_index);
            changes.entry(when(revoked)).or_default().1.insert(part);
        }
    }
    changes
}

/// How many changes are not done when the schedule begins.
pub fn changes_ahead(schedule: &Schedule, rrset: Rrset) -> usize {
    let changes = changes(schedule, rrset);
    changes.keys().filter(|(_, by, _)| *by > schedule.since).count()
}

/// Versions in an order that does not hang on how they were found.
pub fn in_order(versions: &[Version]) -> Vec<String> {
    let mut lines: Vec<_> = versions.iter().map(|version| format!("{version:?}")).collect();
    lines.sort();
    lines
}

/// Each set of changes that is there before one of the others must be.
pub fn versions(schedule: &Schedule, rrset: Rrset) -> Vec<String> {
    let since = schedule.since;
    let (before, ahead): (Vec<_>, Vec<_>) = changes(schedule, rrset)
        .into_iter()
        .partition(|((_, by, _), _)| *by <= since);
    let mut found = Vec::new();
    for set in 0..1usize << ahead.len() {
        let (inside, outside): (Vec<_>, Vec<_>) = ahead
            .iter()
            .enumerate()
            .partition(|(place, _)| set & (1 << place) != 0);
        let last = inside.iter().map(|(_, (when, _))| *when).max();
        let from = last.map_or(since, |(from, ..)| from);
        let soonest = outside.iter().map(|(_, ((_, by, _), _))| *by).min();
        if soonest.is_some_and(|soonest| soonest <= from) {
            continue;
        }
        // What ends it: the first cause of those that are done then. One that comes at that instant counts only where others are under way, or
        // no other is done then.
        let ends = soonest.map(|end| {
            let at_end = outside
                .iter()
                .map(|(_, (when, _))| *when)
                .filter(|(_, by, _)| *by == end);
            let begun: Vec<_> = at_end.clone().filter(|(from, ..)| *from < end).collect();
            let is_under_way = ahead.iter().any(|((from, by, _), _)| *from < end && *by > end);
            let all = begun.is_empty() || is_under_way;
            at_end
                .filter(|when| all || begun.contains(when))
                .map(|(.., cause)| cause)
                .min()
        });
        let ended_by = ends.flatten();
        let mut parts = BTreeSet::new();
        for (_, (goes, comes)) in before.iter().chain(inside.iter().map(|(_, change)| *change)) {
            parts.retain(|part| !goes.contains(part));
            parts.extend(comes);
        }
        let those =
            |which: fn(&Part) -> Option<KeyIndex>| parts.iter().filter_map(which).collect::<BTreeSet<_>>();
        let keys = those(|part| {
            if let Part::Key(key) = part {
                Some(*key)
            } else {
                None
            }
        });
        let signers = those(|part| {
            if let Part::Signer(key) = part {
                Some(*key)
            } else {
                None
            }
        });
        let revoked = those(|part| {
            if let Part::Revoked(key) = part {
                Some(*key)
            } else {
                None
            }
        });
        // Alone: all of its own are done, and none of the others has begun.
        let done = inside.iter().map(|(_, ((_, by, _), _))| *by).max();
        let alone_from = done.map_or(since, |done| done.max(since));
        let alone_until = outside.iter().map(|(_, ((from, ..), _))| *from).min();
        let version = Version {
            rrset,
            held_until: soonest.map(|until| {
                held_until(
                    schedule,
                    rrset,
                    keys.is_empty() && signers.is_empty(),
                    from,
                    until,
                )
            }),
            revoked: revoked.intersection(&keys).copied().collect(),
            keys,
            signers,
            from,
            until: soonest,
            settled: alone_until
                .is_none_or(|until| alone_from < until)
                .then_some((alone_from, alone_until)),
            cause: last.map(|(.., cause)| cause),
            ended_by,
        };
        found.push(version);
    }
    in_order(&found)
}

/// Each hour with its TTL: what a server gives then is kept so long.
fn held_until(schedule: &Schedule, rrset: Rrset, is_absence: bool, from: Time, until: Time) -> Time {
    let (delay, ttls) = match rrset {
        Rrset::Ds => (schedule.propagation.parent, &schedule.caching.ds),
        Rrset::Dnskey if is_absence => (schedule.propagation.zone, &schedule.caching.zone),
        Rrset::Dnskey => (schedule.propagation.zone, &schedule.caching.dnskey),
        Rrset::Zone => (schedule.propagation.zone, &schedule.caching.zone),
    };
    let ttl = |at: Time| {
        let last = ttls.iter().rev().find(|(begins, _)| *begins <= at);
        last.or(ttls.first())
            .map_or(Span::from_seconds(0), |(_, ttl)| *ttl)
    };
    // All is on the hour, and an answer of the last second of one has the TTL of that hour.
    let mut held = until.after(delay);
    let mut at = from;
    while at < until {
        let end = at.after(Span::from_seconds(3600));
        held = held.max(end.min(until).after(delay).after(ttl(at)));
        at = end;
    }
    held
}

type Lasts = (Time, Option<Time>);

fn meet((from, until): Lasts, (other, other_until): Lasts) -> Option<Lasts> {
    let begins = from.max(other);
    let ends = [until, other_until].into_iter().flatten().min();
    ends.is_none_or(|ends| begins < ends).then_some((begins, ends))
}

/// All faults but mixes, each as a line, in their order.
pub fn faults(schedule: &Schedule, versions: &Versions) -> Vec<String> {
    let mut lines = Vec::new();
    for dnskey in &versions.dnskey {
        for zone in &versions.zone {
            let both = dnskey
                .settled
                .zip(zone.settled)
                .and_then(|(one, other)| meet(one, other));
            let usable: BTreeSet<_> = dnskey.keys.difference(&dnskey.revoked).copied().collect();
            let why = incomplete(schedule, &usable, dnskey, zone);
            let (Some(both), Some(why)) = (both, why) else {
                continue;
            };
            let secure =
                |ds: &&Version| !ds.keys.is_empty() && meet((ds.from, ds.held_until), both).is_some();
            if let Some(ds) = versions.ds.iter().find(secure) {
                let mix = Some(Box::new([ds.clone(), dnskey.clone(), zone.clone()]));
                let at = both.0.max(ds.from);
                lines.push(format!(
                    "{at} {:?} {:?} {mix:?}",
                    both.1,
                    Fault::Incomplete { why }
                ));
            }
        }
    }
    let none: Option<Box<[Version; 3]>> = None;
    for (rrset, left, ttls, versions) in [
        (
            Rrset::Dnskey,
            schedule.signatures.dnskey,
            &schedule.caching.dnskey,
            &versions.dnskey,
        ),
        (
            Rrset::Zone,
            schedule.signatures.zone,
            &schedule.caching.zone,
            &versions.zone,
        ),
    ] {
        let signed = || versions.iter().filter(|version| !version.signers.is_empty());
        let propagation = schedule.propagation.zone.seconds();
        for (place, (from, ttl)) in ttls.iter().enumerate() {
            let until = ttls.get(place + 1).map(|(next, _)| *next);
            let needs = Span::from_seconds(propagation + ttl.seconds().max(1));
            let meets = |version: &Version| meet((*from, until), (version.from, version.until)).is_some();
            if left < needs && signed().any(meets) {
                let at = (*from).max(schedule.since);
                lines.push(format!(
                    "{at} {until:?} {:?} {none:?}",
                    Fault::Expiry { rrset, left, needs }
                ));
            }
        }
        let longest = ttls.iter().map(|(_, ttl)| ttl.seconds().max(1)).max().unwrap();
        let concerns = |silence: &&Silence| {
            matches!(
                (silence.of, rrset),
                (Silenced::All, _) | (Silenced::Dnskey, Rrset::Dnskey) | (Silenced::Zone, Rrset::Zone)
            )
        };
        let silences: Vec<_> = schedule.silences.iter().filter(concerns).collect();
        let reaches = |end: Option<Time>, at: Time| end.is_none_or(|end| at <= end);
        for (place, silence) in silences.iter().enumerate() {
            let from = silence.from;
            // One that another one goes on into is that one's.
            let before = silences
                .iter()
                .enumerate()
                .any(|(other, before)| (before.from, other) < (from, place) && reaches(before.until, from));
            if before {
                continue;
            }
            let mut end = silence.until;
            for _ in &silences {
                for next in &silences {
                    if next.from >= from && reaches(end, next.from) {
                        end = end.zip(next.until).map(|(end, until)| end.max(until));
                    }
                }
            }
            let expires = from.after(left);
            let again = end.map(|end| end.after(Span::from_seconds(propagation + longest)));
            let late = again.is_none_or(|again| again > expires);
            if late && signed().any(|version| version.is_held(from)) {
                lines.push(format!(
                    "{expires} {again:?} {:?} {none:?}",
                    Fault::Outage { rrset, expires }
                ));
            }
        }
    }
    lines.sort();
    lines
}
