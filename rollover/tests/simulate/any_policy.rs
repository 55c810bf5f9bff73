//! Zones that live by policies that nobody wrote: every method, any figures, something wanted in the middle, people who are late, outages.

use std::cell::Cell;

use key_metadata::policy::AlgorithmRollover;
use key_metadata::timing::Figures;
use key_metadata::{Algorithm, KeySpec, Policy, Role, RolloverMethod, Span, ZoneKeys, ZoneName};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rollover::chain::Validators;
use rollover::lint::{Severity, lint};
use rollover::planner::Goal;
use rollover::simulate::{Followed, Life, Setting, simulate_life};

use crate::cases;
use crate::random::since;

const DAY: u32 = 86_400;

fn span(seconds: u32) -> Span {
    Span::from_seconds(seconds)
}

/// From nothing to days.
fn figure() -> impl Strategy<Value = Option<Span>> {
    let known = [0, 1, 30, 300, 3600, 21_600, DAY, 3 * DAY];
    prop::option::weighted(0.4, (0..known.len()).prop_map(move |place| span(known[place])))
}

fn shipped(name: &str) -> Policy {
    let known = key_metadata::policy::SHIPPED
        .iter()
        .find(|(known, _)| *known == name);
    Policy::from_yaml(known.unwrap().1).unwrap()
}

prop_compose! {
    fn policy()(
        name in prop::sample::select(vec!["small-tld", "large-tld", "offline-ksk", "csk"]),
        figures in prop::collection::vec(figure(), 9),
        lifetimes in prop::collection::vec(prop::option::weighted(0.5, 15u32..120), 3),
        methods in prop::collection::vec(0usize..10, 3),
        standby in prop::collection::vec(prop_oneof![3 => Just(0u8), 1 => Just(1u8)], 3),
        is_liberal in any::<bool>(),
    ) -> Policy {
        let mut policy = shipped(name);
        let all = [
            &mut policy.dnskey_ttl, &mut policy.zone.max_ttl, &mut policy.zone.propagation_delay, &mut policy.parent.ds_ttl,
            &mut policy.parent.propagation_delay, &mut policy.parent.registration_delay, &mut policy.signatures.resign,
            &mut policy.safety.publish, &mut policy.safety.retire,
        ];
        for (field, figure) in all.into_iter().zip(figures) {
            *field = figure.unwrap_or(*field);
        }
        let keys = &mut policy.keys;
        let of_role = [(Role::Ksk, &mut keys.ksk), (Role::Zsk, &mut keys.zsk), (Role::Csk, &mut keys.csk)];
        for (place, (role, key)) in of_role.into_iter().enumerate() {
            let Some(key) = key else { continue };
            key.lifetime = lifetimes[place].map_or(key.lifetime, |days| span(days * DAY));
            let known = RolloverMethod::of(role);
            key.rollover = Some(known[methods[place] % known.len()]);
            key.standby = standby[place];
        }
        if is_liberal {
            policy.algorithm_rollover = AlgorithmRollover::Liberal;
        }
        policy
    }
}

/// What can be wanted of a zone that loses no key.
fn goals() -> impl Strategy<Value = Vec<Goal>> {
    let spec = |algorithm| Goal::Algorithm(KeySpec::new(algorithm, None).unwrap());
    let roles = prop::sample::select(vec![Role::Ksk, Role::Zsk, Role::Csk]);
    let goal = prop_oneof![
        roles.clone().prop_map(Goal::Roll),
        roles.prop_map(Goal::Compromised),
        Just(spec(Algorithm::Ed25519)),
        Just(spec(Algorithm::RsaSha256)),
        Just(Goal::Insecure),
    ];
    prop::collection::vec(goal, 0..3)
}

#[test]
fn no_plan_of_any_policy_leaves_a_resolver_without_a_chain() {
    let (lived, refused) = (Cell::new(0), Cell::new(0));
    let zone: ZoneName = "example".parse().unwrap();
    let trouble = (0u32..11 * DAY, prop_oneof![Just(0u32), 1u32..8], any::<u64>());
    TestRunner::new(cases(60))
        .run(
            &(policy(), goals(), trouble),
            |(policy, goals, (delays, outages, seed))| {
                // What is refused by lint is not to be lived by.
                if lint(&policy)
                    .iter()
                    .any(|finding| finding.severity == Severity::Error)
                {
                    return Ok(());
                }
                let is_liberal = policy.algorithm_rollover == AlgorithmRollover::Liberal;
                let wishes = goals.iter().zip(1u32..);
                let life = Life {
                    zone: &zone,
                    policy_name: "test",
                    policy: &policy,
                    keys: ZoneKeys::new(zone.clone()),
                    since: since(),
                    until: since().after(span(300 * DAY)),
                    truth: Figures::of(&policy),
                    wishes: wishes
                        .map(|(goal, place)| (since().after(span(place * 100 * DAY)), *goal))
                        .collect(),
                    delays: span(delays),
                    outages,
                    followed: Followed::ByNobody,
                    validators: match is_liberal
                        && goals.iter().any(|goal| matches!(goal, Goal::Algorithm(_)))
                    {
                        true => Validators::Standard,
                        false => Validators::Strict,
                    },
                };
                let setting = Setting {
                    seed,
                    resolvers: 8,
                    servers: 3,
                    questions: 300,
                };
                let Ok(report) = simulate_life(&life, &setting, &mut || ()) else {
                    return Ok(());
                };
                lived.set(lived.get() + 1);
                refused.set(refused.get() + u32::from(!report.refusals.is_empty()));
                prop_assert!(report.incidents.is_empty(), "{}", report.incidents[0]);
                Ok(())
            },
        )
        .unwrap();
    println!(
        "{} lives; in {} of them a plan was refused at some time",
        lived.get(),
        refused.get()
    );
    assert!(lived.get() > 0);
}
