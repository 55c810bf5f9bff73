//! Knot DNS: what `keymgr -j ZONE list` tells (measured with Knot DNS 3.2.6).
//!
//! | what | comes | goes |
//! |---|---|---|
//! | DNSKEY | publish | post-active, or remove |
//! | RRSIG of the DNSKEY RRset, by a KSK or CSK | publish | retire, post-active or remove |
//! | RRSIG of the zone, by a ZSK or CSK | pre-active, or active; a CSK that is the first of its algorithm: publish | retire; after post-active: remove |
//! | DS | from ready to active, at which somebody said that the parent has it | with the one that follows it, since Knot's CDS names only that |
//! | REVOKE bit | revoke | |
//!
//! A KSK that is ready and not active waits for its DS: that takes Dreg more. Knot forgets a key when it is removed, unless the policy has a
//! `delete-delay`. So there can be several lists, in the order of time: a key that is not in a later one was removed between them. A KSK then no
//! sooner than another became active, since Knot does not do so before.

use interchange::Event;
use interchange::knot::ListedKey;
use key_metadata::{Time, ZoneName};

use super::draft::{Draft, Part, Window};
use super::{Circumstances, HistoryError, Reading, ToldKey};
use crate::schedule::KeyIndex;

/// The schedule of a zone's lists, the oldest first, as of `now`. Lists of KSKs and of ZSKs, from two machines, may be among them.
pub fn schedule(
    zone: &ZoneName,
    lists: &[Vec<ListedKey>],
    around: &Circumstances,
    now: Time,
) -> Result<Reading, HistoryError> {
    let mut keys: Vec<Seen> = Vec::new();
    for (place, list) in lists.iter().enumerate() {
        for key in list.iter().filter(|key| key.zone == *zone) {
            let key_told = ToldKey::from(key);
            match keys.iter_mut().find(|seen| seen.id == key.id) {
                Some(seen) => {
                    seen.key = key_told;
                    seen.last = place;
                }
                None => keys.push(Seen {
                    id: key.id.clone(),
                    key: key_told,
                    last: place,
                }),
            }
        }
    }
    let vanished: Vec<Option<Window>> = keys.iter().map(|seen| vanished(seen, &keys, now)).collect();
    let mut draft = Draft::default();
    let reader = Reader {
        keys: &keys,
        vanished: &vanished,
        around,
        now,
    };
    for (place, seen) in keys.iter().enumerate() {
        let index = draft.key(seen.key.role, seen.key.tag, seen.key.algorithm);
        reader.key(&mut draft, index, place);
    }
    draft.finish(zone, around)
}

/// A key, and the last list that it is in.
struct Seen {
    id: Vec<u8>,
    key: ToldKey,
    last: usize,
}

impl Seen {
    fn time(&self, event: Event) -> Option<Time> {
        self.key.time(event)
    }

    /// The first of the times that are told.
    fn first(&self, events: &[Event]) -> Option<Time> {
        events.iter().filter_map(|event| self.time(*event)).min()
    }

    /// Whether both do the same.
    fn is_like(&self, other: &Self) -> bool {
        let (own, other) = (self.key.role, other.key.role);
        own.signs_dnskey() && other.signs_dnskey() || own.signs_zone() && other.signs_zone()
    }
}

/// When a key was removed that is not in a later list which has its like.
fn vanished(seen: &Seen, keys: &[Seen], now: Time) -> Option<Window> {
    let is_removed = seen.time(Event::Removed).is_some_and(|removed| removed <= now);
    let later = |other: &&Seen| other.last > seen.last && other.is_like(seen);
    if is_removed || !keys.iter().any(|other| later(&other)) {
        return None;
    }
    // What was told in the list that it was in had happened before.
    let told = keys
        .iter()
        .filter(|other| other.last == seen.last)
        .flat_map(|other| other.key.times.iter().map(|(_, time)| *time))
        .filter(|time| *time <= now)
        .max();
    let replaced = keys
        .iter()
        .filter(later)
        .filter(|other| other.key.role.signs_dnskey() && seen.key.role.signs_dnskey())
        .filter_map(|other| other.time(Event::Active))
        .filter(|active| *active <= now)
        .max();
    let from = told.max(replaced)?;
    Some(Window::between(from, now))
}

struct Reader<'a> {
    keys: &'a [Seen],
    vanished: &'a [Option<Window>],
    around: &'a Circumstances,
    now: Time,
}

