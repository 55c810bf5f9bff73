//! What an RRset is from some time on, in place of what comes to it and goes from it.

use std::collections::BTreeSet;

use crate::schedule::{Event, KeyIndex, KeyLanes, Lane, Schedule};

/// Which keys are in each RRset, or signed it. Nothing is said of a part that is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sets {
    /// Whose DS is at the parent.
    pub ds: Option<BTreeSet<KeyIndex>>,
    /// Whose DNSKEY is in the zone.
    pub dnskey: Option<BTreeSet<KeyIndex>>,
    /// Who signed the DNSKEY RRset.
    pub dnskey_rrsig: Option<BTreeSet<KeyIndex>>,
    /// Who signed all other RRsets.
    pub zone_rrsig: Option<BTreeSet<KeyIndex>>,
    /// Those of the keys that have the REVOKE bit. It is never taken back.
    pub revoked: Option<BTreeSet<KeyIndex>>,
}

impl Sets {
    /// Makes the schedule's sets these, by that event. Those before it must have been told before.
    ///
    /// A bundle of a signed response is such a set: `dnskey` and `dnskey_rrsig`, at its inception.
    pub fn from_then_on(&self, schedule: &mut Schedule, event: Event) {
        type Part = fn(&mut KeyLanes) -> &mut Lane;
        let parts: [(&Option<BTreeSet<KeyIndex>>, Part); 4] = [
            (&self.ds, |key| &mut key.ds),
            (&self.dnskey, |key| &mut key.dnskey),
            (&self.dnskey_rrsig, |key| &mut key.dnskey_rrsig),
            (&self.zone_rrsig, |key| &mut key.zone_rrsig),
        ];
        for (place, key) in schedule.keys.iter_mut().enumerate() {
            let index = KeyIndex(place);
            for (set, part) in &parts {
                let Some(set) = set else { continue };
                let lane = part(key);
                match (lane.is_open(), set.contains(&index)) {
                    (false, true) => lane.begin(event),
                    (true, false) => lane.end(event),
                    (true, true) | (false, false) => {}
                }
            }
            let is_revoked = self.revoked.as_ref().is_some_and(|set| set.contains(&index));
            if is_revoked && key.revoked.is_none() {
                key.revoked = Some(event);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use key_metadata::{Role, Span, Time};

    use super::*;
    use crate::prove::{Claim, prove};
    use crate::schedule::{AlgorithmNumber, Caching, Propagation, Signatures};

    /// Bundles of an offline KSK, each with the DNSKEY RRset of its time, as a signed response has them.
    #[test]
    fn the_bundles_of_a_signed_response_are_a_history() {
        let day = |days: u32| -> Time {
            "2026-01-01T00:00:00Z"
                .parse::<Time>()
                .unwrap()
                .after(Span::from_seconds(days * 86_400))
        };
        let (hour, ten_days) = (Span::from_seconds(3600), Span::from_seconds(10 * 86_400));
        let mut schedule = Schedule {
            zone: "example".parse().unwrap(),
            since: day(0),
            keys: [("KSK", Role::Ksk), ("ZSK 1", Role::Zsk), ("ZSK 2", Role::Zsk)]
                .map(|(label, role)| KeyLanes::new(label, role, AlgorithmNumber(13)))
                .to_vec(),
            causes: Vec::new(),
            caching: Caching {
                dnskey: vec![(day(0), hour)],
                ds: vec![(day(0), hour)],
                zone: vec![(day(0), hour)],
            },
            propagation: Propagation {
                zone: hour,
                parent: hour,
            },
            signatures: Signatures {
                zone: ten_days,
                dnskey: ten_days,
            },
            silences: Vec::new(),
        };
        let of = |keys: &[usize]| Some(keys.iter().copied().map(KeyIndex).collect::<BTreeSet<_>>());
        let bundles = [
            (0, vec![0, 1]),
            (10, vec![0, 1, 2]),
            (20, vec![0, 2]),
            (30, vec![0, 2]),
        ];
        for (start, keys) in &bundles {
            let cause = schedule.cause(format!("bundle of day {start}"));
            let bundle = Sets {
                dnskey: of(keys),
                dnskey_rrsig: of(&[0]),
                ..Sets::default()
            };
            bundle.from_then_on(&mut schedule, Event::at(day(*start), cause));
        }
        let cause = schedule.cause("the signer");
        for (start, ds, signer) in [(0, Some([0]), 1), (11, None, 2)] {
            let sets = Sets {
                ds: ds.and_then(|ds| of(&ds)),
                zone_rrsig: of(&[signer]),
                ..Sets::default()
            };
            sets.from_then_on(&mut schedule, Event::at(day(start), cause));
        }
        let lane = |key: usize| schedule.keys[key].dnskey.0.clone();
        assert_eq!(
            (lane(1)[0].ends.unwrap().from, lane(2)[0].begins.from),
            (day(20), day(10))
        );
        assert_eq!([0, 1, 2].map(|key| lane(key).len()), [1, 1, 1]);
        let claim = Claim {
            validators: crate::chain::Validators::Strict,
            since: day(0),
            trust_anchors: None,
        };
        assert!(prove(&schedule, &claim).unwrap().is_ok());
        // Bundles that leave the old ZSK out from the day on that the signer changes leave its signatures in caches without a DNSKEY.
        let bundle = Sets {
            dnskey: of(&[0, 2]),
            ..Sets::default()
        };
        let mut early = schedule.clone();
        early.keys[1].dnskey = Lane::default();
        early.keys[1].dnskey.begin(Event::at(day(0), cause));
        bundle.from_then_on(&mut early, Event::at(day(11), cause));
        assert!(prove(&early, &claim).unwrap().is_err());
    }
}
