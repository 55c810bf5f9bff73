//! The steps of a key's life after it was made, and what each makes of its record.

use std::fmt;

use crate::history::Action;
use crate::key_record::KeyRecord;
use crate::life::KeyState;
use crate::time::Time;

/// A step in a key's life after it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Its DNSKEY goes into the zone.
    Publish,
    /// Its DS was given to the parent.
    Submit,
    /// It takes over.
    Activate,
    /// Its successor has taken over.
    Retire,
    /// It is published with the REVOKE bit.
    Revoke,
    /// Its DNSKEY leaves the zone.
    Remove,
    /// Its private part is destroyed.
    Destroy,
}

/// The step that comes next in a key's life; none once it is destroyed.
pub const fn next_step(key: &KeyRecord) -> Option<Step> {
    match key.state {
        KeyState::Generated => Some(Step::Publish),
        KeyState::Published if key.role.signs_dnskey() && key.times.submitted.is_none() => Some(Step::Submit),
        KeyState::Published | KeyState::Ready => Some(Step::Activate),
        KeyState::Active if key.role.signs_dnskey() && key.times.submitted.is_none() => Some(Step::Submit),
        KeyState::Active => Some(Step::Retire),
        KeyState::Retired | KeyState::Dead | KeyState::Revoked => Some(Step::Remove),
        KeyState::Removed => Some(Step::Destroy),
        KeyState::Destroyed => None,
    }
}

impl KeyRecord {
    /// Takes a step that nothing stands against, or that somebody answers for.
    pub fn take(&mut self, step: Step, now: Time) {
        let times = &mut self.times;
        match step {
            Step::Publish => {
                times.published = Some(now);
                self.state = KeyState::Published;
            }
            Step::Submit => {
                times.submitted = Some(now);
                if self.state == KeyState::Published {
                    times.ready = Some(now);
                    self.state = KeyState::Ready;
                }
            }
            Step::Activate => {
                times.published = times.published.or(Some(now));
                times.ready = times.ready.or(Some(now));
                times.active = Some(now);
                self.state = KeyState::Active;
            }
            Step::Retire => {
                times.retired = Some(now);
                self.state = KeyState::Retired;
            }
            Step::Revoke => {
                times.revoked = Some(now);
                self.state = KeyState::Revoked;
            }
            Step::Remove => {
                times.removed = Some(now);
                self.state = KeyState::Removed;
            }
            Step::Destroy => {
                times.destroyed = Some(now);
                self.state = KeyState::Destroyed;
            }
        }
    }
}

impl Step {
    /// What the history calls it.
    pub const fn action(self) -> Action {
        match self {
            Self::Publish => Action::Publish,
            Self::Submit => Action::Submit,
            Self::Activate => Action::Activate,
            Self::Retire => Action::Retire,
            Self::Revoke => Action::Revoke,
            Self::Remove => Action::Remove,
            Self::Destroy => Action::Destroy,
        }
    }
}

impl Step {
    /// What is done to the key, as in "was not published".
    pub const fn participle(self) -> &'static str {
        match self {
            Self::Publish => "published",
            Self::Submit => "submitted",
            Self::Activate => "activated",
            Self::Retire => "retired",
            Self::Revoke => "revoked",
            Self::Remove => "removed",
            Self::Destroy => "destroyed",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.action().fmt(f)
    }
}
