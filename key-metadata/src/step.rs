//! The steps of a key's life after it was made, and what each makes of its record.

use std::fmt;

use crate::history::Action;
use crate::key_record::KeyRecord;
use crate::life::KeyState;
use crate::role::Role;
use crate::time::Time;

/// A step in a key's life after it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A ZSK or CSK signs the zone, in which its DNSKEY is not.
    PreActivate,
    /// Its DNSKEY goes into the zone.
    Publish,
    /// A ZSK's or CSK's DNSKEY and its signatures go into the zone at the same time.
    Introduce,
    /// Its DS was given to the parent.
    Submit,
    /// Its DS was seen at every server of the parent.
    Register,
    /// It takes over.
    Activate,
    /// Its DS is to leave the parent, and it signs on until its algorithm goes.
    RetireActive,
    /// Its DS is to leave the parent, no other is to come, and it signs on until no cache has one.
    GoInsecure,
    /// Its successor has taken over.
    Retire,
    /// Its DS was seen gone from every server of the parent.
    Deregister,
    /// Its DNSKEY leaves the zone; the signatures of a ZSK or CSK stay, or the DS of a KSK.
    Withdraw,
    /// It is published with the REVOKE bit.
    Revoke,
    /// All that is left of it leaves the zone, and its DS is not wanted at the parent.
    Remove,
    /// Its private part is destroyed.
    Destroy,
}

/// The step that comes next in a key's life, by the usual way that leads on from its state; none once it is destroyed.
pub const fn next_step(key: &KeyRecord) -> Option<Step> {
    match key.state {
        KeyState::Generated => Some(Step::Publish),
        // The DNSKEY of a KSK whose DS came first is there when it takes over.
        KeyState::PreActive if key.role.signs_zone() => Some(Step::Publish),
        KeyState::PreActive => Some(Step::Activate),
        KeyState::Published if key.role.signs_dnskey() && key.times.submitted.is_none() => Some(Step::Submit),
        KeyState::Published | KeyState::Ready => Some(Step::Activate),
        KeyState::Active if key.role.signs_dnskey() && key.times.submitted.is_none() => Some(Step::Submit),
        KeyState::Active => Some(Step::Retire),
        KeyState::RetireActive if key.role.signs_zone() && key.times.insecure.is_none() => {
            Some(Step::Withdraw)
        }
        KeyState::RetireActive
        | KeyState::Retired
        | KeyState::PostActive
        | KeyState::Dead
        | KeyState::Revoked => Some(Step::Remove),
        KeyState::Removed => Some(Step::Destroy),
        KeyState::Destroyed => None,
    }
}

/// Whether `step` is one that a key in its state is often due for. The others belong to one method of rollover, or abandon one; whoever takes
/// them names the key.
pub const fn is_usual(step: Step, key: &KeyRecord) -> bool {
    match step {
        Step::Submit => !matches!(key.state, KeyState::Generated),
        Step::Remove => !matches!(key.state, KeyState::Active | KeyState::PreActive),
        Step::PreActivate
        | Step::Publish
        | Step::Introduce
        | Step::Register
        | Step::Activate
        | Step::RetireActive
        | Step::GoInsecure
        | Step::Retire
        | Step::Deregister
        | Step::Withdraw
        | Step::Revoke
        | Step::Destroy => true,
    }
}

