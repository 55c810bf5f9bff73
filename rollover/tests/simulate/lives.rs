//! Zones that live for years.

use key_metadata::timing::Figures;
use key_metadata::{Policy, Role, Span, Time, ZoneKeys, ZoneName};
use rollover::chain::Validators;
use rollover::planner::Goal;
use rollover::simulate::{Followed, Life, Setting, simulate_life, taken_over};

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

#[test]
fn ten_years_of_a_small_zone() {
    let policy = policy("small-tld");
    let zone: ZoneName = "example".parse().unwrap();
    let life = Life {
        zone: &zone,
        policy_name: "small-tld",
        policy: &policy,
        keys: ZoneKeys::new(zone.clone()),
        since: time("2026-01-01T00:00:00Z"),
        until: time("2036-01-01T00:00:00Z"),
        truth: Figures::of(&policy),
        wishes: vec![
            (time("2027-03-01T00:00:00Z"), Goal::Roll(Role::Ksk)),
            (time("2028-03-01T00:00:00Z"), Goal::Compromised(Role::Zsk)),
        ],
        delays: "5d".parse().unwrap(),
        outages: 20,
        followed: Followed::ByNobody,
        validators: Validators::Strict,
    };
    let setting = Setting {
        seed: 1,
        resolvers: 10,
        servers: 4,
        questions: 1000,
    };
    let mut days = 0;
    let report = simulate_life(&life, &setting, &mut || days += 1).unwrap();
    for happened in &report.happened {
        println!("{} {}", happened.at, happened.what);
    }
    for refusal in &report.refusals {
        println!("REFUSED {} {}", refusal.at, refusal.what);
    }
    for incident in &report.incidents {
        println!("{incident}");
    }
    println!(
        "{days} days, {} queries, {} validations",
        report.queries, report.validations
    );
    assert_eq!(report.incidents, []);
    let _ = (taken_over(&zone, &policy, life.since, 1), Span::from_seconds(1));
}
