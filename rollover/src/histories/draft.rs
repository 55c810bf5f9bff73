//! What is told of keys, change by change, put together to a schedule.

use std::collections::BTreeMap;
use std::fmt::Write;

use key_metadata::{Role, Span, Time, ZoneName};

use super::{Circumstances, HistoryError, Reading};
use crate::schedule::{AlgorithmNumber, Event, KeyIndex, KeyLanes, Lane, Presence, Schedule};

/// From when until when a change can have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Window {
    pub from: Time,
    pub by: Time,
}

impl Window {
    pub const fn at(time: Time) -> Self {
        Self { from: time, by: time }
    }

    /// From one time to another, which is not before it.
    pub fn between(from: Time, by: Time) -> Self {
        Self {
            from,
            by: by.max(from),
        }
    }

    /// The same, and that much longer until it is done.
    pub fn within(self, span: Span) -> Self {
        Self::between(self.from, self.by.after(span))
    }
}

/// A lane of a key, or its REVOKE bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Dnskey,
    DnskeyRrsig,
    ZoneRrsig,
    Ds,
    Revoked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Comes,
    Goes,
}

struct Change {
    key: KeyIndex,
    part: Part,
    way: Way,
    window: Window,
}

/// Who makes a change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Zone,
    Parent,
}

/// A schedule under way.
#[derive(Default)]
pub(super) struct Draft {
    keys: Vec<KeyLanes>,
    changes: Vec<Change>,
    assumptions: Vec<String>,
}

impl Draft {
    /// A key, by role and tag; a second one of these gets a number.
    pub fn key(&mut self, role: Role, tag: u16, algorithm: AlgorithmNumber) -> KeyIndex {
        let name = format!("{role} {tag}");
        let same = self
            .keys
            .iter()
            .filter(|key| key.label == name || key.label.starts_with(&format!("{name} (")))
            .count();
        let label = match same {
            0 => name,
            before => format!("{name} ({})", before + 1),
        };
        self.keys.push(KeyLanes::new(label, role, algorithm));
        KeyIndex(self.keys.len() - 1)
    }

    pub fn label(&self, key: KeyIndex) -> &str {
        self.keys.get(key.0).map_or("", |key| &key.label)
    }

    pub fn comes(&mut self, key: KeyIndex, part: Part, window: Window) {
        self.changes.push(Change {
            key,
            part,
            way: Way::Comes,
            window,
        });
    }

    pub fn goes(&mut self, key: KeyIndex, part: Part, window: Window) {
        self.changes.push(Change {
            key,
            part,
            way: Way::Goes,
            window,
        });
    }

    /// Says what is taken for granted.
    pub fn assume(&mut self, sentence: impl Into<String>) {
        self.assumptions.push(sentence.into());
    }

    /// The schedule.
    ///
    /// A KSK or ZSK, where there is none, is taken to have been there all along. What was before the first key
    /// that is told of is an unsigned zone, unless a DS that was there for sure shows that there were others.
    pub fn finish(mut self, zone: &ZoneName, around: &Circumstances) -> Result<Reading, HistoryError> {
        let Some(earliest) = self.changes.iter().map(|change| change.window.from).min() else {
            return Err(HistoryError::NoKeys { zone: zone.clone() });
        };
        let first = |part| self.comes_of(part).map(|window| window.from).min();
        let signed = [first(Part::DnskeyRrsig), first(Part::ZoneRrsig)]
            .into_iter()
            .flatten()
            .max();
        let ds = self.comes_of(Part::Ds).map(|window| window.by).min();
        let is_whole = self.missing().is_empty();
        let since = match (ds, signed) {
            (Some(ds), Some(signed)) if ds < signed => signed,
            (_, Some(signed)) if !is_whole => signed,
            (_, Some(_) | None) => earliest.before(Span::from_seconds(1)),
        };
        if since >= earliest && is_whole {
            self.assume(format!(
                "what was there before {since} is not told: the keys of that time are taken to have been in every cache then"
            ));
        }
        self.finish_at(zone, around, since)
    }

    /// The roles of which there is no key.
    fn missing(&self) -> Vec<Role> {
        let is_there = |does: fn(Role) -> bool| self.keys.iter().any(|key| does(key.role));
        let ksk = (!is_there(Role::signs_dnskey)).then_some(Role::Ksk);
        let zsk = (!is_there(Role::signs_zone)).then_some(Role::Zsk);
        [ksk, zsk].into_iter().flatten().collect()
    }

