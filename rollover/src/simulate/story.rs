//! What an RRset has in it when, once it is known when in its window each change comes.
//!
//! It follows here from the lanes of a schedule alone, and not by [`crate::rrsets`], which is put to the test with it.

use std::collections::BTreeSet;

use key_metadata::{Span, Time};

use super::authority::RrsetName;
use super::clock::{Clock, Lapse, Moment};
use super::servers::Records;
use crate::schedule::{CauseIndex, Event, KeyIndex, KeyLanes, Lane, Schedule};

/// How long the RRsets of a zone are kept, beside the DNSKEY RRset, in hundredths of the longest.
const TTLS: [i64; 3] = [100, 50, 10];

fn share(number: usize) -> i64 {
    TTLS.get(number).map_or(100, |hundredths| *hundredths)
}

/// How long one of them is kept, of the longest.
pub fn ttl_of_data(longest: Lapse, number: usize) -> Lapse {
    longest.percent(share(number)).whole_seconds()
}

/// How many they are.
pub const RRSETS: usize = TTLS.len();

/// Before anything.
pub const BEFORE: Moment = Moment(i64::MIN);

/// A change: events of one RRset with one cause and one window are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChangeOf {
    /// Before this it does not come.
    pub from: Moment,
    /// At this it has come.
    pub by: Moment,
    /// What makes it.
    pub cause: CauseIndex,
}

/// Something that is in an RRset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Key(KeyIndex),
    Signer(KeyIndex),
    Revoked(KeyIndex),
}

/// From when until when it is there.
#[derive(Debug)]
struct There {
    part: Part,
    from: Moment,
    until: Option<Moment>,
}

/// What is in an RRset when, and how long it is kept.
#[derive(Debug)]
pub struct Story<'a> {
    /// Which RRset.
    pub name: RrsetName,
    schedule: &'a Schedule,
    clock: Clock,
    there: Vec<There>,
}

/// A clock that begins when anything of a schedule may change for the first time.
pub fn clock_of(schedule: &Schedule) -> Clock {
    let events = schedule.keys.iter().flat_map(KeyLanes::events);
    let open = events.filter(|event| event.by > schedule.since);
    let begin = open.map(|event| event.from).chain([schedule.since]).min();
    Clock::new(begin.map_or(schedule.since, |begin| begin))
}

/// The longest TTL of a schedule.
pub fn longest_ttl(schedule: &Schedule) -> Lapse {
    let caching = &schedule.caching;
    let all = [&caching.ds, &caching.dnskey, &caching.zone];
    let ttls = all.into_iter().flatten().map(|(_, ttl)| Lapse::from(*ttl));
    ttls.max().map_or(Lapse::NONE, |ttl| ttl)
}

impl ChangeOf {
    fn new(event: Event, clock: Clock) -> Self {
        Self {
            from: clock.moment(event.from),
            by: clock.moment(event.by),
            cause: event.cause,
        }
    }
}

/// The lanes of a key that tell what is in an RRset.
fn lanes(name: RrsetName, index: KeyIndex, key: &KeyLanes) -> Vec<(Part, &Lane)> {
    match name {
        RrsetName::Ds => vec![(Part::Key(index), &key.ds)],
        RrsetName::Dnskey => vec![
            (Part::Key(index), &key.dnskey),
            (Part::Signer(index), &key.dnskey_rrsig),
        ],
        RrsetName::Data(_) => vec![(Part::Signer(index), &key.zone_rrsig)],
    }
}

/// From when until when something is in an RRset, by the events that bring and take it.
fn events(schedule: &Schedule, name: RrsetName) -> Vec<(Part, Event, Option<Event>)> {
    let mut events = Vec::new();
    for (place, key) in schedule.keys.iter().enumerate() {
        let index = KeyIndex(place);
        for (part, lane) in lanes(name, index, key) {
            events.extend(
                lane.0
                    .iter()
                    .map(|presence| (part, presence.begins, presence.ends)),
            );
        }
        if let (RrsetName::Dnskey, Some(revoked)) = (name, key.revoked) {
            events.push((Part::Revoked(index), revoked, None));
        }
    }
    events
}

