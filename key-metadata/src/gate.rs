//! What a key may do next, and what stands against it.
//!
//! A pure function of the zone's keys, the policy and the time. What only a token or the signed zone can tell (whether the key signs,
//! whether something published still refers to it) the tools add as refusals of their own, by the same rules' names.

mod algorithms;
mod ds;
mod going;
mod order;
mod waits;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::key_record::KeyRecord;
use crate::life::KeyState;
use crate::policy::Policy;
use crate::role::Role;
use crate::span::Span;
use crate::step::Step;
use crate::time::Time;
use crate::timing::{Figures, Wait, publication_interval, remove_hold_down};
use crate::zone_keys::ZoneKeys;

pub use order::out_of_order;

/// A rule that can stand against a step, by the name that the history keeps when it is overridden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// A key takes the steps of its life in their order.
    Order,
    /// Nothing is done at a time before what was done last: the waits that follow would be over too soon.
    Clock,
    /// No two keys of a zone share a tag, revoked tags included.
    KeyTag,
    /// A key signs before anybody relies on it, and the signature verifies with the DNSKEY that is to be published.
    TrialSignature,
    /// A key is used only when every cache has its DNSKEY (RFC 7583 3.2.1, 3.3.1) or, where that comes first, its DS (3.3.2).
    PublicationInterval,
    /// The first DS of an algorithm goes to the parent only when no cache has an answer that is not signed by that algorithm.
    FirstDs,
    /// The first DNSKEY of an algorithm goes into a signed zone only when no cache has an answer that is not signed by that algorithm, or
    /// together with its signatures (RFC 6781 4.1.4).
    Algorithm,
    /// A KSK takes over only when its DS is in the parent zone (RFC 7583 3.3.1).
    RegistrationDelay,
    /// A key that can be lost is not relied on.
    BackupEvidence,
    /// A key goes only when another of its role and algorithm is active, or when another algorithm does all that its own did, or when the zone
    /// has no DS any more.
    Successor,
    /// A key's DNSKEY stays until nothing in any cache needs it (RFC 7583 3.2.1, 3.3.1).
    RetireInterval,
    /// A revoked key stays published until all who trust it have seen that (RFC 5011 2.4.2).
    HoldDown,
    /// A key is destroyed only when nothing that is published or recorded refers to it.
    Referenced,
}

/// By how much the clocks of hosts that work on one site may differ; our choice, as Kerberos has it (RFC 4120 1.6).
pub const CLOCK_SKEW: Span = Span::from_seconds(5 * 60);

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
            Self::Clock
            | Self::PublicationInterval
            | Self::FirstDs
            | Self::Algorithm
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
        foreign_tags,
        now,
    };
    if let Some(refusal) = out_of_order(step, key) {
        return vec![refusal];
    }
    let found = match step {
        Step::PreActivate => vec![gate.tags(foreign_tags)],
        Step::Introduce => vec![gate.tags(foreign_tags), gate.backup()],
        Step::Publish if key.signs_zone() => {
            vec![gate.tags(foreign_tags), gate.algorithm(), gate.backup()]
        }
        Step::Publish => vec![gate.tags(foreign_tags), gate.algorithm()],
        Step::Submit if key.state == KeyState::Generated => vec![gate.tags(foreign_tags), gate.ds_beside()],
        Step::Submit => vec![gate.published(), gate.first_ds()],
        Step::Activate if key.state == KeyState::PreActive => vec![
            gate.tags(foreign_tags),
            gate.algorithm(),
            gate.ds_published(),
            gate.backup(),
        ],
        Step::Activate if is_first(key.role, keys, foreign_tags) => {
            vec![gate.tags(foreign_tags), gate.registered(), gate.backup()]
        }
        Step::Activate => vec![
            gate.tags(foreign_tags),
            gate.published(),
            gate.begins_to_sign(),
            gate.submitted(),
            gate.registered(),
            gate.backup(),
        ],
        Step::Retire => vec![gate.successor(), gate.left_alone()],
        Step::RetireActive => vec![gate.successor_of_any_algorithm(), gate.left_alone()],
        Step::GoInsecure => vec![gate.left_alone()],
        Step::Withdraw => vec![gate.withdrawn()],
        Step::Revoke => vec![
            gate.tags(foreign_tags),
            gate.successor_of_any_algorithm(),
            gate.ds_forgotten(),
        ],
        Step::Remove => {
            let mut found = gate.removed();
            found.push(gate.revoked());
            found
        }
        Step::Destroy => vec![gate.ds_out()],
        Step::Register | Step::Deregister => Vec::new(),
    };
    let mut found: Vec<_> = [gate.clock()].into_iter().chain(found).flatten().collect();
    // A CSK is asked as what it is to the DNSKEY RRset, and to the rest of the zone.
    found.dedup();
    found
}

