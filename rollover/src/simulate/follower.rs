//! Validators that follow a zone's KSKs by themselves: the states of RFC 5011 section 4.

use std::collections::{BTreeMap, BTreeSet};

use super::authority::{Held, Key};
use super::clock::{Lapse, Moment};
use super::validator::is_signed_by;
use crate::schedule::KeyIndex;

const HOUR: Lapse = Lapse(3_600_000);
const DAY: Lapse = Lapse(24 * 3_600_000);
const DAYS_15: Lapse = Lapse(15 * 24 * 3_600_000);
const DAYS_30: Lapse = Lapse(30 * 24 * 3_600_000);

/// What a key is to a validator that follows RFC 5011; one that it does not know is in the state Start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnchorState {
    /// It was seen, and is trusted once it has been seen for that long.
    AddPend {
        /// When it was seen first.
        since: Moment,
        /// For how long it must be.
        hold_down: Lapse,
    },
    /// A trust anchor.
    Valid,
    /// A trust anchor that is not in the DNSKEY RRset.
    Missing,
    /// Seen with the REVOKE bit: trusted never again. When it was seen last.
    Revoked(Moment),
    /// Revoked, and gone for long.
    Removed,
}

/// The trust anchors of a validator.
#[derive(Clone, Debug)]
pub struct Anchors {
    states: BTreeMap<KeyIndex, AnchorState>,
}

/// What a look at a DNSKEY RRset gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looked {
    /// It is signed by a trust anchor.
    Believed,
    /// It is not.
    NotBelieved,
}

impl Anchors {
    /// Somebody configured these keys.
    pub fn new(trusted: impl IntoIterator<Item = KeyIndex>) -> Self {
        let states = trusted.into_iter().map(|key| (key, AnchorState::Valid)).collect();
        Self { states }
    }

    /// The keys that are trusted now.
    pub fn trusted(&self) -> BTreeSet<KeyIndex> {
        let trusted = self.states.iter().filter(|(_, state)| match state {
            AnchorState::Valid | AnchorState::Missing => true,
            AnchorState::AddPend { .. } | AnchorState::Revoked(_) | AnchorState::Removed => false,
        });
        trusted.map(|(key, _)| *key).collect()
    }

    /// What a key is.
    pub fn state(&self, key: KeyIndex) -> Option<AnchorState> {
        self.states.get(&key).copied()
    }

    /// Looks at a DNSKEY RRset, as active refresh does. `ttl` is the original one.
    pub fn look(&mut self, keys: &[Key], dnskey: &Held, now: Moment) -> Looked {
        if dnskey.expires.is_none_or(|expires| expires <= now) {
            return Looked::NotBelieved;
        }
        let records = &dnskey.copy.records;
        // RevBit: the key is in a self-signed RRset with the bit set.
        for key in records.revoked.intersection(&records.signers) {
            match self.states.get(key) {
                Some(AnchorState::Valid | AnchorState::Missing | AnchorState::Revoked(_)) => {
                    self.states.insert(*key, AnchorState::Revoked(now));
                }
                Some(AnchorState::AddPend { .. } | AnchorState::Removed) | None => {}
            }
        }
        if !is_signed_by(&self.trusted(), dnskey) {
            return Looked::NotBelieved;
        }
        let here = |key: &KeyIndex| records.keys.contains(key) && !records.revoked.contains(key);
        let gone: Vec<_> = self.states.keys().filter(|key| !here(key)).copied().collect();
        for key in gone {
            self.key_rem(key, now);
        }
        let secure_entry_points = records.keys.iter().filter(|key| here(key));
        let secure_entry_points =
            secure_entry_points.filter(|key| keys.get(key.0).is_some_and(|key| key.role.signs_dnskey()));
        for key in secure_entry_points {
            self.key_pres(*key, dnskey.copy.ttl, now);
        }
        Looked::Believed
    }

    /// NewKey, KeyPres, AddTime.
    fn key_pres(&mut self, key: KeyIndex, ttl: Lapse, now: Moment) {
        let next = match self.states.get(&key) {
            None => AnchorState::AddPend {
                since: now,
                hold_down: DAYS_30.max(ttl),
            },
            Some(AnchorState::AddPend { since, hold_down }) if *since + *hold_down <= now => {
                AnchorState::Valid
            }
            Some(AnchorState::Missing) => AnchorState::Valid,
            Some(
                state @ (AnchorState::AddPend { .. }
                | AnchorState::Valid
                | AnchorState::Revoked(_)
                | AnchorState::Removed),
            ) => *state,
        };
        self.states.insert(key, next);
    }