    /// When something of that part comes.
    fn comes_of(&self, part: Part) -> impl Iterator<Item = Window> + '_ {
        let comes = move |change: &&Change| change.part == part && change.way == Way::Comes;
        self.changes.iter().filter(comes).map(|change| change.window)
    }

    /// The same, of a schedule that begins at that time.
    pub fn finish_at(
        mut self,
        zone: &ZoneName,
        around: &Circumstances,
        since: Time,
    ) -> Result<Reading, HistoryError> {
        if self.changes.is_empty() {
            return Err(HistoryError::NoKeys { zone: zone.clone() });
        }
        for role in self.missing() {
            self.stand_in(role, since);
            self.assume(format!(
                "there is no {role} here: one is taken to have been there all along, and to stay"
            ));
        }
        let mut schedule = Schedule {
            zone: zone.clone(),
            since,
            keys: Vec::new(),
            causes: Vec::new(),
            caching: around.caching(since),
            propagation: around.propagation,
            signatures: around.signatures,
            silences: Vec::new(),
        };
        self.lanes(&mut schedule)?;
        Ok(Reading {
            schedule,
            assumptions: self.assumptions,
        })
    }

    /// A key that is not told of, and was always there.
    fn stand_in(&mut self, role: Role, since: Time) {
        let algorithm = self.keys.first().map_or(AlgorithmNumber(0), |key| key.algorithm);
        self.keys.push(KeyLanes::new(
            format!("{role} that is not told of"),
            role,
            algorithm,
        ));
        let key = KeyIndex(self.keys.len() - 1);
        let parts: &[Part] = match role {
            Role::Ksk | Role::Csk => &[Part::Dnskey, Part::DnskeyRrsig, Part::Ds],
            Role::Zsk => &[Part::Dnskey, Part::ZoneRrsig],
        };
        for part in parts {
            self.comes(key, *part, Window::at(since));
        }
    }

    /// Fills the lanes, in the order of time, and names the causes.
    fn lanes(&mut self, schedule: &mut Schedule) -> Result<(), HistoryError> {
        let mut together: BTreeMap<(Time, Side), Vec<&Change>> = BTreeMap::new();
        for change in &self.changes {
            let side = match change.part {
                Part::Ds => Side::Parent,
                Part::Dnskey | Part::DnskeyRrsig | Part::ZoneRrsig | Part::Revoked => Side::Zone,
            };
            together
                .entry((change.window.from, side))
                .or_default()
                .push(change);
        }
        let mut keys = std::mem::take(&mut self.keys);
        for changes in together.values() {
            let cause = schedule.cause(words(changes, &keys));
            // What comes before what goes: of something that was there for no time at all, the end is known.
            let mut changes = changes.clone();
            changes.sort_by_key(|change| (change.way, change.part));
            for change in changes {
                let event = Event {
                    from: change.window.from,
                    by: change.window.by,
                    cause,
                };
                if let Some(key) = keys.get_mut(change.key.0) {
                    apply(key, change, event);
                }
            }
        }
        schedule.keys = keys;
        self.backwards(schedule)
    }

    /// Something that goes before it comes would stay for ever.
    fn backwards(&self, schedule: &Schedule) -> Result<(), HistoryError> {
        for change in self.changes.iter().filter(|change| change.way == Way::Goes) {
            let comes =
                |other: &&Change| (other.key, other.part, other.way) == (change.key, change.part, Way::Comes);
            let begins = self
                .changes
                .iter()
                .filter(comes)
                .map(|other| other.window.from)
                .min();
            if let Some(begins) = begins.filter(|begins| change.window.from < *begins) {
                return Err(HistoryError::Backwards {
                    key: schedule.key_label(change.key).to_owned(),
                    what: match change.part {
                        Part::Dnskey => "DNSKEY",
                        Part::DnskeyRrsig => "RRSIG of the DNSKEY RRset",
                        Part::ZoneRrsig => "RRSIG of the zone",
                        Part::Ds => "DS",
                        Part::Revoked => "REVOKE bit",
                    },
                    begins,
                    ends: change.window.from,
                });
            }
        }
        Ok(())
    }
}

fn apply(key: &mut KeyLanes, change: &Change, event: Event) {
    let lane: &mut Lane = match change.part {
        Part::Dnskey => &mut key.dnskey,
        Part::DnskeyRrsig => &mut key.dnskey_rrsig,
        Part::ZoneRrsig => &mut key.zone_rrsig,
        Part::Ds => &mut key.ds,
        Part::Revoked => {
            key.revoked = key.revoked.or(Some(event));
            return;
        }
    };
    match change.way {
        Way::Comes => {
            if !lane.is_open() {
                lane.0.push(Presence {
                    begins: event,
                    ends: None,
                });
            }
        }
        Way::Goes => lane.end(event),
    }
}

/// What happens at one time, in words: `ZSK 3 begins to sign the zone, ZSK 1 ceases to sign the zone`.
fn words(changes: &[&Change], keys: &[KeyLanes]) -> String {
    let mut by_key: BTreeMap<KeyIndex, Vec<(Part, Way)>> = BTreeMap::new();
    for change in changes {
        by_key
            .entry(change.key)
            .or_default()
            .push((change.part, change.way));
    }
    // Who comes before who goes.
    let mut by_key: Vec<_> = by_key.into_iter().collect();
    by_key.sort_by_key(|(_, all)| all.iter().map(|(_, way)| *way).min());
    let mut text = String::new();
    for (key, mut all) in by_key {
        all.sort_unstable();
        // A KSK signs from the day on that it is in the zone; its signature is worth a word where it comes or goes alone.
        let with_dnskey = |way| all.contains(&(Part::Dnskey, way));
        let told: Vec<&str> = all
            .iter()
            .filter(|(part, way)| *part != Part::DnskeyRrsig || !with_dnskey(*way))
            .map(|(part, way)| phrase(*part, *way))
            .collect();
        let label = keys.get(key.0).map_or("", |key| &key.label);
        let comma = if text.is_empty() { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}{label} {}", told.join(" and "));
    }
    text
}

const fn phrase(part: Part, way: Way) -> &'static str {
    match (part, way) {
        (Part::Dnskey, Way::Comes) => "is published",
        (Part::Dnskey, Way::Goes) => "is removed",
        (Part::DnskeyRrsig, Way::Comes) => "begins to sign the DNSKEY RRset",
        (Part::DnskeyRrsig, Way::Goes) => "ceases to sign the DNSKEY RRset",
        (Part::ZoneRrsig, Way::Comes) => "begins to sign the zone",
        (Part::ZoneRrsig, Way::Goes) => "ceases to sign the zone",
        (Part::Ds, Way::Comes) => "gets a DS",
        (Part::Ds, Way::Goes) => "loses its DS",
        (Part::Revoked, Way::Comes | Way::Goes) => "is revoked",
    }
}