/// Whether no key of the zone did the part of that role before, so that no cache has an answer that a first one must fit. A zone with
/// other signers' keys is signed already.
pub fn is_first(role: Role, keys: &ZoneKeys, foreign_tags: &[u16]) -> bool {
    let does_the_same = |key: &&KeyRecord| {
        (key.role.signs_dnskey() && role.signs_dnskey()) || (key.role.signs_zone() && role.signs_zone())
    };
    let mut before = keys.keys().iter().filter(does_the_same);
    // Of a zone that went insecure and comes back nobody validates an answer.
    let is_insecure = || {
        let mut known = keys.keys().iter().filter(|key| key.had_ds());
        known.all(|key| key.times.deregistered.is_some())
    };
    let is_gone =
        |key: &KeyRecord| matches!(key.state, KeyState::Removed | KeyState::Destroyed) && is_insecure();
    foreign_tags.is_empty() && !before.any(|key| key.times.active.is_some() && !is_gone(key))
}

struct Gate<'a> {
    key: &'a KeyRecord,
    keys: &'a ZoneKeys,
    policy: &'a Policy,
    /// Of keys of the zone that are not recorded here.
    foreign_tags: &'a [u16],
    now: Time,
}

impl<'a> Gate<'a> {
    fn tags(&self, foreign: &[u16]) -> Option<Refusal> {
        let clash = self.keys.check_tags(self.key, foreign).err()?;
        Some(Refusal::new(
            Rule::KeyTag,
            clash.to_string(),
            "make another key: it has another tag",
        ))
    }

    fn clock(&self) -> Option<Refusal> {
        let last = self.keys.history().last()?;
        let is_behind = last.at > self.now.after(CLOCK_SKEW);
        is_behind.then(|| {
            Refusal::new(
                Rule::Clock,
                format!(
                    "the clock says {}, and the last change of the zone's keys ({}) is of {}",
                    self.now, last.action, last.at
                ),
                "set the clock",
            )
        })
    }

    /// The zone's other keys.
    fn others(&self) -> impl Iterator<Item = &'a KeyRecord> {
        let id = self.key.id;
        self.keys.keys().iter().filter(move |key| key.id != id)
    }

    /// A wait of this key that is not over.
    fn too_early(&self, rule: Rule, wait: &Wait, since: &str, from: Time) -> Option<Refusal> {
        Refusal::too_early(rule, wait, since, from, self.now)
    }

    fn published(&self) -> Option<Refusal> {
        let from = self.key.times.published?;
        let wait = publication_interval(&Figures::of(self.policy));
        self.too_early(Rule::PublicationInterval, &wait, "it was published at", from)
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

    fn revoked(&self) -> Option<Refusal> {
        let from = self.key.times.revoked?;
        self.too_early(Rule::HoldDown, &remove_hold_down(), "it was revoked at", from)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Order => "order",
            Self::Clock => "clock",
            Self::KeyTag => "key-tag",
            Self::TrialSignature => "trial-signature",
            Self::PublicationInterval => "publication-interval",
            Self::FirstDs => "first-ds",
            Self::Algorithm => "algorithm",
            Self::RegistrationDelay => "registration-delay",
            Self::BackupEvidence => "backup-evidence",
            Self::Successor => "successor",
            Self::RetireInterval => "retire-interval",
            Self::HoldDown => "hold-down",
            Self::Referenced => "referenced",
        })
    }
}
