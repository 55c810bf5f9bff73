//! What follows from a schedule, and what is wrong with it, against the same worked out by looking at everything.

#![expect(clippy::unwrap_used, reason = "what a test needs and lacks is a failure")]

mod naive;

use key_metadata::{Role, Span, Time};
use proptest::prelude::*;
use rollover::chain::Validators;
use rollover::prove::{Claim, Fault, prove};
use rollover::rrsets::{Rrset, Versions, VersionsError};
use rollover::schedule::{
    AlgorithmNumber, Caching, CauseIndex, Event, KeyLanes, Presence, Propagation, Schedule, Signatures,
    Silence, Silenced,
};

fn hour(hour: u32) -> Time {
    let begin: Time = "2026-01-01T00:00:00Z".parse().unwrap();
    begin.after(hours(hour))
}

const fn hours(hours: u32) -> Span {
    Span::from_seconds(hours * 3600)
}

/// Nothing yet, from the fifth hour on; everything is kept for an hour, and is everywhere in another.
fn empty() -> Schedule {
    Schedule {
        zone: "example".parse().unwrap(),
        since: hour(5),
        keys: Vec::new(),
        causes: vec!["something".to_owned(); 4],
        caching: Caching {
            dnskey: vec![(hour(5), hours(1))],
            ds: vec![(hour(5), hours(1))],
            zone: vec![(hour(5), hours(1))],
        },
        propagation: Propagation {
            zone: hours(1),
            parent: hours(1),
        },
        signatures: Signatures {
            zone: hours(10),
            dnskey: hours(10),
        },
        silences: Vec::new(),
    }
}

const fn window(from: Time, by: Time, cause: usize) -> Event {
    Event {
        from,
        by,
        cause: CauseIndex(cause),
    }
}

/// An event on a clock of hours, so coarse that many fall together.
fn event() -> impl Strategy<Value = Event> {
    let length = prop_oneof![2 => Just(0u32), 3 => 1u32..12];
    (0u32..30, length, 0usize..4)
        .prop_map(|(from, length, cause)| window(hour(from), hour(from + length), cause))
}

fn lane() -> impl Strategy<Value = Vec<Presence>> {
    let presence = (event(), prop::option::of(event())).prop_map(|(begins, ends)| Presence { begins, ends });
    prop::collection::vec(presence, 0..2)
}

/// Keys whose lanes begin and end at any time.
fn schedules(keys: usize) -> impl Strategy<Value = Schedule> {
    let role = prop_oneof![Just(Role::Ksk), Just(Role::Zsk), Just(Role::Csk)];
    let algorithm = prop_oneof![Just(13u8), Just(8)];
    let lanes = (
        lane(),
        lane(),
        lane(),
        lane(),
        prop::option::weighted(0.2, event()),
    );
    let ttls = prop::collection::btree_map(0u32..30, 0u32..20, 1..4);
    let silence = (event(), any::<bool>(), 0u8..3);
    (
        prop::collection::vec((role, algorithm, lanes), 1..=keys),
        (ttls.clone(), ttls),
        prop::collection::vec(silence, 0..4),
    )
        .prop_map(|(keys, ttls, silences)| {
            let mut schedule = empty();
            for (place, (role, algorithm, lanes)) in keys.into_iter().enumerate() {
                let mut key = KeyLanes::new(format!("key {place}"), role, AlgorithmNumber(algorithm));
                (
                    key.dnskey.0,
                    key.ds.0,
                    key.dnskey_rrsig.0,
                    key.zone_rrsig.0,
                    key.revoked,
                ) = lanes;
                schedule.add(key);
            }
            let list = |ttls: std::collections::BTreeMap<u32, u32>| {
                let ttls = ttls.into_iter();
                ttls.map(|(from, ttl)| (hour(from), hours(ttl))).collect()
            };
            schedule.caching.dnskey = list(ttls.0);
            schedule.caching.zone = list(ttls.1);
            let silences = silences.into_iter().map(|(event, ends, of)| Silence {
                from: event.from,
                until: ends.then_some(event.by),
                of: [Silenced::All, Silenced::Dnskey, Silenced::Zone][usize::from(of)],
                cause: event.cause,
            });
            schedule.silences = silences.collect();
            schedule
        })
}