impl Reader<'_> {
    fn key(&self, draft: &mut Draft, index: KeyIndex, place: usize) {
        let (Some(seen), Some(vanished)) = (self.keys.get(place), self.vanished.get(place).copied()) else {
            return;
        };
        if let Some(window) = vanished {
            let label = draft.label(index).to_owned();
            draft.assume(format!(
                "{label} is not in the last list: it went between {} and {}; with a delete-delay in its policy Knot tells when",
                window.from, window.by
            ));
        }
        let ends = |events: &[Event]| vanished.or_else(|| seen.first(events).map(Window::at));
        let mut put = |part, begins: Option<Window>, ends: Option<Window>| {
            if let Some(begins) = begins {
                draft.comes(index, part, begins);
                if let Some(ends) = ends {
                    draft.goes(index, part, ends);
                }
            }
        };
        let published = seen.time(Event::Published).map(Window::at);
        put(
            Part::Dnskey,
            published,
            ends(&[Event::PostActive, Event::Removed]),
        );
        if seen.key.role.signs_dnskey() {
            let ceases = ends(&[Event::Retired, Event::PostActive, Event::Removed]);
            put(Part::DnskeyRrsig, published, ceases);
            let ds = self.ds(seen);
            put(Part::Ds, ds, ds.and_then(|ds| self.ds_goes(place, ds)));
        }
        if seen.key.role.signs_zone() {
            put(
                Part::ZoneRrsig,
                self.signs_zone(place),
                self.zone_unsigned(place, vanished),
            );
        }
        if let Some(revoked) = seen.time(Event::Revoked).filter(|_| published.is_some()) {
            draft.comes(index, Part::Revoked, Window::at(revoked));
        }
    }

    /// When the key begins to sign the zone.
    fn begins(&self, place: usize) -> Option<Time> {
        let seen = self.keys.get(place)?;
        let active = seen.first(&[Event::PreActive, Event::Active]);
        if !seen.key.role.signs_dnskey() {
            return active;
        }
        // A CSK signs the zone from its first day, where no other key of its algorithm does.
        let published = seen.time(Event::Published)?;
        let others = self.keys.iter().enumerate().any(|(other, key)| {
            other != place
                && key.key.role.signs_zone()
                && key.key.algorithm == seen.key.algorithm
                && key.time(Event::Published).is_some_and(|other| other < published)
        });
        if others { active } else { Some(published) }
    }

    fn signs_zone(&self, place: usize) -> Option<Window> {
        let begins = self.begins(place)?;
        let is_first = !(0..self.keys.len())
            .filter(|other| *other != place)
            .filter(|other| self.keys.get(*other).is_some_and(|key| key.key.role.signs_zone()))
            .filter_map(|other| self.begins(other))
            .any(|other| other < begins);
        match is_first {
            true => Some(Window::at(begins)),
            false => Some(Window::at(begins).within(self.around.dsgn)),
        }
    }

    fn zone_unsigned(&self, place: usize, vanished: Option<Window>) -> Option<Window> {
        let seen = self.keys.get(place)?;
        let events: &[Event] = match seen.time(Event::PostActive) {
            Some(_) => &[Event::Removed],
            None => &[Event::Retired, Event::Removed],
        };
        let told = seen
            .first(events)
            .filter(|time| vanished.is_none() || *time <= self.now);
        match told {
            Some(time) => Some(Window::at(time).within(self.around.dsgn)),
            None => vanished.map(|window| window.within(self.around.dsgn)),
        }
    }

    /// When its DS comes to the parent.
    fn ds(&self, seen: &Seen) -> Option<Window> {
        let dreg = self.around.registration_delay;
        let active = seen.time(Event::Active);
        let ready = seen
            .time(Event::Ready)
            .or(active.and(seen.time(Event::Published)));
        match (ready, active) {
            (Some(ready), Some(active)) => Some(Window::between(ready.min(active), active)),
            (Some(ready), None) => Some(Window::between(ready, ready.max(self.now).after(dreg))),
            (None, _) => None,
        }
    }

    /// When the parent gives it up for the one of the next key.
    fn ds_goes(&self, place: usize, own: Window) -> Option<Window> {
        let seen = self.keys.get(place)?;
        let leaves = self.vanished.get(place).copied().flatten().is_some()
            || seen
                .first(&[
                    Event::RetireActive,
                    Event::Retired,
                    Event::PostActive,
                    Event::Removed,
                ])
                .is_some();
        self.keys
            .iter()
            .filter(|next| next.key.role.signs_dnskey())
            .filter(|next| leaves || next.time(Event::Active).is_none())
            .filter_map(|next| self.ds(next))
            .filter(|next| next.from > own.from)
            .min()
    }
}
