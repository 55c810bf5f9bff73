//! The proofs against the world: whoever is without a chain there was found by the prover, and whoever the prover found can be made so there.

use std::cell::Cell;
use std::fmt;

use key_metadata::Span;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rollover::anchors::TrustAnchors;
use rollover::chain::Validators;
use rollover::prove::{Claim, Fault, prove};
use rollover::schedule::Schedule;
use rollover::simulate::{Setting, reenact, simulate_schedule};

use crate::cases;
use crate::random::{Method, at_once, chaos, followed, initial_anchors, rollovers, short_lived, since};

fn claim(validators: Validators) -> Claim {
    Claim {
        validators,
        since: since(),
        trust_anchors: None,
    }
}

fn setting(seed: u64) -> Setting {
    Setting {
        seed,
        resolvers: 12,
        servers: 3,
        questions: 20,
    }
}

/// How many schedules were proved, how many were not, and of those, how many had incidents in the world.
#[derive(Default)]
struct Tally {
    proved: Cell<u32>,
    refuted: Cell<u32>,
    met: Cell<u32>,
    played: Cell<u32>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} proved, {} refuted, of which {} went wrong in the world; {} counterexamples played",
            self.proved.get(),
            self.refuted.get(),
            self.met.get(),
            self.played.get()
        )
    }
}

fn more(count: &Cell<u32>) {
    count.set(count.get() + 1);
}

fn both(tally: &Tally, schedule: &Schedule, validators: Validators, seed: u64) -> Result<(), TestCaseError> {
    let Ok(proof) = prove(schedule, &claim(validators)) else {
        // Too many changes at once: nothing is claimed.
        return Ok(());
    };
    let report = simulate_schedule(schedule, validators, None, &setting(seed));
    match &proof {
        Ok(_) => {
            more(&tally.proved);
            prop_assert!(report.incidents.is_empty(), "proved, but {}", report.incidents[0]);
        }
        Err(found) => {
            more(&tally.refuted);
            if !report.incidents.is_empty() {
                more(&tally.met);
            }
            for counterexample in found {
                if let (Fault::Chain { .. }, Some(mix)) = (&counterexample.fault, &counterexample.mix) {
                    more(&tally.played);
                    let played = reenact(schedule, validators, (mix, counterexample.at));
                    prop_assert!(played.is_ok(), "{played:?}: {}", counterexample.tell(schedule));
                }
            }
        }
    }
    Ok(())
}

/// Both of so many schedules, as every kind of validator.
fn agree(usual: u32, schedules: impl Strategy<Value = Schedule>) -> Tally {
    let tally = Tally::default();
    let mut runner = TestRunner::new(cases(usual));
    runner
        .run(
            &(schedules, validators(), any::<u64>()),
            |(schedule, validators, seed)| both(&tally, &schedule, validators, seed),
        )
        .unwrap();
    tally
}

fn validators() -> impl Strategy<Value = Validators> {
    prop_oneof![Just(Validators::Standard), Just(Validators::Strict)]
}

#[test]
fn the_prover_and_the_world_agree_on_rollovers() {
    println!("{}", agree(400, rollovers()));
}

/// What changes at one instant changes for everybody at once, where nothing is kept and no server lags.
#[test]
fn the_prover_and_the_world_agree_on_what_comes_at_once() {
    let tally = Tally::default();
    for method in Method::ALL {
        for seed in 0..20 {
            both(&tally, &at_once(method), Validators::Strict, seed).unwrap();
        }
    }
    assert_eq!((tally.proved.get(), tally.refuted.get()), (200, 0));
}

/// An RRSIG with nothing left has expired, though nobody keeps it.
#[test]
fn the_prover_and_the_world_agree_on_signatures_that_hardly_last() {
    let tally = agree(400, short_lived());
    assert!(tally.proved.get() > 0 && tally.met.get() > 0);
}

#[test]
fn the_prover_and_the_world_agree_on_chaos() {
    println!("{}", agree(200, chaos()));
}

#[test]
fn the_prover_and_the_world_agree_on_those_who_follow_the_keys() {
    let tally = Tally::default();
    let mut runner = TestRunner::new(cases(150));
    runner
        .run(&(followed(), any::<u64>()), |((schedule, figures), seed)| {
            let least = schedule.signatures.dnskey.seconds();
            let anchors = TrustAnchors {
                initial: initial_anchors(&schedule),
                add_wait: Span::from_seconds(figures.dprp + figures.add_wait(least * 2)),
                remove_hold_down: Span::from_seconds(30 * 86_400),
            };
            let claim = Claim {
                trust_anchors: Some(anchors.clone()),
                ..claim(Validators::Standard)
            };
            let Ok(proof) = prove(&schedule, &claim) else {
                return Ok(());
            };
            let report = simulate_schedule(&schedule, Validators::Standard, Some(&anchors), &setting(seed));
            match proof {
                Ok(_) => {
                    more(&tally.proved);
                    prop_assert!(report.incidents.is_empty(), "proved, but {}", report.incidents[0]);
                }
                Err(_) => {
                    more(&tally.refuted);
                    if !report.incidents.is_empty() {
                        more(&tally.met);
                    }
                }
            }
            Ok(())
        })
        .unwrap();
    println!(
        "{} proved, {} refuted, of which {} went wrong in the world",
        tally.proved.get(),
        tally.refuted.get(),
        tally.met.get()
    );
}
