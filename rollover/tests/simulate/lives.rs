//! Zones that live for years.

use key_metadata::timing::Figures;
use key_metadata::{Algorithm, KeySpec, Policy, Role, RolloverMethod, Span, Time, ZoneKeys, ZoneName};
use rollover::chain::Validators;
use rollover::planner::Goal;
use rollover::simulate::{Followed, Life, LifeError, Report, Setting, simulate_life, taken_over};

fn policy(name: &str) -> Policy {
    let (_, text) = key_metadata::policy::SHIPPED
        .iter()
        .find(|(known, _)| *known == name)
        .unwrap();
    Policy::from_yaml(text).unwrap()
}

fn time(text: &str) -> Time {
    text.parse().unwrap()
}

fn days(days: u32) -> Span {
    Span::from_seconds(days * 86_400)
}

/// So many days of a zone that was never signed before, without any trouble.
fn quiet<'a>(zone: &'a ZoneName, policy: &'a Policy, length: u32) -> Life<'a> {
    let since = time("2026-01-01T00:00:00Z");
    Life {
        zone,
        policy_name: "test",
        policy,
        keys: ZoneKeys::new(zone.clone()),
        since,
        until: since.after(days(length)),
        truth: Figures::of(policy),
        wishes: Vec::new(),
        delays: days(1),
        outages: 0,
        followed: Followed::ByNobody,
        validators: Validators::Strict,
    }
}

fn setting(seed: u64) -> Setting {
    Setting {
        seed,
        resolvers: 10,
        servers: 4,
        questions: 500,
    }
}

fn lived(life: &Life<'_>, seed: u64) -> Report {
    simulate_life(life, &setting(seed), &mut || ()).unwrap()
}

fn example() -> ZoneName {
    "example".parse().unwrap()
}

#[test]
fn ten_years_of_a_small_zone() {
    let (zone, policy) = (example(), policy("small-tld"));
    let life = Life {
        until: time("2036-01-01T00:00:00Z"),
        wishes: vec![
            (time("2027-03-01T00:00:00Z"), Goal::Roll(Role::Ksk)),
            (time("2028-03-01T00:00:00Z"), Goal::Compromised(Role::Zsk)),
        ],
        delays: days(5),
        outages: 20,
        ..quiet(&zone, &policy, 0)
    };
    let mut days = 0;
    let report = simulate_life(&life, &setting(1), &mut || days += 1).unwrap();
    for happened in &report.happened {
        println!("{} {}", happened.at, happened.what);
    }
    assert!((3640..=3652).contains(&days), "{days} days were told of");
    assert_eq!((&report.incidents[..], &report.refusals[..]), (&[][..], &[][..]));
    let begun = |title| {
        let found = report
            .done
            .rollovers
            .iter()
            .find(|(known, _)| known.starts_with(title));
        found.map(|(_, count)| *count)
    };
    assert_eq!(begun("first signing"), Some(1));
    // Each lives for 730 days, and the first one until it is wanted to be rolled.
    assert_eq!(begun("KSK rollover"), Some(5));
    assert!(begun("ZSK rollover").is_some_and(|count| (38..=42).contains(&count)));
    assert!(report.done.outages > 5 && report.done.steps > 200);
    assert_eq!(report, lived(&life, 1), "the same seed is another life");
    assert_ne!(report, lived(&life, 2));
}

/// What nobody has the key of can not be changed: what is published beside it waits until its successor signs.
#[test]
fn a_lost_ksk_takes_no_zsk_with_it() {
    let (zone, policy) = (example(), policy("small-tld"));
    for (length, delays, seed) in [(365, 3, 3), (730, 3, 5), (1095, 3, 3), (1095, 3, 5), (365, 0, 1)] {
        let half = time("2026-01-01T00:00:00Z").after(Span::from_seconds(length * 43_200));
        let life = Life {
            wishes: vec![(half, Goal::Lost(Role::Ksk, half))],
            delays: days(delays),
            ..quiet(&zone, &policy, length)
        };
        let report = simulate_life(
            &life,
            &Setting {
                questions: length,
                ..setting(seed)
            },
            &mut || (),
        )
        .unwrap();
        assert!(
            report.incidents.is_empty(),
            "{length} days, seed {seed}: {}",
            report.incidents[0]
        );
        assert!(
            report
                .happened
                .iter()
                .any(|happened| happened.what.starts_with("wanted"))
        );
    }
}

