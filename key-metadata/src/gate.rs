//! What a key may do next, and what stands against it.
//!
//! A pure function of the zone's keys, the policy and the time. What only a token or the signed zone can tell (whether the key signs,
//! whether something published still refers to it) the tools add as refusals of their own, by the same rules' names.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::key_record::KeyRecord;
use crate::life::KeyState;
use crate::policy::Policy;
use crate::role::Role;
use crate::step::Step;
use crate::time::Time;
use crate::timing::{
    Figures, Wait, first_ds_interval, publication_interval, registration_delay, remove_hold_down,
    retire_interval,
};
use crate::zone_keys::ZoneKeys;

/// A rule that can stand against a step, by the name that the history keeps when it is overridden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// A key takes the steps of its life in their order.
    Order,
    /// No two keys of a zone share a tag, revoked tags included.
    KeyTag,
    /// A key signs before anybody relies on it, and the signature verifies with the DNSKEY that is to be published.
    TrialSignature,
    /// A key is used only when every cache has its DNSKEY (RFC 7583 3.2.1, 3.3.1).
    PublicationInterval,
    /// The first DS goes to the parent only when no cache has an unsigned answer.
    FirstDs,
    /// A KSK takes over only when its DS is in the parent zone (RFC 7583 3.3.1).
    RegistrationDelay,
    /// A key that can be lost is not relied on.
    BackupEvidence,
    /// A key goes only when another of its role and algorithm is active.
    Successor,
    /// A key's DNSKEY stays until nothing in any cache needs it (RFC 7583 3.2.1, 3.3.1).
    RetireInterval,
    /// A revoked key stays published until all who trust it have seen that (RFC 5011 2.4.2).
    HoldDown,
    /// A key is destroyed only when nothing that is published or recorded refers to it.
    Referenced,
}

/// A rule that says no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {why}")]
pub struct Refusal {
    /// The rule.
    pub rule: Rule,
    /// With numbers, why it says no.
    pub why: String,
    /// What would satisfy it.
    pub remedy: String,
    /// When it is satisfied, where that is a matter of time.
    pub not_before: Option<Time>,
}

impl Refusal {
    /// A refusal that time alone does not lift.
    pub fn new(rule: Rule, why: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            rule,
            why: why.into(),
            remedy: remedy.into(),
            not_before: None,
        }
    }

    /// A wait that is not over.
    fn too_early(rule: Rule, wait: &Wait, since: &str, from: Time, now: Time) -> Option<Self> {
        let until = from.after(wait.total());
        (now < until).then(|| Self {
            rule,
            why: format!("{wait} since {since} {from}, so not before {until}"),
            remedy: format!("wait until {until}"),
            not_before: Some(until),
        })
    }
}

impl Rule {
    /// Whether a person may answer for going on against it. The others would make a zone that cannot be, or destroy what is in use.
    pub const fn can_be_overridden(self) -> bool {
        match self {
            Self::PublicationInterval
            | Self::FirstDs
            | Self::RegistrationDelay
            | Self::BackupEvidence
            | Self::Successor
            | Self::RetireInterval
            | Self::HoldDown => true,
            Self::Order | Self::KeyTag | Self::TrialSignature | Self::Referenced => false,
        }
    }
}

/// What stands against `step` for `key`, one of `keys`; nothing, where it may be taken. All of it is told, not only the first.
pub fn refusals(
    step: Step,
    key: &KeyRecord,
    keys: &ZoneKeys,
    policy: &Policy,
    foreign_tags: &[u16],
    now: Time,
) -> Vec<Refusal> {
    let gate = Gate {
        key,
        keys,
        policy,
        now,
    };
    if let Some(refusal) = gate.order(step) {
        return vec![refusal];
    }
    let found = match step {
        Step::Publish => vec![gate.tags(foreign_tags)],
        Step::Submit => vec![gate.published(), gate.first_ds()],
        Step::Activate if gate.is_first(foreign_tags) => {
            vec![gate.tags(foreign_tags), gate.registered(), gate.backup()]
        }
        Step::Activate => vec![
            gate.tags(foreign_tags),
            gate.published(),
            gate.submitted(),
            gate.registered(),
            gate.backup(),
        ],
        Step::Retire => vec![gate.successor()],
        Step::Revoke => vec![gate.tags(foreign_tags), gate.successor(), gate.ds_forgotten()],
        Step::Remove => vec![gate.retired(), gate.revoked()],
        Step::Destroy => Vec::new(),
    };
    found.into_iter().flatten().collect()
}