impl KeyRecord {
    /// Takes a step that nothing stands against, or that somebody answers for. Of [`Step::Register`] and [`Step::Deregister`] `now` is when it
    /// was seen; [`crate::evidence`] records those.
    pub fn take(&mut self, step: Step, now: Time) {
        let times = &mut self.times;
        match step {
            Step::PreActivate => {
                times.pre_active = Some(now);
                self.state = KeyState::PreActive;
            }
            Step::Publish => {
                times.published = Some(now);
                self.state = KeyState::Published;
                // The DS of a KSK was submitted before.
                if times.submitted.is_some() {
                    times.ready = Some(now);
                    self.state = KeyState::Ready;
                }
            }
            Step::Introduce => {
                times.pre_active = Some(now);
                times.published = Some(now);
                self.state = KeyState::Published;
            }
            Step::Submit => self.submit(now),
            Step::Register => {
                if times.submitted.is_none() {
                    self.submit(now);
                }
                self.times.registered = Some(now);
            }
            Step::Activate => {
                times.published = times.published.or(Some(now));
                times.ready = times.ready.or(Some(now));
                times.active = Some(now);
                self.state = KeyState::Active;
            }
            Step::RetireActive => {
                times.retire_active = Some(now);
                self.state = KeyState::RetireActive;
            }
            Step::GoInsecure => {
                times.retire_active = Some(now);
                times.insecure = Some(now);
                self.state = KeyState::RetireActive;
            }
            Step::Retire => {
                times.retired = Some(now);
                self.state = KeyState::Retired;
            }
            Step::Deregister => times.deregistered = Some(now),
            Step::Withdraw => {
                times.post_active = Some(now);
                self.state = KeyState::PostActive;
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

    fn submit(&mut self, now: Time) {
        self.times.submitted = Some(now);
        match self.state {
            KeyState::Generated => {
                self.times.pre_active = Some(now);
                self.state = KeyState::PreActive;
            }
            KeyState::Published => {
                self.times.ready = Some(now);
                self.state = KeyState::Ready;
            }
            KeyState::PreActive
            | KeyState::Ready
            | KeyState::Active
            | KeyState::RetireActive
            | KeyState::Retired
            | KeyState::PostActive
            | KeyState::Dead
            | KeyState::Removed
            | KeyState::Revoked
            | KeyState::Destroyed => {}
        }
    }
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 14] = [
        Self::PreActivate,
        Self::Publish,
        Self::Introduce,
        Self::Submit,
        Self::Register,
        Self::Activate,
        Self::RetireActive,
        Self::GoInsecure,
        Self::Retire,
        Self::Deregister,
        Self::Withdraw,
        Self::Revoke,
        Self::Remove,
        Self::Destroy,
    ];

    /// The states from which a key of that role takes it; none, where such a key never does.
    pub const fn from(self, role: Role) -> &'static [KeyState] {
        use KeyState::{
            Active, Dead, Generated, PostActive, PreActive, Published, Ready, Removed, RetireActive, Retired,
            Revoked,
        };
        match (self, role) {
            (Self::PreActivate | Self::Introduce, Role::Ksk) => &[],
            (Self::PreActivate | Self::Introduce, Role::Zsk | Role::Csk) => &[Generated],
            (Self::Publish, _) => &[Generated, PreActive],
            (
                Self::Submit
                | Self::Register
                | Self::RetireActive
                | Self::GoInsecure
                | Self::Deregister
                | Self::Revoke,
                Role::Zsk,
            ) => &[],
            (Self::Submit, Role::Ksk) => &[Generated, Published, Active],
            (Self::Submit, Role::Csk) => &[Published, Active],
            (Self::Register, Role::Ksk) => &[PreActive, Published, Ready, Active],
            (Self::Register, Role::Csk) => &[Published, Ready, Active],
            (Self::Activate, Role::Ksk) => &[PreActive, Published, Ready],
            (Self::Activate, Role::Zsk | Role::Csk) => &[Published, Ready],
            (Self::RetireActive, Role::Ksk | Role::Csk) => &[Ready, Active],
            (Self::GoInsecure, Role::Ksk | Role::Csk) => &[Ready, Active],
            (Self::Retire, _) => &[Active],
            (Self::Deregister, Role::Ksk) => &[RetireActive, Retired, Dead, Revoked, Removed],
            (Self::Deregister, Role::Csk) => &[RetireActive, Retired, PostActive, Dead, Revoked, Removed],
            (Self::Withdraw, Role::Ksk) => &[Active],
            (Self::Withdraw, Role::Zsk) => &[Published, Active],
            (Self::Withdraw, Role::Csk) => &[Published, RetireActive],
            (Self::Revoke, Role::Ksk | Role::Csk) => &[Published, Ready, Active, Retired, Dead],
            (Self::Remove, _) => &[
                PreActive,
                Published,
                Ready,
                Active,
                RetireActive,
                Retired,
                PostActive,
                Dead,
                Revoked,
            ],
            (Self::Destroy, _) => &[Generated, Removed],
        }
    }

    /// What the history calls it.
    pub const fn action(self) -> Action {
        match self {
            Self::PreActivate => Action::PreActivate,
            Self::Publish => Action::Publish,
            Self::Introduce => Action::Introduce,
            Self::Submit => Action::Submit,
            Self::Register => Action::Register,
            Self::Activate => Action::Activate,
            Self::RetireActive => Action::RetireActive,
            Self::GoInsecure => Action::GoInsecure,
            Self::Retire => Action::Retire,
            Self::Deregister => Action::Deregister,
            Self::Withdraw => Action::Withdraw,
            Self::Revoke => Action::Revoke,
            Self::Remove => Action::Remove,
            Self::Destroy => Action::Destroy,
        }
    }

    /// What is done to the key, as in "was not published".
    pub const fn participle(self) -> &'static str {
        match self {
            Self::PreActivate => "pre-activated",
            Self::Publish => "published",
            Self::Introduce => "introduced",
            Self::Submit => "submitted",
            Self::Register => "registered",
            Self::Activate => "activated",
            Self::RetireActive => "made retire-active",
            Self::GoInsecure => "given up for an insecure zone",
            Self::Retire => "retired",
            Self::Deregister => "deregistered",
            Self::Withdraw => "withdrawn",
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
