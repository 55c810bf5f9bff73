//! dnst's own state machine (the library `domain`), with the waits that it is told, and without.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use chrono::Utc;
use domain::base::Name;
use domain::base::iana::SecurityAlgorithm;
use domain::dnssec::sign::keys::keyset::{self, Available, RollType, UnixTime};
use interchange::dnst::KeySet;
use key_metadata::{Span, Time};
use rollover::chain::Validators;
use rollover::histories::{Circumstances, dnst};
use rollover::prove::{Claim, Counterexample, Proof, prove};
use rollover::schedule::{Propagation, Schedule, Signatures};

const SECOND: Span = Span::from_seconds(1);

const AROUND: Circumstances = Circumstances {
    ttl_dnskey: SECOND,
    ttl_ds: SECOND,
    ttl_zone: SECOND,
    propagation: Propagation {
        zone: SECOND,
        parent: SECOND,
    },
    signatures: Signatures {
        zone: Span::from_seconds(86_400),
        dnskey: Span::from_seconds(86_400),
    },
    dsgn: SECOND,
    registration_delay: SECOND,
};

/// A set with a KSK and a ZSK that were there for a day, and another of each.
fn keys() -> keyset::KeySet {
    let mut set = keyset::KeySet::new("example.com".parse::<Name<Vec<u8>>>().unwrap());
    let (algorithm, now) = (SecurityAlgorithm::ED25519, UnixTime::now);
    for (name, tag) in [("k1", 1), ("k2", 2)] {
        set.add_key_ksk(name.to_owned(), None, algorithm, tag, now(), Available::Available)
            .unwrap();
    }
    for (name, tag) in [("z1", 11), ("z2", 12)] {
        set.add_key_zsk(name.to_owned(), None, algorithm, tag, now(), Available::Available)
            .unwrap();
    }
    for name in ["k1", "z1"] {
        set.set_present(name, true).unwrap();
        set.set_signer(name, true).unwrap();
        set.set_visible(name, now()).unwrap();
    }
    set.set_at_parent("k1", true).unwrap();
    set.set_ds_visible("k1", now()).unwrap();
    set.set_rrsig_visible("z1", now()).unwrap();
    // It stamps with the clock.
    let mut json = serde_json::to_value(&set).unwrap();
    for name in ["k1", "z1"] {
        for (_, stamp) in json["keys"][name]["timestamps"].as_object_mut().unwrap() {
            if let Some(seconds) = stamp["secs"].as_u64() {
                stamp["secs"] = (seconds - 86_400).into();
            }
        }
    }
    serde_json::from_value(json).unwrap()
}

fn read(set: &keyset::KeySet, around: &Circumstances) -> (Schedule, Result<Proof, Vec<Counterexample>>) {
    let text = serde_json::to_string(set).unwrap();
    let (set, _) = KeySet::parse(Path::new("state"), &text).unwrap();
    let now = Time::from(Utc::now());
    let schedule = dnst::schedule(&set, around, now).unwrap().schedule;
    let claim = Claim {
        validators: Validators::Strict,
        since: now,
        trust_anchors: None,
    };
    let verdict = prove(&schedule, &claim).unwrap();
    (schedule, verdict)
}

fn is_safe(set: &keyset::KeySet, step: &str) {
    let (schedule, verdict) = read(set, &AROUND);
    if let Err(found) = verdict {
        let told: Vec<_> = found.iter().map(|found| found.tell(&schedule)).collect();
        panic!("{step}: {told:#?}");
    }
}

/// Takes a rollover to its end, with waits of that many seconds; `after` looks at each step.
fn roll(
    set: &mut keyset::KeySet,
    kind: RollType,
    [old, new]: [&str; 2],
    wait: u32,
    after: impl Fn(&keyset::KeySet, &str),
) {
    // What is on all servers when dnst is told so was on its way for a second.
    let second = || sleep(Duration::from_millis(if wait == 0 { 0 } else { 1100 }));
    let waits = || sleep(Duration::from_secs(wait.into()));
    set.start_roll(kind, &[old], &[new]).unwrap();
    after(set, "start");
    second();
    set.propagation1_complete(kind, wait).unwrap();
    after(set, "propagation 1");
    waits();
    set.cache_expired1(kind).unwrap();
    after(set, "cache 1");
    second();
    set.propagation2_complete(kind, wait).unwrap();
    after(set, "propagation 2");
    waits();
    set.cache_expired2(kind).unwrap();
    after(set, "cache 2");
    second();
    set.roll_done(kind).unwrap();
    after(set, "done");
}

#[test]
fn a_rollover_that_waits_is_proved_after_each_step() {
    std::thread::scope(|scope| {
        for (kind, keys_of) in [
            (RollType::KskRoll, ["k1", "k2"]),
            (RollType::KskDoubleDsRoll, ["k1", "k2"]),
            (RollType::ZskRoll, ["z1", "z2"]),
            (RollType::ZskDoubleSignatureRoll, ["z1", "z2"]),
        ] {
            scope.spawn(move || {
                let mut set = keys();
                is_safe(&set, "before");
                roll(&mut set, kind, keys_of, 3, |set, step| {
                    is_safe(set, &format!("{kind:?}, {step}"));
                });
            });
        }
    });
}

#[test]
fn a_wait_of_no_time_at_all_is_found() {
    let slow = Circumstances {
        ttl_ds: Span::from_seconds(86_400),
        ttl_zone: Span::from_seconds(86_400),
        ..AROUND
    };
    for (kind, keys_of, gone) in [
        (RollType::KskRoll, ["k1", "k2"], "KSK 1 is removed"),
        (RollType::ZskRoll, ["z1", "z2"], "ZSK 11 is removed"),
    ] {
        let mut set = keys();
        roll(&mut set, kind, keys_of, 0, |_, _| {});
        let (schedule, verdict) = read(&set, &slow);
        let found = verdict.unwrap_err();
        let steps: Vec<_> = found
            .iter()
            .filter_map(|found| found.delay)
            .map(|delay| schedule.cause_name(delay.cause))
            .collect();
        assert!(steps.iter().any(|step| step.contains(gone)), "{steps:?}");
    }
}
