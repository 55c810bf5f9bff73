//! Every wait of every method, a second short: no proof holds that does not need it.
//!
//! Policies are drawn at random, a rollover of each method is planned by them, and each wait of it is made a second shorter than its equation, without
//! what the policy waits on top. Then the proof fails, or the step has a margin that the plan shows. What is proved, also after steps came late or
//! changed places, is played in a simulated world, and nobody is without a chain.

#![expect(clippy::unwrap_used, reason = "what a test needs and lacks is a failure")]

mod cases;
#[path = "../plans/site.rs"]
#[allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "what a test needs and lacks is a failure; other tests use the rest"
)]
mod site;

use std::cell::RefCell;
use std::collections::BTreeMap;

use cases::{Case, Drawn, draws};
use key_metadata::{Span, Time};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rollover::margin::{Margin, margins};
use rollover::plan::{Act, Plan, PlannedStep, WaitedFor};
use rollover::planner::{Request, Stage, claim, plan};
use rollover::prove::{Claim, prove};
use rollover::rrsets::{Version, Versions};
use rollover::schedule::{CauseIndex, Event, KeyIndex, Schedule};
use rollover::simulate::{Setting, simulate_schedule};

const SECOND: Span = Span::from_seconds(1);

/// What shows that a wait is a second short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shown {
    /// There is a counterexample.
    Proof,
    /// Nothing that is published changes with the step, and it is taken while a cache has what it must not.
    Caches,
    /// The plan's margin of the step, or that nothing waits so long as the step does.
    Margin,
}

/// A wait of a method: the case, what is done after it, and how it is called with its equation.
type Which = (Case, String, String);

#[derive(Debug, Default)]
struct Tally {
    /// How often what showed it, where no other wait of the step lasts as long.
    alone: BTreeMap<Which, BTreeMap<Shown, u32>>,
    /// The same where another one does.
    beside: BTreeMap<Which, BTreeMap<Shown, u32>>,
    plans: BTreeMap<Case, u32>,
    refused: BTreeMap<(Case, String), u32>,
    played: u32,
}

/// When a wait ends by its equation alone.
fn due(waited: &WaitedFor) -> Time {
    let parts = waited.wait.parts.iter();
    let safety = parts.filter(|part| matches!(part.name, "Psafe" | "Rsafe"));
    let safety = safety.map(|part| part.figure.span.seconds()).sum();
    waited.until.before(Span::from_seconds(safety))
}

fn is_proved(schedule: &Schedule, claim: &Claim) -> bool {
    prove(schedule, claim).unwrap().is_ok()
}

/// A plan with what it was proved by.
struct Proved {
    plan: Plan,
    claim: Claim,
    margins: Vec<Margin>,
}

impl Proved {
    /// What shows it if that wait of that step is a second short.
    fn shown(&self, step: &PlannedStep, waited: &WaitedFor) -> Result<Shown, TestCaseError> {
        let schedule = &self.plan.schedule;
        let short = due(waited).before(SECOND);
        let mut events = schedule.keys.iter().flat_map(|key| key.events());
        if events.any(|event| event.cause == step.cause) {
            let sooner = step.at.since(short);
            if !is_proved(&schedule.earlier(step.cause, sooner), &self.claim) {
                return Ok(Shown::Proof);
            }
            let margin = self.margins.iter().find(|margin| margin.cause == step.cause);
            prop_assert!(
                margin.is_none_or(|margin| margin.slack >= sooner),
                "{} is proved {sooner} sooner, and its margin is {margin:?}",
                schedule.cause_name(step.cause)
            );
            return Ok(Shown::Margin);
        }
        match step.act {
            Act::SeeDs | Act::SeeNoDs => self.shown_of_the_parent(step),
            _ => {
                prop_assert_eq!(step.act, Act::Destroy);
                let keys = step.keys.iter();
                let is_held = keys.map(|key| last_held(schedule, *key)).any(|held| short < held);
                Ok(if is_held { Shown::Caches } else { Shown::Margin })
            }
        }
    }

    /// The parent is a second later than what was waited for it.
    fn shown_of_the_parent(&self, step: &PlannedStep) -> Result<Shown, TestCaseError> {
        let mut late = self.plan.schedule.clone();
        for (key, stage) in &step.changes {
            let presence = late.keys[key.0].ds.0.last_mut().unwrap();
            let event = match stage {
                Stage::Registered => &mut presence.begins,
                _ => presence.ends.as_mut().unwrap(),
            };
            event.by = event.by.after(SECOND);
        }
        if !is_proved(&late, &self.claim) {
            return Ok(Shown::Proof);
        }
        // Who waits from then on has time left.
        let seen = |waited: &WaitedFor| waited.from == step.at && waited.since.contains("had its DS seen");
        for next in &self.plan.steps {
            for waited in next.waits.iter().filter(|waited| seen(waited)) {
                prop_assert!(
                    next.at > due(waited),
                    "{} waits for the parent to the second, and is proved with a later one",
                    self.plan.schedule.cause_name(next.cause)
                );
            }
        }
        Ok(Shown::Margin)
    }
}

/// Until when some cache has a DNSKEY or a DS of a key.
fn last_held(schedule: &Schedule, key: KeyIndex) -> Time {
    let versions = Versions::of(schedule).unwrap();
    let has = |version: &&Version| version.keys.contains(&key);
    let with = versions.ds.iter().chain(&versions.dnskey).filter(has);
    with.filter_map(|version| version.held_until).max().unwrap()
}