    /// KeyRem, RemTime.
    fn key_rem(&mut self, key: KeyIndex, now: Moment) {
        match self.states.get(&key) {
            Some(AnchorState::AddPend { .. }) => {
                self.states.remove(&key);
            }
            Some(AnchorState::Valid) => {
                self.states.insert(key, AnchorState::Missing);
            }
            Some(AnchorState::Revoked(seen)) if *seen + DAYS_30 <= now => {
                self.states.insert(key, AnchorState::Removed);
            }
            Some(AnchorState::Missing | AnchorState::Revoked(_) | AnchorState::Removed) | None => {}
        }
    }
}

/// How long after a look the next one is, of a DNSKEY RRset with that TTL and that long until its RRSIG expires (RFC 5011 2.3).
pub fn query_interval(ttl: Lapse, expires_in: Lapse) -> Lapse {
    HOUR.max(DAYS_15.min(Lapse(ttl.0 / 2)).min(Lapse(expires_in.0 / 2)))
}

/// How long after one that gave nothing.
pub fn retry_time(ttl: Lapse, expires_in: Lapse) -> Lapse {
    HOUR.max(DAY.min(Lapse(ttl.0 / 10)).min(Lapse(expires_in.0 / 10)))
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use key_metadata::Role;

    use super::super::servers::{Copy, Records};
    use super::*;
    use crate::schedule::AlgorithmNumber;

    const OLD: KeyIndex = KeyIndex(0);
    const NEW: KeyIndex = KeyIndex(1);

    fn keys() -> [Key; 2] {
        ["old", "new"].map(|label| Key {
            label: label.to_owned(),
            role: Role::Ksk,
            algorithm: AlgorithmNumber(13),
        })
    }

    fn dnskey(keys: &[KeyIndex], revoked: &[KeyIndex], signers: &[KeyIndex]) -> Held {
        let set = |keys: &[KeyIndex]| keys.iter().copied().collect();
        Held {
            copy: Rc::new(Copy {
                records: Records {
                    keys: set(keys),
                    revoked: set(revoked),
                    signers: set(signers),
                },
                ttl: HOUR,
                since: Moment(0),
            }),
            until: Moment(i64::MAX),
            expires: Some(Moment(i64::MAX)),
        }
    }

    fn day(day: i64) -> Moment {
        Moment(day * DAY.0)
    }

    #[test]
    fn a_new_key_is_trusted_after_its_hold_down() {
        let mut anchors = Anchors::new([OLD]);
        let (without, with) = (dnskey(&[OLD], &[], &[OLD]), dnskey(&[OLD, NEW], &[], &[OLD]));
        let by_new = dnskey(&[OLD, NEW], &[], &[NEW]);
        assert_eq!(anchors.look(&keys(), &with, day(0)), Looked::Believed);
        // It was not always there: the time begins again.
        assert_eq!(anchors.look(&keys(), &without, day(20)), Looked::Believed);
        assert_eq!(anchors.state(NEW), None);
        anchors.look(&keys(), &with, day(21));
        anchors.look(&keys(), &with, day(51).just_before());
        assert_eq!(anchors.look(&keys(), &by_new, day(51)), Looked::NotBelieved);
        anchors.look(&keys(), &with, day(51));
        assert_eq!(anchors.state(NEW), Some(AnchorState::Valid));
        assert_eq!(anchors.look(&keys(), &by_new, day(52)), Looked::Believed);
    }

    #[test]
    fn only_a_key_itself_revokes_it() {
        let mut anchors = Anchors::new([OLD, NEW]);
        anchors.look(&keys(), &dnskey(&[OLD, NEW], &[OLD], &[NEW]), day(0));
        assert_eq!(anchors.state(OLD), Some(AnchorState::Missing));
        anchors.look(&keys(), &dnskey(&[OLD, NEW], &[OLD], &[OLD, NEW]), day(1));
        assert_eq!(anchors.trusted(), [NEW].into());
        anchors.look(&keys(), &dnskey(&[NEW], &[], &[NEW]), day(31).just_before());
        assert_eq!(anchors.state(OLD), Some(AnchorState::Revoked(day(1))));
        anchors.look(&keys(), &dnskey(&[OLD, NEW], &[], &[NEW]), day(31));
        anchors.look(&keys(), &dnskey(&[NEW], &[], &[NEW]), day(31));
        assert_eq!(anchors.state(OLD), Some(AnchorState::Removed));
    }

    #[test]
    fn intervals_have_their_bounds() {
        assert_eq!(query_interval(Lapse(DAY.0 * 2), Lapse(DAY.0 * 21)), DAY);
        assert_eq!(query_interval(HOUR, DAY), HOUR);
        assert_eq!(query_interval(Lapse(DAY.0 * 60), Lapse(DAY.0 * 60)), DAYS_15);
        assert_eq!(retry_time(Lapse(DAY.0 * 60), Lapse(DAY.0 * 60)), DAY);
    }
}