/// Whether no key of the zone did the part of that role before, so that no cache has an answer that a first one must fit. A zone with
/// other signers' keys is signed already.
pub fn is_first(role: Role, keys: &ZoneKeys, foreign_tags: &[u16]) -> bool {
    let does_the_same = |key: &&KeyRecord| {
        (key.role.signs_dnskey() && role.signs_dnskey()) || (key.role.signs_zone() && role.signs_zone())
    };
    let mut before = keys.keys().iter().filter(does_the_same);
    foreign_tags.is_empty() && !before.any(|key| key.times.active.is_some())
}

struct Gate<'a> {
    key: &'a KeyRecord,
    keys: &'a ZoneKeys,
    policy: &'a Policy,
    now: Time,
}

impl Gate<'_> {
    fn order(&self, step: Step) -> Option<Refusal> {
        use KeyState::{Active, Dead, Generated, Published, Ready, Removed, Retired, Revoked};
        let has_ds = self.key.role.signs_dnskey();
        let from: &[KeyState] = match step {
            Step::Publish => &[Generated],
            Step::Submit if has_ds => &[Published, Active],
            Step::Revoke if has_ds => &[Published, Ready, Active, Retired, Dead],
            Step::Submit | Step::Revoke => {
                let what = if step == Step::Submit {
                    "DS"
                } else {
                    "trust anchor"
                };
                return Some(Refusal::new(
                    Rule::Order,
                    format!("a {} has no {what}", self.key.role),
                    "name a KSK or a CSK",
                ));
            }
            Step::Activate => &[Published, Ready],
            Step::Retire => &[Active],
            Step::Remove => &[Published, Ready, Retired, Dead, Revoked],
            Step::Destroy => &[Generated, Removed],
        };
        if from.contains(&self.key.state) {
            return None;
        }
        let states: Vec<_> = from.iter().map(ToString::to_string).collect();
        let states = states.join(" or ");
        Some(Refusal::new(
            Rule::Order,
            format!(
                "it is {}, and {step} takes a key that is {states}",
                self.key.state
            ),
            next_steps(self.key),
        ))
    }

    fn tags(&self, foreign: &[u16]) -> Option<Refusal> {
        let clash = self.keys.check_tags(self.key, foreign).err()?;
        Some(Refusal::new(
            Rule::KeyTag,
            clash.to_string(),
            "make another key: it has another tag",
        ))
    }

    fn is_first(&self, foreign: &[u16]) -> bool {
        is_first(self.key.role, self.keys, foreign)
    }

    fn published(&self) -> Option<Refusal> {
        let from = self.key.times.published?;
        let wait = publication_interval(&Figures::of(self.policy));
        Refusal::too_early(
            Rule::PublicationInterval,
            &wait,
            "it was published at",
            from,
            self.now,
        )
    }

    fn first_ds(&self) -> Option<Refusal> {
        let keys = self.keys.keys();
        if keys.iter().any(|key| key.times.submitted.is_some()) {
            return None;
        }
        let signed = keys
            .iter()
            .filter(|key| key.signs_zone())
            .filter_map(|key| key.times.active)
            .min();
        match signed {
            None => Some(Refusal::new(
                Rule::FirstDs,
                "no key signs the zone yet",
                "activate a ZSK or CSK, and sign the zone",
            )),
            Some(from) => Refusal::too_early(
                Rule::FirstDs,
                &first_ds_interval(&Figures::of(self.policy)),
                "the zone was first signed, at",
                from,
                self.now,
            ),
        }
    }

    fn submitted(&self) -> Option<Refusal> {
        (self.key.role.signs_dnskey() && self.key.times.submitted.is_none()).then(|| {
            Refusal::new(
                Rule::RegistrationDelay,
                "its DS was not given to the parent",
                "give the parent what 'keyrite-keyctl ds' prints, then 'keyrite-keyctl submit'",
            )
        })
    }

    fn registered(&self) -> Option<Refusal> {
        let wait = registration_delay(&Figures::of(self.policy));
        let from = self.key.times.submitted?;
        Refusal::too_early(
            Rule::RegistrationDelay,
            &wait,
            "its DS was submitted at",
            from,
            self.now,
        )
    }

    fn backup(&self) -> Option<Refusal> {
        let required = &self.policy.key(self.key.role)?.require_backup;
        let lacking = self.key.backup.lacks(required);
        if lacking.is_empty() {
            return None;
        }
        let names = |levels: &[crate::backup::DrillLevel]| {
            let names: Vec<_> = levels.iter().map(ToString::to_string).collect();
            names.join(", ")
        };
        Some(Refusal::new(
            Rule::BackupEvidence,
            format!(
                "the policy asks for a bundle that passed {}; of its {} {} the best one lacks {}",
                names(required),
                self.key.backup.bundles.len(),
                if self.key.backup.bundles.len() == 1 {
                    "bundle"
                } else {
                    "bundles"
                },
                names(&lacking)
            ),
            format!("back it up, and drill {}", names(&lacking)),
        ))
    }

    fn successor(&self) -> Option<Refusal> {
        let takes_over = |key: &&KeyRecord| {
            key.id != self.key.id && key.state == KeyState::Active && key.algorithm() == self.key.algorithm()
        };
        let active = || self.keys.keys().iter().filter(takes_over);
        let (role, algorithm) = (self.key.role, self.key.algorithm());
        let lacking = [
            (
                Role::Ksk,
                role.signs_dnskey() && !active().any(|key| key.role.signs_dnskey()),
            ),
            (
                Role::Zsk,
                role.signs_zone() && !active().any(|key| key.role.signs_zone()),
            ),
        ];
        let (lacking, _) = lacking.into_iter().find(|(_, lacks)| *lacks)?;
        Some(Refusal::new(
            Rule::Successor,
            format!("no other {lacking} of {algorithm} is active, and the zone would be without"),
            format!("activate its successor first: another {lacking} of {algorithm}"),
        ))
    }

    /// Whether the key's last signatures and its DS have left every cache.
    fn retired(&self) -> Option<Refusal> {
        let times = &self.key.times;
        if let Some(from) = times.retired {
            let wait = retire_interval(&Figures::of(self.policy), self.key.role);
            return Refusal::too_early(Rule::RetireInterval, &wait, "it was retired at", from, self.now);
        }
        // What never took over is in no signature, and what was never submitted in no DS.
        let used = times
            .submitted
            .map(|at| format!("its DS was given to the parent at {at}"));
        let used = used.or(times.active.map(|at| format!("it is active since {at}")));
        Some(Refusal::new(
            Rule::RetireInterval,
            format!("{}, and it was never retired", used?),
            "have what depends on it replaced, and wait until that has left the caches",
        ))
    }

    /// Whether the DS of a key that is to be revoked has left every cache: a revoked key has another tag, and matches its DS no more.
    fn ds_forgotten(&self) -> Option<Refusal> {
        match self.key.times.retired {
            Some(_) => self.retired(),
            None if self.key.times.active.is_none() && self.key.times.submitted.is_none() => None,
            None => Some(Refusal::new(
                Rule::RetireInterval,
                format!(
                    "it is {}, and a DS of it would match no DNSKEY any more",
                    self.key.state
                ),
                "retire it first, and wait until its DS has left the caches",
            )),
        }
    }

    fn revoked(&self) -> Option<Refusal> {
        let from = self.key.times.revoked?;
        Refusal::too_early(
            Rule::HoldDown,
            &remove_hold_down(),
            "it was revoked at",
            from,
            self.now,
        )
    }
}

/// What can be done with a key as it is.
fn next_steps(key: &KeyRecord) -> String {
    let has_ds = key.role.signs_dnskey();
    match key.state {
        KeyState::Generated => "publish it, or destroy it",
        KeyState::Published if has_ds => "submit its DS, activate it, or remove it",
        KeyState::Published | KeyState::Ready => "activate it, or remove it",
        KeyState::Active => "retire it once its successor is active",
        KeyState::Retired | KeyState::Dead if has_ds => "remove it, or revoke it where it was a trust anchor",
        KeyState::Retired | KeyState::Dead | KeyState::Revoked => "remove it",
        KeyState::Removed => "destroy it",
        KeyState::Destroyed => "nothing more can be done with it",
    }
    .to_owned()
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Order => "order",
            Self::KeyTag => "key-tag",
            Self::TrialSignature => "trial-signature",
            Self::PublicationInterval => "publication-interval",
            Self::FirstDs => "first-ds",
            Self::RegistrationDelay => "registration-delay",
            Self::BackupEvidence => "backup-evidence",
            Self::Successor => "successor",
            Self::RetireInterval => "retire-interval",
            Self::HoldDown => "hold-down",
            Self::Referenced => "referenced",
        })
    }
}
