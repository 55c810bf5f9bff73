//! What a record of ours can hold of a foreign key's life.

use key_metadata::{KeyState, KeyTimes, Time};

use crate::key::{ForeignKey, Revocation};
use crate::quote::Quote;
use crate::report::{Lost, Reason};
use crate::states::{RecordState, RecordStates};
use crate::times::Event;

/// Where a key is in its life, in our words.
#[derive(Clone, Debug, PartialEq)]
pub struct Life {
    /// Its state.
    pub state: KeyState,
    /// When it got there.
    pub times: KeyTimes,
    /// What the other software says of it beyond that.
    pub lost: Vec<Lost>,
}

impl ForeignKey {
    /// State and times for a [`key_metadata::KeyRecord`], as of `now`.
    ///
    /// Where the other software does not tell the state, it is that of the last time that has come. Where no time is told for when the key was
    /// made it is the earliest that is; where none is told for the state, it is `now`. Times that lie in the future are not kept.
    pub fn life(&self, now: Time) -> Life {
        let state = self.state.map_or_else(|| self.told_state(now), |state| state);
        let made = self.past(Event::Generated, now);
        let generated = made.or_else(|| self.times.iter().map(|(_, time)| *time).min());
        let generated = generated.filter(|time| *time <= now);
        let mut times = KeyTimes::generated(generated.map_or(now, |time| time));
        for (event, _) in self.times.iter() {
            if let (Some(time), Some(state)) = (self.past(*event, now), self.state_of(*event, now)) {
                times.set(state, time);
            }
        }
        // What BIND says of its records stands for the times that it does not have.
        match state {
            KeyState::PreActive if times.pre_active.is_none() => {
                times.pre_active = times.active.take().or(self.records.zone_signatures.since);
            }
            KeyState::PostActive if times.post_active.is_none() => {
                times.post_active = self.records.dnskey.since;
            }
            _ => {}
        }
        if times.of(state).is_none() {
            times.set(state, now);
        }
        self.with_losses(state, times, now)
    }

    fn past(&self, event: Event, now: Time) -> Option<Time> {
        self.times.get(event).filter(|time| *time <= now)
    }

    /// The state to which an event brings a key of this role; none, where a record has no place for it.
    fn state_of(&self, event: Event, now: Time) -> Option<KeyState> {
        match event {
            Event::Generated => Some(KeyState::Generated),
            Event::Published => Some(KeyState::Published),
            Event::Ready => Some(KeyState::Ready),
            Event::Active => Some(KeyState::Active),
            Event::Retired => Some(KeyState::Retired),
            Event::Revoked => Some(KeyState::Revoked),
            Event::Removed => Some(KeyState::Removed),
            // A KSK that is not in the zone signs nothing there; a ZSK has no DS.
            Event::PreActive => self.role.signs_zone().then_some(KeyState::PreActive),
            Event::RetireActive => self.role.signs_dnskey().then_some(KeyState::RetireActive),
            Event::PostActive if self.role.signs_zone() => Some(KeyState::PostActive),
            Event::PostActive => match self.past(Event::Removed, now) {
                Some(_) => None,
                None => Some(KeyState::Removed),
            },
            Event::Visible
            | Event::CdsPublished
            | Event::DsSeen
            | Event::SignaturesVisible
            | Event::CdsRemoved
            | Event::DsGone => None,
        }
    }

    /// By the last time that came, and by what is told of the records.
    fn told_state(&self, now: Time) -> KeyState {
        let came = |event| self.past(event, now).and_then(|_| self.state_of(event, now));
        let last = self.times.iter().rev().find_map(|(event, _)| came(*event));
        let state = last.map_or(KeyState::Generated, |state| state);
        match (self.revocation, state) {
            (_, KeyState::Removed) => state,
            (Revocation::Revoked, _) | (Revocation::NotRevoked, KeyState::Revoked) => KeyState::Revoked,
            (Revocation::NotRevoked, _) => self.unpublished().map_or(state, |unpublished| unpublished),
        }
    }

    /// Where signatures of the key are in the zone by what is told of its records, and its DNSKEY is not: before it comes or after it went.
    fn unpublished(&self) -> Option<KeyState> {
        use RecordState::{Hidden, Omnipresent, Rumoured, Unretentive};
        let records = &self.records;
        let signs = matches!(records.zone_signatures.state, Some(Rumoured | Omnipresent));
        let is_out = matches!(records.dnskey.state, Some(Hidden | Unretentive));
        if !self.role.signs_zone() || !signs || !is_out {
            return None;
        }
        match records.goal {
            Some(Hidden | Unretentive) => Some(KeyState::PostActive),
            Some(Rumoured | Omnipresent) | None => Some(KeyState::PreActive),
        }
    }

    fn with_losses(&self, state: KeyState, times: KeyTimes, now: Time) -> Life {
        let lost = |field: &str, value: &str, why| Lost {
            file: self.source.clone(),
            line: None,
            field: field.to_owned(),
            value: Quote::of(value),
            why,
        };
        let mut all = Vec::new();
        for (event, time) in self.times.iter() {
            let has_place = self.state_of(*event, now).is_some();
            let why = if *time > now {
                Reason::Planned
            } else {
                Reason::NoPlace
            };
            if *time > now || !has_place {
                all.push(lost(event.name(), &time.to_string(), why));
            }
        }
        let numbers = [
            ("TTL", self.ttl),
            ("lifetime", self.lifetime),
            ("predecessor", self.predecessor.map(u32::from)),
            ("successor", self.successor.map(u32::from)),
        ];
        for (field, number) in numbers {
            if let Some(number) = number {
                all.push(lost(field, &number.to_string(), Reason::NoPlace));
            }
        }
        for (field, value) in told(&self.records) {
            all.push(lost(field, &value, Reason::NoPlace));
        }
        Life {
            state,
            times,
            lost: all,
        }
    }
}

fn told(records: &RecordStates) -> impl Iterator<Item = (&'static str, String)> {
    let changes = [
        ("state of the DNSKEY record", records.dnskey),
        ("state of the DNSKEY signatures", records.key_signatures),
        ("state of the zone's signatures", records.zone_signatures),
        ("state of the DS record", records.ds),
    ];
    let words = |(field, change): (&'static str, crate::states::RecordChange)| {
        let state = change.state.map(|state| state.to_string());
        let since = change.since.map(|since| format!("since {since}"));
        let text = [state, since].into_iter().flatten().collect::<Vec<_>>().join(" ");
        (!text.is_empty()).then_some((field, text))
    };
    let goal = records.goal.map(|goal| ("goal", goal.to_string()));
    changes.into_iter().filter_map(words).chain(goal)
}
