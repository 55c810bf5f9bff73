//! What the parent has, or will have, or has had of a key.

use super::going::last;
use super::waits::{AtParent, ds_forgotten, ds_known};
use super::{Gate, Refusal, Rule};
use crate::key_record::KeyRecord;
use crate::life::KeyState;
use crate::role::Role;
use crate::timing::{
    Figures, Wait, first_ds_interval, publication_interval, registration_delay, retire_interval,
};

/// Since when the key's DS is at the parent.
pub(super) fn at_parent(key: &KeyRecord) -> Option<AtParent> {
    let seen = key.times.registered.map(AtParent::Seen);
    seen.or(key.times.submitted.map(AtParent::Told))
}

/// Whether the key's DS is at the parent, or can be: it was given there, and is neither gone nor to go.
fn is_at_parent(key: &KeyRecord) -> bool {
    at_parent(key).is_some() && gone(key).is_none()
}

/// Since when the key's DS is not at the parent any more.
fn gone(key: &KeyRecord) -> Option<AtParent> {
    let times = &key.times;
    let told = times.retired.or(times.retire_active).or(times.removed);
    times
        .deregistered
        .map(AtParent::Seen)
        .or(told.map(AtParent::Told))
}

impl Gate<'_> {
    /// Of a DS that is the first of its algorithm at the parent.
    pub(super) fn first_ds(&self) -> Option<Refusal> {
        let algorithm = self.key.algorithm();
        let of_algorithm = |key: &&KeyRecord| key.algorithm() == algorithm;
        let keys = || self.keys.keys().iter().filter(of_algorithm);
        if keys().any(is_at_parent) {
            return None;
        }
        let signs = |key: &&KeyRecord| key.signs_zone() && key.state.in_zone();
        // Said only where there is more than one: a zone's first DS is the first of its algorithm.
        let by = match self
            .keys
            .keys()
            .iter()
            .filter(signs)
            .any(|key| !of_algorithm(&key))
        {
            true => format!(" by {algorithm}"),
            false => String::new(),
        };
        let mut signers = keys().filter(signs).peekable();
        if signers.peek().is_some() {
            return self.first_of(signers.map(|key| self.signatures_known(key, &by)));
        }
        let (why, remedy) = match by.is_empty() {
            true => (
                "no key signs the zone yet".to_owned(),
                "activate a ZSK or CSK, and sign the zone".to_owned(),
            ),
            false => (
                format!("no key of {algorithm} that is published signs the zone yet"),
                format!("publish the ZSK of {algorithm}, and sign the zone"),
            ),
        };
        Some(Refusal::new(Rule::FirstDs, why, remedy))
    }

    /// Whether every cache has signatures of `signer`, and the DNSKEY to verify them with.
    fn signatures_known(&self, signer: &KeyRecord, by: &str) -> Option<Refusal> {
        let times = &signer.times;
        let too_early = |wait: &Wait, since: String, from| self.too_early(Rule::FirstDs, wait, &since, from);
        let signed = times.signing().and_then(|from| {
            let since = format!("the zone was first signed{by}, at");
            too_early(&first_ds_interval(&Figures::of(self.policy)), since, from)
        });
        // Of one that was published no later than this key, that is asked of this key.
        let later = times
            .published
            .filter(|from| Some(*from) > self.key.times.published);
        let published = later.and_then(|from| {
            let since = format!("{} was published at", signer.name());
            too_early(&publication_interval(&Figures::of(self.policy)), since, from)
        });
        last(signed.into_iter().chain(published))
    }

    /// Of a DS that goes to the parent before its DNSKEY is in the zone: until it is, another one's DS has to be there.
    pub(super) fn ds_beside(&self) -> Option<Refusal> {
        let algorithm = self.key.algorithm();
        let same = |key: &&KeyRecord| key.role.signs_dnskey() && key.algorithm() == algorithm;
        let mut others = self.others().filter(same).peekable();
        if others.peek().is_none() {
            return Some(Refusal::new(
                Rule::RegistrationDelay,
                format!("the zone has no other KSK of {algorithm}, whose DS could stand beside its own"),
                "publish it first, and submit its DS when every cache has its DNSKEY",
            ));
        }
        self.first_of(others.map(|key| self.can_stand_beside(key)))
    }

    /// Nothing, where one of those finds nothing; else what is lifted first.
    pub(super) fn first_of(&self, found: impl Iterator<Item = Option<Refusal>>) -> Option<Refusal> {
        let mut all = Vec::new();
        for refusal in found {
            all.push(refusal?);
        }
        all.into_iter()
            .min_by_key(|refusal| (refusal.not_before.is_none(), refusal.not_before))
    }

    /// Of a DS or DNSKEY that goes: whether it leaves the DS of another key alone, whose DNSKEY some caches do not have. Such a one needs another
    /// beside it.
    pub(super) fn left_alone(&self) -> Option<Refusal> {
        if !self.key.role.signs_dnskey() {
            return None;
        }
        let beside = |alone: &KeyRecord| {
            self.others()
                .any(|key| key.algorithm() == alone.algorithm() && self.can_stand_beside(key).is_none())
        };
        let others = self.others().filter(|key| !beside(key));
        last(others.filter_map(|key| {
            let ds = self.ds_gone(key)?;
            let refusal = if key.state.in_zone() {
                self.is_known(key)?
            } else {
                ds
            };
            Some(Refusal {
                why: format!("{}, and its DS would stand alone at the parent", refusal.why),
                ..refusal
            })
        }))
    }

    /// Whether a key's DS and DNSKEY are there, and known, so that another's DS can be there without its DNSKEY.
    fn can_stand_beside(&self, key: &KeyRecord) -> Option<Refusal> {
        if key.state != KeyState::Active || !is_at_parent(key) {
            let why = format!(
                "{} is not active and known to have its DS at the parent",
                key.name()
            );
            return Some(Refusal::new(
                Rule::RegistrationDelay,
                why,
                "publish it first, and submit its DS when every cache has its DNSKEY",
            ));
        }
        let its_ds = format!("the DS of {}", key.name());
        self.is_registered(key, &its_ds).or_else(|| self.is_known(key))
    }

    pub(super) fn submitted(&self) -> Option<Refusal> {
        (self.key.role.signs_dnskey() && at_parent(self.key).is_none()).then(|| {
            Refusal::new(
                Rule::RegistrationDelay,
                "its DS was not given to the parent",
                "give the parent what 'keyrite-keyctl ds' prints, then 'keyrite-keyctl submit'",
            )
        })
    }

    pub(super) fn registered(&self) -> Option<Refusal> {
        self.is_registered(self.key, "its DS")
    }

    /// Whether the DS of `key`, which is called `its_ds`, is at the parent.
    fn is_registered(&self, key: &KeyRecord, its_ds: &str) -> Option<Refusal> {
        match at_parent(key)? {
            AtParent::Seen(_) => None,
            AtParent::Told(at) => self.too_early(
                Rule::RegistrationDelay,
                &registration_delay(&Figures::of(self.policy)),
                &format!("{its_ds} was submitted at"),
                at,
            ),
        }
    }

    /// Whether every cache that has the DS RRset has the DS of a key that is not published yet.
    pub(super) fn ds_published(&self) -> Option<Refusal> {
        let at_parent = at_parent(self.key)?;
        let since = match at_parent {
            AtParent::Seen(_) => "its DS was seen at the parent at",
            AtParent::Told(_) => "its DS was submitted at",
        };
        let wait = ds_known(self.policy, at_parent);
        self.too_early(Rule::PublicationInterval, &wait, since, at_parent.since())
    }

    /// Whether no cache has a DS RRset without the DS of `successor`.
    pub(super) fn ds_everywhere(&self, successor: &KeyRecord) -> Option<Refusal> {
        let name = successor.name();
        let Some(at_parent) = at_parent(successor) else {
            return Some(Refusal::new(
                Rule::RetireInterval,
                format!("since when the DS of {name} is at the parent is not known"),
                format!("have the DS of {name} seen at the parent"),
            ));
        };
        let since = match at_parent {
            AtParent::Seen(_) => format!("the DS of {name} was seen at the parent at"),
            AtParent::Told(_) => format!("the DS of {name} was submitted at"),
        };
        let wait = ds_forgotten(self.policy, at_parent);
        self.too_early(Rule::RetireInterval, &wait, &since, at_parent.since())
    }

    /// Whether no cache has the DS of `key`, which is this one or another.
    pub(super) fn ds_gone(&self, key: &KeyRecord) -> Option<Refusal> {
        if !key.had_ds() {
            return None;
        }
        let (it, its) = match key.id == self.key.id {
            true => ("it".to_owned(), "its DS".to_owned()),
            false => (key.name(), format!("the DS of {}", key.name())),
        };
        let Some(gone) = gone(key) else {
            return Some(Refusal::new(
                Rule::RetireInterval,
                format!("{it} is {}, and {its} is at the parent", key.state),
                format!("have the parent take {its} out"),
            ));
        };
        let times = &key.times;
        let since = match gone {
            AtParent::Seen(_) => format!("{its} was seen gone at"),
            AtParent::Told(_) if times.retired.is_some() => format!("{it} was retired at"),
            AtParent::Told(_) if times.retire_active.is_some() => format!("{it} was made retire-active at"),
            AtParent::Told(_) => format!("{it} was removed at"),
        };
        let wait = ds_forgotten(self.policy, gone);
        let gone = self.too_early(Rule::RetireInterval, &wait, &since, gone.since());
        // Of two that end together, as in the same second, what happened last is told.
        last(self.ds_on_its_way(key, &its).into_iter().chain(gone))
    }

    /// Of a DS that was given to the parent and not seen there: it may have come after it was seen missing.
    fn ds_on_its_way(&self, key: &KeyRecord, its_ds: &str) -> Option<Refusal> {
        let from = key.times.submitted.filter(|_| key.times.registered.is_none())?;
        let wait = retire_interval(&Figures::of(self.policy), Role::Ksk);
        self.too_early(
            Rule::RetireInterval,
            &wait,
            &format!("{its_ds} was submitted at"),
            from,
        )
    }

    /// Of a key that was retired: whether its last signatures and its DS have left every cache.
    pub(super) fn forgotten_since_retired(&self) -> Option<Refusal> {
        let times = &self.key.times;
        let from = times.retired?;
        let it = "it was retired at";
        let by_role = |role| {
            self.too_early(
                Rule::RetireInterval,
                &retire_interval(&Figures::of(self.policy), role),
                it,
                from,
            )
        };
        match (times.deregistered, self.key.role) {
            (None, role) => by_role(role),
            (Some(_), Role::Zsk) => by_role(Role::Zsk),
            (Some(_), Role::Ksk) => self.ds_gone(self.key),
            (Some(_), Role::Csk) => {
                let both = [self.ds_gone(self.key), by_role(Role::Zsk)];
                both.into_iter()
                    .flatten()
                    .max_by_key(|refusal| refusal.not_before)
            }
        }
    }

    /// Whether the DS of a key that is to be revoked has left every cache: a revoked key has another tag, and matches its DS no more.
    pub(super) fn ds_forgotten(&self) -> Option<Refusal> {
        match self.key.times.retired {
            Some(_) => self.forgotten_since_retired(),
            None if !self.key.had_ds() => None,
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

    /// Of a key that is out of the zone and was not retired before: whether its DS is still at the parent. The key is what could serve it.
    pub(super) fn ds_out(&self) -> Option<Refusal> {
        let times = &self.key.times;
        let waited = times.retired.is_some() || times.retire_active.is_some();
        if waited { None } else { self.ds_gone(self.key) }
    }
}
