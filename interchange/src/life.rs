//! What a record of ours can hold of a foreign key's life.

use key_metadata::{KeyState, KeyTimes, Time};

use crate::key::{ForeignKey, Revocation};
use crate::quote::Quote;
use crate::report::{Lost, Reason};
use crate::states::RecordStates;
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
        let past = |event| self.times.get(event).filter(|time| *time <= now);
        let state = self.state.map_or_else(|| self.state_by_times(now), |state| state);
        let generated = past(Event::Generated).or_else(|| {
            self.times
                .iter()
                .map(|(_, time)| *time)
                .min()
                .filter(|time| *time <= now)
        });
        let mut times = KeyTimes::generated(generated.map_or(now, |time| time));
        times.published = past(Event::Published);
        times.ready = past(Event::Ready);
        times.active = past(Event::Active);
        times.retired = past(Event::Retired);
        times.removed = past(Event::Removed);
        times.revoked = past(Event::Revoked);
        let entered = match state {
            KeyState::Generated => return self.with_losses(state, times, now),
            KeyState::PreActive => &mut times.pre_active,
            KeyState::Published => &mut times.published,
            KeyState::Ready => &mut times.ready,
            KeyState::Active => &mut times.active,
            KeyState::RetireActive => &mut times.retire_active,
            KeyState::Retired => &mut times.retired,
            KeyState::PostActive => &mut times.post_active,
            KeyState::Dead => &mut times.dead,
            KeyState::Removed => &mut times.removed,
            KeyState::Revoked => &mut times.revoked,
            KeyState::Destroyed => &mut times.destroyed,
        };
        *entered = entered.or(Some(now));
        self.with_losses(state, times, now)
    }

    fn state_by_times(&self, now: Time) -> KeyState {
        let came = |event| self.times.get(event).is_some_and(|time| time <= now);
        let by_time = [
            (Event::Removed, KeyState::Removed),
            (Event::Revoked, KeyState::Revoked),
            (Event::Retired, KeyState::Retired),
            (Event::Active, KeyState::Active),
            (Event::Ready, KeyState::Ready),
            (Event::Published, KeyState::Published),
        ];
        let last = by_time.into_iter().find(|(event, _)| came(*event));
        let state = last.map_or(KeyState::Generated, |(_, state)| state);
        match (self.revocation, state) {
            (Revocation::Revoked, KeyState::Removed) | (Revocation::NotRevoked, _) => state,
            (Revocation::Revoked, _) => KeyState::Revoked,
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
            let has_place = match event {
                Event::Generated
                | Event::Published
                | Event::Ready
                | Event::Active
                | Event::Retired
                | Event::Removed
                | Event::Revoked => true,
                Event::PreActive
                | Event::Visible
                | Event::CdsPublished
                | Event::DsSeen
                | Event::SignaturesVisible
                | Event::RetireActive
                | Event::PostActive
                | Event::CdsRemoved
                | Event::DsGone => false,
            };
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
