//! The model checker, on schedules written by hand.

#![expect(clippy::unwrap_used, reason = "what a test needs and lacks is a failure")]

use key_metadata::Role;

use key_metadata::{Span, Time};
use rollover::chain::{Break, Validators};
use rollover::margin::margins;
use rollover::prove::{Claim, Delay, Fault, prove};
use rollover::rrsets::Rrset;
use rollover::schedule::{AlgorithmNumber, Caching, Event, KeyLanes, Propagation, Signatures};
use rollover::schedule::{CauseIndex, Schedule};

const HOUR: u32 = 3600;

fn time(hours: u32) -> Time {
    "2026-01-01T00:00:00Z"
        .parse::<Time>()
        .unwrap()
        .after(Span::from_seconds(hours * HOUR))
}

fn span(hours: u32) -> Span {
    Span::from_seconds(hours * HOUR)
}

/// A KSK and a ZSK that were always there; Dprp 1 h, TTLkey 1 h, TTLsig 24 h, DprpP 1 h, TTLds 24 h.
fn steady() -> Schedule {
    let mut schedule = Schedule {
        zone: "example".parse().unwrap(),
        since: time(0),
        keys: Vec::new(),
        causes: vec!["the beginning".to_owned()],
        caching: Caching {
            dnskey: vec![(time(0), span(1))],
            ds: vec![(time(0), span(24))],
            zone: vec![(time(0), span(24))],
        },
        propagation: Propagation {
            zone: span(1),
            parent: span(1),
        },
        signatures: Signatures {
            zone: span(240),
            dnskey: span(240),
        },
        silences: Vec::new(),
    };
    let first = Event::at(time(0), CauseIndex(0));
    let mut ksk = KeyLanes::new("KSK 1", Role::Ksk, AlgorithmNumber(13));
    ksk.dnskey.begin(first);
    ksk.dnskey_rrsig.begin(first);
    ksk.ds.begin(first);
    schedule.add(ksk);
    let mut zsk = KeyLanes::new("ZSK 2", Role::Zsk, AlgorithmNumber(13));
    zsk.dnskey.begin(first);
    zsk.zone_rrsig.begin(first);
    schedule.add(zsk);
    schedule
}

fn claim() -> Claim {
    Claim {
        validators: Validators::Strict,
        since: time(0),
        trust_anchors: None,
    }
}

/// A ZSK pre-publication: published at 10 h, active that many seconds later, the old one removed that many seconds after.
fn zsk_roll(ipub: u32, iret: u32) -> (Schedule, CauseIndex, CauseIndex) {
    let mut schedule = steady();
    let publish = schedule.cause("publish");
    let activate = schedule.cause("activate");
    let remove = schedule.cause("remove");
    let tpub = time(10);
    let tact = tpub.after(Span::from_seconds(ipub));
    let trem = tact.after(Span::from_seconds(iret));
    let mut new = KeyLanes::new("ZSK 3", Role::Zsk, AlgorithmNumber(13));
    new.dnskey.begin(Event::at(tpub, publish));
    new.zone_rrsig.begin(Event::at(tact, activate));
    schedule.add(new);
    schedule.keys[1].zone_rrsig.end(Event::at(tact, activate));
    schedule.keys[1].dnskey.end(Event::at(trem, remove));
    (schedule, activate, remove)
}

#[test]
fn a_zone_that_does_not_change_is_proved() {
    let proof = prove(&steady(), &claim()).unwrap().unwrap();
    assert_eq!((proof.versions, proof.mixes), ([1, 1, 1], 1));
}

