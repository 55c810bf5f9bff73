//! Validators that follow the keys (RFC 5011), on schedules written by hand.

#![expect(clippy::unwrap_used, reason = "what a test needs and lacks is a failure")]

use key_metadata::{Role, Span, Time};
use rollover::anchors::{AnchorFault, TrustAnchors};
use rollover::chain::Validators;
use rollover::prove::{Claim, Fault, prove};
use rollover::schedule::{
    AlgorithmNumber, Caching, CauseIndex, Event, KeyIndex, KeyLanes, Propagation, Schedule, Signatures,
};

fn day(day: u32) -> Time {
    let begin: Time = "2026-01-01T00:00:00Z".parse().unwrap();
    begin.after(days(day))
}

const fn days(days: u32) -> Span {
    Span::from_seconds(days * 86_400)
}

/// A KSK that was always there and a ZSK, and a KSK that comes at day 1 and signs with it; the DNSKEY RRset is kept for that long.
fn two_ksks(ttl: Span) -> Schedule {
    let mut schedule = Schedule {
        zone: "example".parse().unwrap(),
        since: day(0),
        keys: Vec::new(),
        causes: vec!["something".to_owned()],
        caching: Caching {
            dnskey: vec![(day(0), ttl)],
            ds: vec![(day(0), days(1))],
            zone: vec![(day(0), days(1))],
        },
        propagation: Propagation {
            zone: Span::from_seconds(3600),
            parent: Span::from_seconds(3600),
        },
        signatures: Signatures {
            zone: days(100),
            dnskey: days(100),
        },
        silences: Vec::new(),
    };
    let first = Event::at(day(0), CauseIndex(0));
    for (label, role, begins) in [
        ("KSK 1", Role::Ksk, first),
        ("ZSK 2", Role::Zsk, first),
        ("KSK 3", Role::Ksk, Event::at(day(1), CauseIndex(0))),
    ] {
        let mut key = KeyLanes::new(label, role, AlgorithmNumber(13));
        key.dnskey.begin(begins);
        match role {
            Role::Ksk | Role::Csk => key.dnskey_rrsig.begin(begins),
            Role::Zsk => key.zone_rrsig.begin(begins),
        }
        schedule.add(key);
    }
    schedule.keys[0].ds.begin(first);
    schedule
}

fn faults(schedule: &Schedule) -> Vec<AnchorFault> {
    let claim = Claim {
        validators: Validators::Strict,
        since: day(0),
        trust_anchors: Some(TrustAnchors {
            initial: [KeyIndex(0)].into(),
            add_wait: days(64),
            remove_hold_down: days(30),
        }),
    };
    let found = prove(schedule, &claim).unwrap().err();
    let faults = found.into_iter().flatten().map(|found| match found.fault {
        Fault::Anchor { why } => Some(why),
        Fault::Chain { .. } | Fault::Incomplete { .. } | Fault::Expiry { .. } | Fault::Outage { .. } => None,
    });
    faults.map(Option::unwrap).collect()
}

/// The new key goes again on that day.
fn abandoned(on: u32) -> Schedule {
    let mut schedule = two_ksks(days(2));
    let ends = Event::at(day(on), CauseIndex(0));
    schedule.keys[2].dnskey.end(ends);
    schedule.keys[2].dnskey_rrsig.end(ends);
    schedule
}

#[test]
fn a_key_that_the_quickest_may_trust_is_not_just_taken_out() {
    // Seen on day 1, from a cache two days and an hour after it went still seen, and so trusted after 30 days.
    assert_eq!(faults(&abandoned(28)), []);
    assert_eq!(
        faults(&abandoned(29)),
        [AnchorFault::NeverRevoked {
            key: "KSK 3".to_owned()
        }]
    );
}

/// The old key is revoked when all trust the new one, and goes that many days later; the DNSKEY RRset is kept for so many.
fn revoked(ttl: u32, goes_after: u32) -> Schedule {
    let mut schedule = two_ksks(days(ttl));
    let cause = CauseIndex(0);
    schedule.keys[0].ds.end(Event::at(day(50), cause));
    schedule.keys[2].ds.begin(Event::at(day(50), cause));
    schedule.keys[0].revoked = Some(Event::at(day(80), cause));
    let ends = Event::at(day(80 + goes_after), cause);
    schedule.keys[0].dnskey.end(ends);
    schedule.keys[0].dnskey_rrsig.end(ends);
    schedule
}

#[test]
fn a_revocation_is_seen_through_every_cache() {
    let too_shortly = [AnchorFault::RevokedTooShortly {
        key: "KSK 1".to_owned(),
    }];
    assert_eq!(faults(&revoked(2, 30)), []);
    assert_eq!(faults(&revoked(2, 29)), too_shortly);
    // Twenty days in a cache, ten until the next look, and as much again for looks that are lost.
    assert_eq!(faults(&revoked(20, 30)), too_shortly);
    assert_eq!(faults(&revoked(20, 51)), []);
}