/// Nothing is planned as if somebody could sign with it.
#[test]
fn a_lost_csk_has_no_plan() {
    let (zone, policy) = (example(), policy("csk"));
    let half = time("2026-03-01T00:00:00Z");
    let life = Life {
        wishes: vec![(half, Goal::Lost(Role::Csk, half))],
        ..quiet(&zone, &policy, 120)
    };
    let report = lived(&life, 1);
    let first = &report.refusals[0];
    assert!(
        first.at >= half && first.what.contains("nobody can sign"),
        "{first:?}"
    );
    // Nobody can help it.
    let of = report.incidents.iter().map(|incident| incident.why.to_string());
    let others: Vec<_> = of.filter(|why| !why.ends_with("has expired")).collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(!report.incidents.is_empty());
}

#[test]
fn a_world_that_is_slower_than_its_policy_is_told_of() {
    let (zone, policy) = (example(), policy("small-tld"));
    let as_it_is = quiet(&zone, &policy, 400);
    assert_eq!(lived(&as_it_is, 1).incidents, []);
    let mut slower = quiet(&zone, &policy, 400);
    slower.truth.ttl_sig.span = days(3);
    let report = lived(&slower, 1);
    assert!(!report.incidents.is_empty());
    // The parent is waited for, however long it takes.
    let mut late = quiet(&zone, &policy, 400);
    late.wishes = vec![(time("2026-06-01T00:00:00Z"), Goal::Roll(Role::Ksk))];
    late.truth.dreg.span = days(30);
    let report = lived(&late, 1);
    assert_eq!(report.incidents, []);
    assert!(report.done.late_registrations > 0);
}

#[test]
fn keys_that_live_for_hours_are_not_simulated_for_years() {
    let zone = example();
    let mut policy = policy("small-tld");
    policy.keys.zsk.as_mut().unwrap().lifetime = "34h".parse().unwrap();
    let error = simulate_life(&quiet(&zone, &policy, 3650), &setting(1), &mut || ()).unwrap_err();
    assert!(
        matches!(
            error,
            LifeError::Busy {
                role: Role::Zsk,
                rollovers: 2576,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn who_follows_the_keys_follows_them_where_the_policy_is_for_that() {
    let zone = example();
    let since = time("2026-01-01T00:00:00Z");
    for (name, is_safe) in [("root-like", true), ("small-tld", false)] {
        let policy = policy(name);
        let life = Life {
            keys: taken_over(&zone, &policy, since, 1).unwrap(),
            followed: Followed::BySome,
            wishes: vec![(since.after(days(100)), Goal::Roll(Role::Ksk))],
            ..quiet(&zone, &policy, 500)
        };
        let report = lived(&life, 1);
        assert_eq!(report.incidents.is_empty(), is_safe, "{name}");
        assert_eq!(report.followers, 3);
    }
}

/// A KSK that had left for another of its algorithm, and waited to be destroyed, was to be retired with that one: and was in the zone again.
#[test]
fn a_key_that_has_left_does_not_come_back_with_an_algorithm() {
    let zone = example();
    let mut policy = policy("small-tld");
    for (key, rollover) in [
        (&mut policy.keys.ksk, RolloverMethod::DoubleDs),
        (&mut policy.keys.zsk, RolloverMethod::PrePublication),
    ] {
        let key = key.as_mut().unwrap();
        (key.rollover, key.standby) = (Some(rollover), 1);
    }
    policy.keys.ksk.as_mut().unwrap().lifetime = days(23);
    policy.dnskey_ttl = "6h".parse().unwrap();
    policy.signatures.resign = days(0);
    policy.parent.registration_delay = days(0);
    policy.safety.publish = days(0);
    policy.safety.retire = "6h".parse().unwrap();
    let algorithm = Goal::Algorithm(KeySpec::new(Algorithm::Ed25519, None).unwrap());
    for seed in [2, 46] {
        let life = Life {
            wishes: vec![(time("2026-03-20T00:00:00Z"), algorithm)],
            delays: days(7),
            ..quiet(&zone, &policy, 120)
        };
        let report = lived(&life, seed);
        assert_eq!(report.incidents, [], "seed {seed}");
    }
}
