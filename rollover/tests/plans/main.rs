//! Plans of every method, proved, and no second too long or too short without its being seen.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what a test needs and lacks is a failure"
)]

mod site;

use key_metadata::policy::AlgorithmRollover;
use key_metadata::step::Step;
use key_metadata::{Algorithm, KeySpec, Role, RolloverMethod, Span};
use rollover::chain::Validators;
use rollover::margin::margins;
use rollover::plan::Plan;
use rollover::planner::Goal;
use rollover::prove::{Claim, prove};
use site::{Zone, policy};

/// Every step with a margin can be moved by it, and by no second more.
fn is_tight(plan: &Plan) {
    let claim = Claim {
        validators: Validators::Strict,
        since: plan.now,
        trust_anchors: None,
    };
    let margins = margins(&plan.schedule, &claim).unwrap();
    assert!(!margins.is_empty());
    for margin in &margins {
        let moved = |seconds| {
            let earlier = plan.schedule.earlier(margin.cause, Span::from_seconds(seconds));
            prove(&earlier, &claim).unwrap()
        };
        let name = plan.schedule.cause_name(margin.cause);
        assert!(moved(margin.slack.seconds()).is_ok(), "{name}: {margin:?}");
        assert!(moved(margin.slack.seconds() + 1).is_err(), "{name}: {margin:?}");
    }
}

fn show(plan: &Plan) -> String {
    let mut text = String::new();
    for step in &plan.steps {
        let names: Vec<_> = step
            .keys
            .iter()
            .map(|key| plan.schedule.key_label(*key))
            .collect();
        text += &format!("{} {} {}\n", step.at, step.act, names.join(", "));
    }
    text
}

#[test]
fn two_years_of_a_small_zone() {
    let zone = Zone::signed(policy("small-tld"));
    let plan = zone.plan(730, Vec::new()).unwrap();
    println!("{}", show(&plan));
    println!("{:?} {:?}", plan.proof, plan.margins);
    is_tight(&plan);
}

#[test]
fn every_goal_has_a_safe_plan() {
    let rsa = KeySpec::new(Algorithm::RsaSha256, Some(2048)).unwrap();
    for goal in [
        Goal::Roll(Role::Ksk),
        Goal::Roll(Role::Zsk),
        Goal::Compromised(Role::Zsk),
        Goal::Lost(Role::Ksk, site::time("2026-12-01T00:00:00Z")),
        Goal::Lost(Role::Zsk, site::time("2026-12-01T00:00:00Z")),
        Goal::Algorithm(rsa),
        Goal::Insecure,
    ] {
        let zone = Zone::signed(policy("small-tld"));
        let plan = zone
            .plan(30, vec![goal])
            .map_err(|error| format!("{goal:?}: {error}"))
            .unwrap();
        println!("{goal:?}\n{}", show(&plan));
        is_tight(&plan);
    }
    let plan = Zone::new(policy("small-tld")).plan(30, Vec::new()).unwrap();
    println!("first\n{}", show(&plan));
    is_tight(&plan);
}

#[test]
fn every_shipped_policy_has_a_safe_plan() {
    for (name, _) in key_metadata::policy::SHIPPED {
        let zone = Zone::signed(policy(name));
        let plan = zone
            .plan(2200, Vec::new())
            .map_err(|error| format!("{name}: {error}"))
            .unwrap();
        println!("{name}\n{}", show(&plan));
        is_tight(&plan);
    }
}

#[test]
fn every_method_has_a_safe_plan() {
    for (role, method) in [
        (Role::Zsk, RolloverMethod::DoubleSignature),
        (Role::Ksk, RolloverMethod::DoubleDs),
        (Role::Ksk, RolloverMethod::DoubleRrset),
    ] {
        let mut policy = policy("small-tld");
        let keys = match role {
            Role::Zsk => policy.keys.zsk.as_mut(),
            Role::Ksk | Role::Csk => policy.keys.ksk.as_mut(),
        };
        keys.unwrap().rollover = Some(method);
        let plan = Zone::signed(policy)
            .plan(800, Vec::new())
            .map_err(|error| format!("{method}: {error}"))
            .unwrap();
        println!("{method}\n{}", show(&plan));
        is_tight(&plan);
    }
}

#[test]
fn a_liberal_algorithm_rollover_is_for_validators_that_keep_to_rfc_6840() {
    let mut policy = policy("small-tld");
    policy.algorithm_rollover = AlgorithmRollover::Liberal;
    let rsa = KeySpec::new(Algorithm::RsaSha256, Some(2048)).unwrap();
    let plan = Zone::signed(policy).plan(30, vec![Goal::Algorithm(rsa)]).unwrap();
    println!("{}", show(&plan));
    assert_eq!(plan.proof.validators, Validators::Standard);
    let strict = Claim {
        validators: Validators::Strict,
        since: plan.now,
        trust_anchors: None,
    };
    assert!(prove(&plan.schedule, &strict).unwrap().is_err());
}

#[test]
fn a_rollover_that_is_under_way_has_a_safe_way_back() {
    let mut zone = Zone::signed(policy("small-tld"));
    let error = zone.plan(30, vec![Goal::Abandon]).unwrap_err();
    assert_eq!(error.to_string(), "no key of example is on its way in");
    for steps in [&[Step::Publish][..], &[Step::Publish, Step::Submit]] {
        zone = Zone::signed(policy("small-tld"));
        zone.take(Role::Ksk, steps);
        let plan = zone.plan(30, vec![Goal::Abandon]).unwrap();
        println!("{}", show(&plan));
        is_tight(&plan);
    }
}
