//! Plans of every method, proved, and no second too long or too short without its being seen.

#![expect(clippy::unwrap_used, reason = "what a test needs and lacks is a failure")]

mod site;

use key_metadata::policy::{AlgorithmRollover, TrustAnchor};
use key_metadata::step::Step;
use key_metadata::{Algorithm, KeySpec, Role, RolloverMethod, Span};
use rollover::chain::Validators;
use rollover::margin::margins;
use rollover::outline::Outline;
use rollover::plan::{Act, Plan, PlannedStep};
use rollover::planned::Planned;
use rollover::planner::{Goal, claim};
use rollover::prove::{Claim, prove};
use rollover::status::{Alarm, Limits, Measured, Status};
use site::{Zone, policy};

/// Every step with a margin can be moved by it, and by no second more.
fn is_tight(plan: &Plan) {
    let claim = Claim {
        validators: Validators::Strict,
        since: plan.now,
        trust_anchors: None,
    };
    is_tight_for(plan, &claim);
}

fn is_tight_for(plan: &Plan, claim: &Claim) {
    let margins = margins(&plan.schedule, claim).unwrap();
    assert!(!margins.is_empty());
    for margin in &margins {
        let moved = |seconds| {
            let earlier = plan.schedule.earlier(margin.cause, Span::from_seconds(seconds));
            prove(&earlier, claim).unwrap()
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

/// A zone that goes over to another algorithm than its policy's keeps it: the rollovers that follow make no key of the old one.
#[test]
fn the_rollovers_after_an_algorithm_rollover_are_of_the_new_algorithm() {
    let rsa = KeySpec::new(Algorithm::RsaSha256, Some(3072)).unwrap();
    let mut double_signature = policy("small-tld");
    double_signature.keys.zsk.as_mut().unwrap().rollover = Some(RolloverMethod::DoubleSignature);
    for policy in [policy("small-tld"), policy("csk"), double_signature] {
        let plan = Zone::signed(policy)
            .plan(730, vec![Goal::Algorithm(rsa)])
            .unwrap();
        let made = plan.steps.iter().filter(|step| step.act == Act::Generate);
        let made: Vec<_> = made.filter_map(|step| step.command.clone()).collect();
        assert!(made.len() > 2, "{made:?}");
        for command in made {
            assert!(
                command.ends_with("--algorithm RSASHA256 --bits 3072"),
                "{command}"
            );
        }
    }
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
        // Those who follow the keys by RFC 5011 are waited for too.
        is_tight_for(&plan, &claim(&zone.request(2200, Vec::new()), &plan.schedule));
    }
}

/// However much else leaves the caches in those months.
#[test]
fn a_revocation_that_waits_longer_than_it_must_has_a_margin() {
    let mut policy = policy("small-tld");
    policy.trust_anchor = TrustAnchor::Rfc5011;
    policy.keys.zsk.as_mut().unwrap().lifetime = "6d".parse().unwrap();
    let zone = Zone::signed(policy);
    let goals = vec![Goal::Roll(Role::Ksk)];
    let plan = zone.plan(200, goals.clone()).unwrap();
    let claim = claim(&zone.request(200, goals), &plan.schedule);
    let revoke = plan.steps.iter().find(|step| step.act == Act::Revoke).unwrap();
    let is_removal = |step: &&PlannedStep| step.act == Act::Remove && step.keys == revoke.keys;
    let remove = plan.steps.iter().find(is_removal).unwrap();
    for later in [0, 60 * 86_400] {
        let later = Span::from_seconds(later);
        let mut schedule = plan.schedule.clone();
        schedule.each_event(|event| {
            if [revoke.cause, remove.cause].contains(&event.cause) {
                (event.from, event.by) = (event.from.after(later), event.by.after(later));
            }
        });
        let margins = margins(&schedule, &claim).unwrap();
        let of = |step: &PlannedStep| margins.iter().find(|margin| margin.cause == step.cause);
        assert_eq!(of(revoke).map(|margin| margin.slack), Some(later));
        assert_eq!(of(remove).map(|margin| margin.slack), Some(Span::from_seconds(0)));
    }
}

/// Also where the signer has it in the same second: what the zone was before the plan is in caches.
#[test]
fn the_first_ds_waits_for_unsigned_answers() {
    let mut policy = policy("small-tld");
    policy.signatures.resign = Span::from_seconds(0);
    let zone = Zone::new(policy);
    let plan = zone.plan(30, Vec::new()).unwrap();
    let submit = plan.steps.iter().find(|step| step.act == Act::Submit).unwrap();
    let margins = margins(
        &plan.schedule,
        &claim(&zone.request(30, Vec::new()), &plan.schedule),
    )
    .unwrap();
    let margin = margins
        .iter()
        .find(|margin| margin.cause == submit.cause)
        .unwrap();
    assert_eq!(margin.slack, Span::from_seconds(0));
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

#[test]
fn what_happened_is_held_against_the_plan_that_was_written() {
    let mut zone = Zone::signed(policy("small-tld"));
    let plan = zone.plan(30, Vec::new()).unwrap();
    let text = rollover::pictures::json(&plan).unwrap();
    let labels = |planned: &Planned| -> Vec<String> {
        planned
            .schedule
            .keys
            .iter()
            .map(|key| key.label.clone())
            .collect()
    };
    let read = Planned::read(&text, &zone.keys).unwrap();
    assert_eq!((read.now, &read.schedule), (plan.now, &plan.schedule));
    assert_eq!(labels(&read)[2], "ZSK new 1");

    // The key that was to be made has been.
    zone.now = zone.now.after(Span::from_seconds(7200));
    zone.take(Role::Zsk, &[Step::Publish]);
    let made = zone.keys.keys().last().unwrap().name();
    let read = Planned::read(&text, &zone.keys).unwrap();
    assert_eq!(labels(&read)[2], made);

    for (text, error) in [
        ("{}", "this is no plan as 'keyrite-rollover plan --out' writes it"),
        (
            &text.replacen("\"version\": 1", "\"version\": 2", 1),
            "a plan of version 2, and this tool reads 1",
        ),
        (
            &text.replace("\"example\"", "\"another\""),
            "a plan of another, not of example",
        ),
        (
            &text[..text.len() / 2],
            "this is no plan as 'keyrite-rollover plan --out' writes it",
        ),
    ] {
        assert_eq!(Planned::read(text, &zone.keys).unwrap_err().to_string(), error);
    }
}

#[test]
fn the_outline_of_a_plan_is_that_of_its_json() {
    let plan = Zone::signed(policy("small-tld")).plan(800, Vec::new()).unwrap();
    let outline = Outline::of(&plan);
    let one = rollover::pictures::json(&plan).unwrap();
    let several = serde_json::json!({ "version": 1, "plans": [plan] }).to_string();
    for text in [one, several] {
        assert_eq!(Outline::read(&text).unwrap(), std::slice::from_ref(&outline));
    }
    assert!(outline.differences(&outline).is_empty());
}

/// A status tells what a monitor must know, and when it must not be told.
#[test]
fn alarms_are_told_when_something_is_late() {
    let zone = Zone::signed(policy("small-tld"));
    let limits = |runway, grace| Limits {
        runway: site::time("2026-12-01T00:00:00Z")
            .after(Span::from_seconds(runway))
            .since(zone.now),
        grace: Span::from_seconds(grace),
    };
    let plan = zone.plan(30, Vec::new()).unwrap();
    // The ZSK has been in use for a year, and its lifetime is 90 days.
    let alarms = |limits, measured| Status::of(&plan, limits, measured).alarms;
    const DAY: u32 = 86_400;
    assert_eq!(alarms(limits(DAY, DAY), Measured::Enough), [Alarm::Overdue]);
    assert_eq!(alarms(limits(DAY, 400 * DAY), Measured::Enough), []);
    assert_eq!(alarms(limits(DAY, 400 * DAY), Measured::Never), [Alarm::Evidence]);
    let least = plan.runway.left.seconds();
    assert_eq!(alarms(limits(least, 400 * DAY), Measured::Enough), []);
    assert_eq!(
        alarms(limits(least + 1, 400 * DAY), Measured::Enough),
        [Alarm::Runway]
    );
}
