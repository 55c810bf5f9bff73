//! Keys that go: what does their part, and when no cache needs what is left of them.

use super::waits::dnskey_forgotten;
use super::{Gate, Refusal, Rule};
use crate::key_record::KeyRecord;
use crate::life::KeyState;
use crate::role::Role;
use crate::timing::{Figures, publication_interval, z4_retire_interval};

/// Of a part of a key, what others do.
#[derive(PartialEq)]
enum Part {
    /// None is active.
    Lacking,
    /// One is, and can be relied on when nothing stands against that.
    Done(Option<Refusal>),
}

impl<'a> Gate<'a> {
    /// The other keys that are active and of the same algorithm.
    fn successors(&self) -> impl Iterator<Item = &'a KeyRecord> {
        let algorithm = self.key.algorithm();
        self.others()
            .filter(move |key| key.state == KeyState::Active && key.algorithm() == algorithm)
    }

    /// What stands against each part of the key being done by another active one of its algorithm: nothing, a wait, or that there is none.
    fn parts(&self) -> Vec<(Role, Part)> {
        let role = self.key.role;
        let of = |signs: fn(Role) -> bool| self.successors().filter(move |key| signs(key.role)).peekable();
        let mut parts = Vec::new();
        if role.signs_dnskey() {
            let mut entry_points = of(Role::signs_dnskey);
            let part = match entry_points.peek() {
                None => Part::Lacking,
                Some(_) => Part::Done(self.first_of(entry_points.map(|key| self.is_known(key)))),
            };
            parts.push((Role::Ksk, part));
        }
        if role.signs_zone() {
            let part = match of(Role::signs_zone).peek() {
                None => Part::Lacking,
                Some(_) => Part::Done(None),
            };
            parts.push((Role::Zsk, part));
        }
        parts
    }

    /// Whether the key can stop doing its part while its DNSKEY stays. That a zone leaves its algorithm is no reason for a ZSK: as long as the
    /// DNSKEY RRset has the algorithm, that signs the zone.
    pub(super) fn successor(&self) -> Option<Refusal> {
        if self.key.role == Role::Ksk {
            return self.successor_of_any_algorithm();
        }
        let algorithm = self.key.algorithm();
        self.by_parts(|lacking| {
            if self.complete_without(algorithm).is_none() {
                return self.no_successor(lacking);
            }
            let remedy = match self.key.role {
                Role::Csk => "make it retire-active, and withdraw it when no cache has its DS",
                Role::Ksk | Role::Zsk => "withdraw it when no cache has a DS of its algorithm",
            };
            Some(Refusal::new(
                Rule::Successor,
                format!(
                    "no other {lacking} of {algorithm} is active, and the DNSKEY RRset has that algorithm"
                ),
                remedy,
            ))
        })
    }

    /// Whether the DS of the key can go.
    pub(super) fn successor_of_any_algorithm(&self) -> Option<Refusal> {
        self.by_parts(|lacking| match self.complete_without(self.key.algorithm()) {
            Some(_) => None,
            None => self.no_successor(lacking),
        })
    }

    /// What stands against the key by its parts, of which one that is lacking comes before one that is waited for.
    fn by_parts(&self, lacks: impl Fn(Role) -> Option<Refusal>) -> Option<Refusal> {
        let parts = self.parts();
        match parts.iter().find(|(_, part)| *part == Part::Lacking) {
            Some((role, _)) => lacks(*role),
            None => last(parts.into_iter().filter_map(|(_, part)| match part {
                Part::Done(refusal) => refusal,
                Part::Lacking => None,
            })),
        }
    }

    /// The zone goes on without such a key only when it has had no DS for long enough.
    fn no_successor(&self, lacking: Role) -> Option<Refusal> {
        if let Some(insecure) = self.insecure() {
            return insecure;
        }
        if self.never_had_ds() {
            return None;
        }
        let algorithm = self.key.algorithm();
        let another = |key: &KeyRecord| key.state.in_zone() && key.algorithm() != algorithm;
        let or = match self.others().any(another) {
            true => ", or KSK and ZSK of another algorithm",
            false => "",
        };
        Some(Refusal::new(
            Rule::Successor,
            format!("no other {lacking} of {algorithm} is active, and the zone would be without"),
            format!("activate its successor first: another {lacking} of {algorithm}{or}"),
        ))
    }

    /// Whether no DS leads into the zone, nor is on its way: it was signed for the first time, or again, and goes back from that. Of a zone whose
    /// KSKs are not recorded here nobody knows.
    fn never_had_ds(&self) -> bool {
        let keys = self.keys.keys();
        let mut known = keys.iter().filter(|key| key.had_ds());
        self.foreign_tags.is_empty()
            && keys.iter().any(|key| key.role.signs_dnskey())
            && known.all(|key| key.times.deregistered.is_some() && self.ds_gone(key).is_none())
    }

    /// In a zone that is to have no DS: whether no cache has one. Only what was seen at the parent counts: one that is left there would make the
    /// zone bogus. Nothing, where the zone is to have a DS.
    fn insecure(&self) -> Option<Option<Refusal>> {
        let keys = self.keys.keys();
        let is_to_be = keys
            .iter()
            .any(|key| key.times.insecure.is_some() && key.state != KeyState::Destroyed);
        if !is_to_be || keys.iter().any(KeyRecord::wants_ds) {
            return None;
        }
        let in_question = keys
            .iter()
            .filter(|key| key.had_ds() && (key.state.in_zone() || key.times.insecure.is_some()));
        let waits = in_question.map(|key| match key.times.deregistered {
            Some(_) => self.ds_gone(key),
            None => Some(Refusal::new(
                Rule::RetireInterval,
                format!(
                    "the zone is to be insecure, and the DS of {} was not seen gone",
                    key.name()
                ),
                format!(
                    "have the parent take the DS of {} out, and have that seen",
                    key.name()
                ),
            )),
        });
        Some(last(waits.flatten()))
    }

    /// Whether the DNSKEY can leave the zone while what it is for stays: the DS of a KSK, the signatures of a ZSK or CSK.
    pub(super) fn withdrawn(&self) -> Option<Refusal> {
        let algorithm = self.key.algorithm();
        match self.key.role {
            // The old DS is in every cache as before, so the new DNSKEY need not be.
            Role::Ksk => {
                let entry_points = self.successors().filter(|key| key.role.signs_dnskey());
                let mut entry_points = entry_points.peekable();
                if entry_points.peek().is_none() {
                    return Some(Refusal::new(
                        Rule::Successor,
                        format!("no other KSK of {algorithm} is active, and its DS would lead nowhere"),
                        format!("activate another KSK of {algorithm} whose DS is in every cache"),
                    ));
                }
                self.first_of(entry_points.map(|key| self.ds_everywhere(key)))
            }
            Role::Zsk | Role::Csk => match self.complete_without(algorithm) {
                Some(_) => self.algorithm_forgotten(),
                None => Some(Refusal::new(
                    Rule::Successor,
                    format!("{algorithm} is the zone's only algorithm of which a KSK and a ZSK are active"),
                    "withdraw a ZSK when its algorithm is replaced; otherwise retire it, or remove it",
                )),
            },
        }
    }

    /// Whether no cache has a DS of the key's algorithm, nor needs the key's signatures for the DNSKEYs of that algorithm that stay.
    fn algorithm_forgotten(&self) -> Option<Refusal> {
        let keys = self.keys.keys().iter();
        let of_algorithm = keys.filter(|key| key.algorithm() == self.key.algorithm());
        let ds = of_algorithm.filter_map(|key| self.ds_gone(key));
        last(ds.chain(self.signed_by_those_that_stay()))
    }

    /// Whether all that is left of the key can leave the zone at once.
    pub(super) fn removed(&self) -> Vec<Option<Refusal>> {
        let (key, times) = (self.key, &self.key.times);
        match key.state {
            // What has no DNSKEY in the zone is needed by nobody there.
            KeyState::PreActive if key.role.signs_zone() => Vec::new(),
            KeyState::PreActive => vec![self.successor()],
            KeyState::PostActive => {
                let wait = dnskey_forgotten(self.policy, key.role);
                let from = times.post_active;
                vec![from.and_then(|from| {
                    self.too_early(Rule::RetireInterval, &wait, "it was withdrawn at", from)
                })]
            }
            KeyState::Active => vec![
                self.swapped().or_else(|| self.left_alone()),
                self.signed_by_others(),
            ],
            KeyState::RetireActive => vec![
                match self.insecure() {
                    Some(insecure) => insecure,
                    None => self.ds_gone(key),
                },
                self.signed_by_others(),
            ],
            KeyState::Published | KeyState::Ready if key.signs_zone() => {
                vec![self.unused(), self.abandoned()]
            }
            KeyState::Generated
            | KeyState::Published
            | KeyState::Ready
            | KeyState::Retired
            | KeyState::Dead
            | KeyState::Removed
            | KeyState::Revoked
            | KeyState::Destroyed => vec![match times.retired {
                Some(_) => self.forgotten_since_retired(),
                None => self.unused(),
            }],
        }
    }

    /// Of an active key with a DS: whether every cache has DS and DNSKEY of another one.
    fn swapped(&self) -> Option<Refusal> {
        if !self.key.role.signs_dnskey() {
            return None;
        }
        let mut entry_points = self.successors().filter(|key| key.role.signs_dnskey()).peekable();
        if entry_points.peek().is_none() {
            return self.no_successor(Role::Ksk);
        }
        let found = entry_points.map(|key| {
            last(
                [self.ds_everywhere(key), self.dnskey_everywhere(key)]
                    .into_iter()
                    .flatten(),
            )
        });
        self.first_of(found)
    }

    /// Whether every cache has the DNSKEY of an active key: that of a KSK whose DS came first is in the zone only since it is active.
    pub(super) fn is_known(&self, key: &KeyRecord) -> Option<Refusal> {
        let ds_came_first = key.role == Role::Ksk && key.times.pre_active.is_some();
        if ds_came_first {
            self.dnskey_everywhere(key)
        } else {
            None
        }
    }

    fn dnskey_everywhere(&self, successor: &KeyRecord) -> Option<Refusal> {
        let since = format!("{} was published at", successor.name());
        let wait = publication_interval(&Figures::of(self.policy));
        self.too_early(Rule::RetireInterval, &wait, &since, successor.times.published?)
    }

    /// Of a key that signs the zone: whether every cache has signatures of other keys that it can verify, or needs none.
    fn signed_by_others(&self) -> Option<Refusal> {
        if !self.key.role.signs_zone() {
            return None;
        }
        let mut signers = self.signers().peekable();
        if signers.peek().is_some() {
            return self.first_of(signers.map(|key| self.signed_by(key)));
        }
        match self.complete_without(self.key.algorithm()) {
            Some(_) => self.algorithm_forgotten(),
            None => self.no_successor(Role::Zsk),
        }
    }

    /// Of a key that signs the zone and leaves it with its DNSKEY: whether every cache has signatures of those of its algorithm that stay.
    fn signed_by_those_that_stay(&self) -> Option<Refusal> {
        let algorithm = self.key.algorithm();
        let stays =
            |key: &&KeyRecord| key.algorithm() == algorithm && key.state.in_zone() && key.signs_zone();
        let mut signers = self.others().filter(stays).peekable();
        signers.peek()?;
        self.first_of(signers.map(|key| self.signed_by(key)))
    }

    fn signers(&self) -> impl Iterator<Item = &'a KeyRecord> {
        self.successors().filter(|key| key.role.signs_zone())
    }

    /// Whether every cache has signatures of `other`, and its DNSKEY. Where it signs for longer than this key, that never signed alone.
    fn signed_by(&self, other: &KeyRecord) -> Option<Refusal> {
        if other.times.signing() < self.key.times.signing() {
            return self.dnskey_everywhere(other);
        }
        let from = other.times.signing().max(other.times.published)?;
        let since = format!("{} and it sign both since", other.name());
        self.too_early(
            Rule::RetireInterval,
            &z4_retire_interval(&Figures::of(self.policy)),
            &since,
            from,
        )
    }

    /// Of a key that signs the zone and never took over: whether it can go with its signatures.
    fn abandoned(&self) -> Option<Refusal> {
        let mut signers = self.signers().peekable();
        if signers.peek().is_some() {
            return self.first_of(signers.map(|key| self.signed_by(key)));
        }
        if !self.keys.keys().iter().any(KeyRecord::had_ds) {
            return None;
        }
        let algorithm = self.key.algorithm();
        Some(Refusal::new(
            Rule::RetireInterval,
            format!(
                "no other ZSK of {algorithm} is active, and caches can have a DNSKEY RRset with that algorithm"
            ),
            "withdraw it first, and wait until its DNSKEY has left the caches",
        ))
    }

    /// Of a key that was never retired: what never took over is in no signature, and what was never submitted in no DS.
    fn unused(&self) -> Option<Refusal> {
        let times = &self.key.times;
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
}

/// The refusal that is lifted last; of several at once the last one of these.
pub(super) fn last(refusals: impl Iterator<Item = Refusal>) -> Option<Refusal> {
    refusals.max_by_key(|refusal| (refusal.not_before.is_none(), refusal.not_before))
}
