//! Keys that go: what does their part, and when no cache needs what is left of them.

use super::waits::dnskey_forgotten;
use super::{Gate, Refusal, Rule};
use crate::key_record::KeyRecord;
use crate::life::KeyState;
use crate::role::Role;
use crate::timing::{Figures, publication_interval, z4_retire_interval};

impl<'a> Gate<'a> {
    /// The other keys that are active and of the same algorithm.
    fn successors(&self) -> impl Iterator<Item = &'a KeyRecord> {
        let algorithm = self.key.algorithm();
        self.others()
            .filter(move |key| key.state == KeyState::Active && key.algorithm() == algorithm)
    }

    /// A part of the key that no other active key of its algorithm has.
    fn lacking(&self) -> Option<Role> {
        let role = self.key.role;
        if role.signs_dnskey() && !self.successors().any(|key| key.role.signs_dnskey()) {
            return Some(Role::Ksk);
        }
        (role.signs_zone() && !self.successors().any(|key| key.role.signs_zone())).then_some(Role::Zsk)
    }

    /// Whether the key can stop doing its part while its DNSKEY stays. That a zone leaves its algorithm is no reason for a ZSK: as long as the
    /// DNSKEY RRset has the algorithm, that signs the zone.
    pub(super) fn successor(&self) -> Option<Refusal> {
        match self.key.role {
            Role::Ksk => self.successor_of_any_algorithm(),
            Role::Zsk | Role::Csk => {
                let (lacking, algorithm) = (self.lacking()?, self.key.algorithm());
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
            }
        }
    }

    /// Whether the DS of the key can go.
    pub(super) fn successor_of_any_algorithm(&self) -> Option<Refusal> {
        let lacking = self.lacking()?;
        match self.complete_without(self.key.algorithm()) {
            Some(_) => None,
            None => self.no_successor(lacking),
        }
    }

    /// The zone goes on without such a key only when it has had no DS for long enough.
    fn no_successor(&self, lacking: Role) -> Option<Refusal> {
        if let Some(insecure) = self.insecure() {
            return insecure;
        }
        let algorithm = self.key.algorithm();
        Some(Refusal::new(
            Rule::Successor,
            format!("no other {lacking} of {algorithm} is active, and the zone would be without"),
            format!("activate its successor first: another {lacking} of {algorithm}"),
        ))
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

    /// Whether no cache has a DS of the key's algorithm.
    fn algorithm_forgotten(&self) -> Option<Refusal> {
        let keys = self.keys.keys().iter();
        let of_algorithm = keys.filter(|key| key.algorithm() == self.key.algorithm());
        last(of_algorithm.filter_map(|key| self.ds_gone(key)))
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
            KeyState::Active => vec![self.swapped(), self.signed_by_others()],
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
        let mut signers = self.successors().filter(|key| key.role.signs_zone()).peekable();
        if signers.peek().is_some() {
            let wait = z4_retire_interval(&Figures::of(self.policy));
            let found = signers.map(|key| {
                let from = key.times.signing().max(key.times.published)?;
                let since = format!("{} and it sign both since", key.name());
                self.too_early(Rule::RetireInterval, &wait, &since, from)
            });
            return self.first_of(found);
        }
        match self.complete_without(self.key.algorithm()) {
            Some(_) => self.algorithm_forgotten(),
            None => self.no_successor(Role::Zsk),
        }
    }

    /// Of a key that signs the zone and never took over: whether it can go with its signatures.
    fn abandoned(&self) -> Option<Refusal> {
        let others_sign = self.successors().any(|key| key.role.signs_zone());
        if others_sign || !self.keys.keys().iter().any(KeyRecord::had_ds) {
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

/// The refusal that is lifted last.
fn last(refusals: impl Iterator<Item = Refusal>) -> Option<Refusal> {
    refusals.max_by_key(|refusal| (refusal.not_before.is_none(), refusal.not_before))
}