const RRSETS: [Rrset; 3] = [Rrset::Ds, Rrset::Dnskey, Rrset::Zone];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn versions_are_the_sets_that_can_be_there(schedule in schedules(4)) {
        let ahead = RRSETS.map(|rrset| naive::changes_ahead(&schedule, rrset));
        prop_assume!(ahead.iter().all(|ahead| *ahead <= 8));
        let versions = Versions::of(&schedule).unwrap();
        for (rrset, found) in RRSETS.into_iter().zip([&versions.ds, &versions.dnskey, &versions.zone]) {
            let expected = naive::versions(&schedule, rrset);
            prop_assert_eq!(naive::in_order(found), expected, "{:?}", rrset);
        }
    }

    #[test]
    fn faults_are_those_that_a_look_at_every_pair_finds(schedule in schedules(5)) {
        let Ok(versions) = Versions::of(&schedule) else { return Ok(()) };
        let claim = Claim { validators: Validators::Standard, since: hour(0), trust_anchors: None };
        let found = prove(&schedule, &claim).unwrap().err().into_iter().flatten();
        let is_no_mix = |fault: &Fault| !matches!(fault, Fault::Chain { .. });
        let mut found: Vec<_> = found
            .filter(|found| is_no_mix(&found.fault))
            .map(|found| format!("{} {:?} {:?} {:?}", found.at, found.until, found.fault, found.mix))
            .collect();
        found.sort();
        prop_assert_eq!(found, naive::faults(&schedule, &versions));
    }
}

/// ZSKs of which each takes over in a window that overlaps the one before and the one after it.
fn chain(length: u32) -> Schedule {
    let mut schedule = empty();
    for number in 0..=length {
        let mut key = KeyLanes::new(format!("ZSK {number}"), Role::Zsk, AlgorithmNumber(13));
        let takes_over = |number: u32| {
            let from = 10 + number * 10;
            window(hour(from), hour(from + 15), number as usize)
        };
        key.zone_rrsig.begin(takes_over(number));
        if number < length {
            key.zone_rrsig.end(takes_over(number + 1));
        }
        schedule.add(key);
    }
    schedule
}

#[test]
fn a_long_chain_of_windows_is_followed() {
    let schedule = chain(40);
    let versions = Versions::of(&schedule).unwrap().zone;
    // At each of its beginnings: with the change before and without it; and before all of them.
    assert_eq!(versions.len(), 1 + 1 + 40 * 2);
    let middle: Vec<_> = versions
        .iter()
        .filter(|version| version.from == hour(210))
        .collect();
    let of = |keys: &[usize]| {
        keys.iter()
            .map(|key| rollover::schedule::KeyIndex(*key))
            .collect()
    };
    // The change from 19 to 20 comes at once, or that from 18 to 19 has come before it.
    assert_eq!(
        middle.iter().map(|version| &version.signers).collect::<Vec<_>>(),
        [&of(&[18, 20]), &of(&[20])]
    );
    assert_eq!(middle[0].until, Some(hour(215)));
    assert_eq!(middle[1].until, Some(hour(235)));
}

#[test]
fn only_what_is_open_at_one_time_is_too_much() {
    let all_at = |count: u32, hours: u32| {
        let mut schedule = empty();
        for number in 0..count {
            let mut key = KeyLanes::new(format!("KSK {number}"), Role::Ksk, AlgorithmNumber(13));
            let from = hour(10 + number);
            key.ds.begin(window(
                from,
                from.after(Span::from_seconds(hours * 3600)),
                number as usize,
            ));
            schedule.add(key);
        }
        Versions::of(&schedule)
    };
    assert!(all_at(30, 10).is_ok());
    let refused = all_at(30, 11).unwrap_err();
    assert_eq!(
        refused,
        VersionsError::TooManyAtOnce {
            count: 11,
            from: hour(20),
            by: hour(21)
        }
    );
}

/// Twice the rollovers are twice the versions and mixes, no more.
#[test]
fn versions_and_mixes_grow_with_the_changes() {
    let count = |length| {
        let mut schedule = chain(length);
        let mut ksk = KeyLanes::new("KSK", Role::Ksk, AlgorithmNumber(13));
        let first = window(hour(0), hour(0), 0);
        for lane in [&mut ksk.ds, &mut ksk.dnskey, &mut ksk.dnskey_rrsig] {
            lane.begin(first);
        }
        for key in &mut schedule.keys {
            key.dnskey.begin(first);
            key.zone_rrsig.0.truncate(1);
        }
        schedule.add(ksk);
        let claim = Claim {
            validators: Validators::Standard,
            since: hour(400_000),
            trust_anchors: None,
        };
        prove(&schedule, &claim).unwrap().unwrap()
    };
    let (short, long) = (count(100), count(200));
    assert_eq!(long.mixes - 2, 2 * (short.mixes - 2));
    assert_eq!(long.versions[2] - 2, 2 * (short.versions[2] - 2));
}