#[test]
fn a_zsk_roll_is_safe_to_the_second() {
    // Ipub = Dprp + TTLkey = 2 h, Iret = Dprp + TTLsig = 25 h.
    let (exact, activate, remove) = zsk_roll(2 * HOUR, 25 * HOUR);
    assert!(prove(&exact, &claim()).unwrap().is_ok());
    let zero = Span::from_seconds(0);
    let margin = |cause, slack| rollover::margin::Margin { cause, slack };
    assert_eq!(
        margins(&exact, &claim()).unwrap(),
        [margin(activate, zero), margin(remove, zero)]
    );

    let (early, activate, _) = zsk_roll(2 * HOUR - 1, 25 * HOUR);
    let found = prove(&early, &claim()).unwrap().unwrap_err();
    assert_eq!(
        found[0].fault,
        Fault::Chain {
            why: Break::ZoneNotSigned {
                algorithm: AlgorithmNumber(13)
            }
        }
    );
    assert_eq!(found[0].at, time(12).before(Span::from_seconds(1)));
    assert_eq!(
        found[0].delay,
        Some(Delay {
            cause: activate,
            until: time(12)
        })
    );
    assert_eq!(
        found[0].tell(&early),
        "from 2026-01-01T11:59:59Z until 2026-01-01T12:00:00Z, a resolver may find no chain: the zone is not signed by a published key of \
         ECDSAP256SHA256; held: DS of KSK 1; DNSKEY of KSK 1, ZSK 2 signed by KSK 1; zone signed by ZSK 3; 'activate' must wait until \
         2026-01-01T12:00:00Z"
    );

    let (early, _, remove) = zsk_roll(2 * HOUR, 25 * HOUR - 1);
    let found = prove(&early, &claim()).unwrap().unwrap_err();
    assert_eq!(
        found[0].delay,
        Some(Delay {
            cause: remove,
            until: time(37)
        })
    );
}

#[test]
fn a_margin_is_seen() {
    let (late, activate, remove) = zsk_roll(5 * HOUR, 26 * HOUR);
    let margins = margins(&late, &claim()).unwrap();
    let of = |cause| margins.iter().find(|margin| margin.cause == cause).unwrap().slack;
    assert_eq!((of(activate), of(remove)), (span(3), span(1)));
    for (cause, slack) in [(activate, 3 * HOUR), (remove, HOUR)] {
        let moved = |seconds| prove(&late.earlier(cause, Span::from_seconds(seconds)), &claim()).unwrap();
        assert!(moved(slack).is_ok());
        assert!(moved(slack + 1).is_err());
    }
}

#[test]
fn a_ds_without_a_dnskey_is_found() {
    let mut schedule = steady();
    schedule.keys[0].dnskey.end(Event::at(time(50), CauseIndex(0)));
    schedule.keys[0]
        .dnskey_rrsig
        .end(Event::at(time(50), CauseIndex(0)));
    let found = prove(&schedule, &claim()).unwrap().unwrap_err();
    assert_eq!(
        found[0].fault,
        Fault::Chain {
            why: Break::NoKeyForDs {
                algorithm: AlgorithmNumber(13)
            }
        }
    );
    assert_eq!(
        (found[0].at, found[0].until, found[0].delay),
        (time(50), None, None)
    );
}

#[test]
fn signatures_must_outlive_caches() {
    let mut schedule = steady();
    schedule.signatures.zone = Span::from_seconds(25 * HOUR - 1);
    let found = prove(&schedule, &claim()).unwrap().unwrap_err();
    assert!(matches!(
        found[0].fault,
        Fault::Expiry {
            rrset: Rrset::Zone,
            ..
        }
    ));
    schedule.signatures.zone = span(25);
    assert!(prove(&schedule, &claim()).unwrap().is_ok());
    schedule.signatures.zone = span(100);
    let silence = |hours: u32| rollover::schedule::Silence {
        from: time(10),
        until: Some(time(10 + hours)),
        of: rollover::schedule::Silenced::All,
        cause: CauseIndex(0),
    };
    schedule.silences = vec![silence(75)];
    assert!(prove(&schedule, &claim()).unwrap().is_ok());
    // What follows at once, or overlaps, is one silence; an hour of signing between them is enough.
    let later = |from: u32, hours: u32| rollover::schedule::Silence {
        from: time(from),
        until: Some(time(from + hours)),
        ..silence(0)
    };
    for (second, is_safe) in [
        (later(80, 6), false),
        (later(85, 1), false),
        (later(86, 75), true),
    ] {
        schedule.silences = vec![silence(75), second];
        assert_eq!(prove(&schedule, &claim()).unwrap().is_ok(), is_safe, "{second:?}");
    }
    schedule.silences = vec![silence(76)];
    let found = prove(&schedule, &claim()).unwrap().unwrap_err();
    assert_eq!(
        found[0].fault,
        Fault::Outage {
            rrset: Rrset::Zone,
            expires: time(110)
        }
    );
}