/// The changes of an RRset that may come after a schedule has begun.
pub fn open_changes(schedule: &Schedule, clock: Clock, name: RrsetName) -> BTreeSet<ChangeOf> {
    events(schedule, name)
        .into_iter()
        .flat_map(|(_, begins, ends)| [Some(begins), ends])
        .flatten()
        .filter(|event| event.by > schedule.since)
        .map(|event| ChangeOf::new(event, clock))
        .collect()
}

impl<'a> Story<'a> {
    /// The story that each change makes that comes at its `instant`. What was there when the schedule began was always there.
    pub fn new(
        (schedule, clock): (&'a Schedule, Clock),
        name: RrsetName,
        mut instant: impl FnMut(ChangeOf) -> Moment,
    ) -> Self {
        let mut at = |event: Event| match event.by <= schedule.since {
            true => BEFORE,
            false => instant(ChangeOf::new(event, clock)),
        };
        let there = events(schedule, name)
            .into_iter()
            .map(|(part, begins, ends)| There {
                part,
                from: at(begins),
                until: ends.map(&mut at),
            })
            // What goes before it comes is never there.
            .filter(|there| there.until.is_none_or(|until| until > there.from))
            .collect();
        Self {
            name,
            schedule,
            clock,
            there,
        }
    }

    /// What is in it at a time.
    pub fn records(&self, at: Moment) -> Records {
        let mut records = Records::default();
        let here = self.there.iter().filter(|there| there.from <= at);
        for there in here.filter(|there| there.until.is_none_or(|until| at < until)) {
            match there.part {
                Part::Key(key) => records.keys.insert(key),
                Part::Signer(key) => records.signers.insert(key),
                Part::Revoked(key) => records.revoked.insert(key),
            };
        }
        // The bit is in the DNSKEY.
        let Records { keys, revoked, .. } = &mut records;
        revoked.retain(|key| keys.contains(key));
        records
    }

    /// The TTL that it is published with at a time.
    pub fn ttl(&self, at: Moment) -> Lapse {
        let records = self.records(at);
        let caching = &self.schedule.caching;
        let (ttls, hundredths): (&[(Time, Span)], _) = match self.name {
            RrsetName::Ds => (&caching.ds, 100),
            // That there is no DNSKEY is kept as long as other answers of the zone that something is not there.
            RrsetName::Dnskey if records.keys.is_empty() && records.signers.is_empty() => {
                (&caching.zone, 100)
            }
            RrsetName::Dnskey => (&caching.dnskey, 100),
            RrsetName::Data(number) => (&caching.zone, share(number)),
        };
        let last = ttls.iter().rev().find(|(from, _)| self.clock.moment(*from) <= at);
        let ttl = last
            .or(ttls.first())
            .map_or(Lapse::NONE, |(_, ttl)| Lapse::from(*ttl));
        ttl.percent(hundredths).whole_seconds()
    }

    /// When it changes, or its TTL does, in the order of time.
    pub fn changes(&self) -> BTreeSet<Moment> {
        let content = self
            .there
            .iter()
            .flat_map(|there| [Some(there.from), there.until]);
        let caching = &self.schedule.caching;
        let ttls = match self.name {
            RrsetName::Ds => [&caching.ds, &caching.ds],
            RrsetName::Dnskey => [&caching.dnskey, &caching.zone],
            RrsetName::Data(_) => [&caching.zone, &caching.zone],
        };
        let ttls = ttls.into_iter().flat_map(|ttls| ttls.iter().skip(1));
        let ttls = ttls.map(|(from, _)| self.clock.moment(*from));
        content.flatten().filter(|at| *at > BEFORE).chain(ttls).collect()
    }
}