fn look(drawn: &Drawn, tally: &RefCell<Tally>) -> Result<(), TestCaseError> {
    let tally = &mut *tally.borrow_mut();
    let zone = drawn.zone();
    let request = Request {
        outages: drawn.outages(&zone),
        ..zone.request(1, drawn.goals(&zone))
    };
    let plan = match plan(&request) {
        Ok(plan) => plan,
        Err(error) => {
            *tally.refused.entry((drawn.case, error.to_string())).or_default() += 1;
            return Ok(());
        }
    };
    *tally.plans.entry(drawn.case).or_default() += 1;
    let claim = claim(&request, &plan.schedule);
    let margins = margins(&plan.schedule, &claim).unwrap();
    for Margin { cause, slack } in &margins {
        let more = slack.seconds() + 1;
        prop_assert!(is_proved(&plan.schedule.earlier(*cause, *slack), &claim));
        prop_assert!(!is_proved(
            &plan.schedule.earlier(*cause, Span::from_seconds(more)),
            &claim
        ));
    }
    let proved = Proved { plan, claim, margins };
    for step in &proved.plan.steps {
        for (place, waited) in step.waits.iter().enumerate() {
            let shown = proved.shown(step, waited)?;
            let mut others = step.waits.iter().enumerate().filter(|(other, _)| *other != place);
            let tally = match others.all(|(_, other)| due(other) < due(waited)) {
                true => &mut tally.alone,
                false => &mut tally.beside,
            };
            let wait = format!(
                "{} {} since {}",
                waited.wait.equation,
                waited.wait.name,
                since(&waited.since)
            );
            let which = (drawn.case, step.act.to_string(), wait);
            *tally.entry(which).or_default().entry(shown).or_default() += 1;
        }
    }
    play(drawn, &proved, tally)
}

/// What is waited from, without the key's name.
fn since(words: &str) -> String {
    let verbs = ["was ", "began ", "had ", "took ", "retired"];
    let place = verbs.into_iter().filter_map(|verb| words.find(verb)).min();
    place.map_or(words, |place| &words[place..]).to_owned()
}

/// The plan as it is, with a step that is late, and with two that change places: what is proved leaves nobody without a chain.
fn play(drawn: &Drawn, proved: &Proved, tally: &mut Tally) -> Result<(), TestCaseError> {
    let schedule = &proved.plan.schedule;
    let steps: Vec<_> = proved
        .plan
        .steps
        .iter()
        .map(|step| (step.at, step.cause))
        .collect();
    let at = |cause: CauseIndex| steps.iter().find(|(_, of)| *of == cause).map(|(at, _)| *at);
    let (place, delay) = drawn.late;
    let (late_from, _) = steps[place % steps.len()];
    let late = changed(schedule, |event| {
        let by = Span::from_seconds(delay);
        if at(event.cause).is_some_and(|at| at >= late_from) {
            (event.from, event.by) = (event.from.after(by), event.by.after(by));
        }
    });
    let (first, one) = steps[drawn.swapped % steps.len()];
    let (second, other) = steps[(drawn.swapped + 1) % steps.len()];
    let (first, second) = (first.min(second), first.max(second));
    let apart = second.since(first);
    let swapped = changed(schedule, |event| {
        let moved = |time: Time, place: Time| {
            if place == first {
                time.after(apart)
            } else {
                time.before(apart)
            }
        };
        if let Some(place) = at(event.cause).filter(|_| event.cause == one || event.cause == other) {
            (event.from, event.by) = (moved(event.from, place), moved(event.by, place));
        }
    });
    for schedule in [schedule, &late, &swapped] {
        if !prove(schedule, &proved.claim).is_ok_and(|proof| proof.is_ok()) {
            continue;
        }
        let setting = Setting {
            seed: drawn.seed,
            resolvers: 12,
            servers: 3,
            questions: 20,
        };
        let anchors = proved.claim.trust_anchors.as_ref();
        let report = simulate_schedule(schedule, proved.claim.validators, anchors, &setting);
        prop_assert!(report.incidents.is_empty(), "proved, but {}", report.incidents[0]);
        tally.played += 1;
    }
    Ok(())
}

fn changed(schedule: &Schedule, change: impl FnMut(&mut Event)) -> Schedule {
    let mut changed = schedule.clone();
    changed.each_event(change);
    changed
}

#[test]
fn no_wait_is_longer_than_what_it_shows() {
    let tally = RefCell::new(Tally::default());
    let asked = std::env::var("SIMULATE_CASES").ok();
    for case in Case::ALL {
        let config = Config {
            cases: asked.as_ref().map_or(25, |asked| asked.parse().unwrap()),
            failure_persistence: None,
            ..Config::default()
        };
        let result = TestRunner::new(config).run(&draws(case), |drawn| look(&drawn, &tally));
        assert!(result.is_ok(), "{case}: {}", result.unwrap_err());
    }
    let tally = tally.into_inner();
    println!("{:?}\n{:#?}", tally.plans, tally.refused);
    for (which, shown) in &tally.alone {
        println!("alone {which:?}: {shown:?}");
    }
    for (which, shown) in &tally.beside {
        println!("beside {which:?}: {shown:?}");
    }
    println!("{} played", tally.played);
}