#[test]
fn a_step_does_not_wait_for_what_it_takes_away_itself() {
    // Everything is exchanged at once, a day after the parent got the new DS, whose old one is still in caches.
    let mut schedule = steady();
    let parent = schedule.cause("the parent");
    let all = schedule.cause("all at once");
    schedule.keys[0].ds.end(Event::at(time(100), parent));
    for (label, role) in [("KSK 3", Role::Ksk), ("ZSK 4", Role::Zsk)] {
        let mut new = KeyLanes::new(label, role, AlgorithmNumber(13));
        new.dnskey.begin(Event::at(time(10), all));
        match role {
            Role::Ksk => {
                new.dnskey_rrsig.begin(Event::at(time(10), all));
                new.ds.begin(Event::at(time(100), parent));
            }
            Role::Zsk | Role::Csk => new.zone_rrsig.begin(Event::at(time(10), all)),
        }
        schedule.add(new);
    }
    for key in 0..2 {
        for lane in [0, 1, 2] {
            let key = &mut schedule.keys[key];
            let lane = [&mut key.dnskey, &mut key.dnskey_rrsig, &mut key.zone_rrsig]
                .into_iter()
                .nth(lane);
            lane.unwrap().end(Event::at(time(10), all));
        }
    }
    let found = prove(&schedule, &claim()).unwrap().unwrap_err();
    // The old DS has left the caches at 100 + 1 + 24 h; that the old signatures of the zone do so 25 h after the step is no help.
    assert_eq!(
        (found[0].at, found[0].delay),
        (
            time(10),
            Some(Delay {
                cause: all,
                until: time(125)
            })
        )
    );
}

/// Until when that version of an RRset is held.
fn held_until(schedule: &Schedule, rrset: Rrset, place: usize) -> Option<Time> {
    let versions = rollover::rrsets::Versions::of(schedule).unwrap();
    let versions = match rrset {
        Rrset::Ds => versions.ds,
        Rrset::Dnskey => versions.dnskey,
        Rrset::Zone => versions.zone,
    };
    versions[place].held_until
}

#[test]
fn a_version_has_only_the_ttls_of_its_time() {
    // ZSK 3 signs from 12 h on, so that the version before is served until 13 h.
    let (mut schedule, ..) = zsk_roll(2 * HOUR, 25 * HOUR);
    assert_eq!(held_until(&schedule, Rrset::Zone, 0), Some(time(37)));
    // A longer TTL that comes after that does not count, though a server that is behind still gives the version; with it comes the next one.
    schedule.caching.zone = vec![(time(0), span(24)), (time(12), span(240))];
    assert_eq!(held_until(&schedule, Rrset::Zone, 0), Some(time(37)));
    schedule.caching.zone = vec![(time(0), span(24)), (time(11), span(240))];
    assert_eq!(held_until(&schedule, Rrset::Zone, 0), Some(time(253)));
    // Nor does one that has gone before the version comes.
    schedule.keys[2]
        .zone_rrsig
        .end(Event::at(time(14), CauseIndex(0)));
    schedule.caching.zone = vec![(time(0), span(24)), (time(12), span(1))];
    assert_eq!(held_until(&schedule, Rrset::Zone, 1), Some(time(16)));
}

#[test]
fn no_dnskey_is_kept_as_long_as_other_negative_answers() {
    let mut schedule = steady();
    schedule.caching.dnskey = vec![(time(0), span(48))];
    for key in &mut schedule.keys {
        for lane in [
            &mut key.ds,
            &mut key.dnskey,
            &mut key.dnskey_rrsig,
            &mut key.zone_rrsig,
        ] {
            for presence in &mut lane.0 {
                presence.begins = Event::at(time(10), CauseIndex(0));
            }
        }
    }
    assert_eq!(held_until(&schedule, Rrset::Dnskey, 0), Some(time(35)));
}
