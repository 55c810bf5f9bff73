//! Algorithms that come and go: every algorithm of the DS or the DNSKEY RRset signs the whole zone, and caches know that (RFC 6840 5.11).

use super::{Gate, Refusal, Rule};
use crate::algorithm::KeyAlgorithm;
use crate::key_record::KeyRecord;
use crate::life::KeyState;
use crate::timing::{Figures, a1_signature_interval};

impl Gate<'_> {
    /// Whether the DNSKEY is the first of its algorithm in a signed zone, of which caches have answers that this algorithm did not sign.
    ///
    /// The algorithm of a key that was introduced is in the zone with its signatures: whoever does that relies on validators that ask for no
    /// more than one algorithm (RFC 6781 4.1.4, the liberal approach).
    pub(super) fn algorithm(&self) -> Option<Refusal> {
        let algorithm = self.key.algorithm();
        let in_zone = |key: &&KeyRecord| key.state.in_zone() && key.signs_zone();
        if !self.others().any(|key| in_zone(&key))
            || self
                .others()
                .filter(in_zone)
                .any(|key| key.algorithm() == algorithm)
        {
            return None;
        }
        let comes_first = |key: &&KeyRecord| key.algorithm() == algorithm && key.state == KeyState::PreActive;
        let (since, from) = if self.key.role.signs_zone() {
            let from = self.key.times.pre_active.filter(|_| comes_first(&self.key));
            ("it was pre-activated at".to_owned(), from)
        } else {
            let mut signers: Vec<_> = self
                .others()
                .filter(|key| key.role.signs_zone())
                .filter(comes_first)
                .collect();
            signers.sort_by_key(|key| key.times.pre_active);
            match signers.first() {
                Some(first) => (
                    format!("{} was pre-activated at", first.name()),
                    first.times.pre_active,
                ),
                None => (String::new(), None),
            }
        };
        match from {
            Some(from) => self.too_early(
                Rule::Algorithm,
                &a1_signature_interval(&Figures::of(self.policy)),
                &since,
                from,
            ),
            None => Some(Refusal::new(
                Rule::Algorithm,
                format!("no key of {algorithm} signs the zone, and validators would look for its signatures"),
                format!("pre-activate or introduce a ZSK of {algorithm} first"),
            )),
        }
    }

    /// Whether the key is the first of its algorithm to sign, although its DNSKEY is in the zone: then its signatures are in no cache.
    pub(super) fn begins_to_sign(&self) -> Option<Refusal> {
        if self.key.signs_zone() || !self.key.role.signs_zone() {
            return None;
        }
        self.algorithm()
    }

    /// Another algorithm than that one, of which a KSK and a ZSK are active: the zone can do without the one.
    pub(super) fn complete_without(&self, algorithm: KeyAlgorithm) -> Option<KeyAlgorithm> {
        let active = |key: &&KeyRecord| key.state == KeyState::Active && key.algorithm() != algorithm;
        let known = |key: &&KeyRecord| key.role.signs_dnskey() && self.is_known(key).is_none();
        let entry_points = self.others().filter(active).filter(known);
        entry_points.map(KeyRecord::algorithm).find(|other| {
            self.others()
                .filter(active)
                .any(|key| key.role.signs_zone() && key.algorithm() == *other)
        })
    }
}
