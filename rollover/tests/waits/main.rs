//! Every wait of every method, a second short: no proof holds that does not need it.
//!
//! Policies are drawn at random, a rollover of each method is planned by them, and each wait of it is made a second shorter than its equation, without
//! what the policy waits on top. Then the proof fails, or the step has a margin that the plan shows. What is proved, also after steps came late or
//! changed places, is played in a simulated world, and nobody is without a chain.

#![expect(clippy::unwrap_used, reason = "what a test needs and lacks is a failure")]

mod cases;
#[path = "../plans/site.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
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
    /// The margin that the plan shows for the step, or for those that wait for it.
    Margin,
    /// A proof, once the step that waits for this one comes with it: where the parent swaps the DS at once.
    Swap,
    /// That the plan shows no margin for the step: nothing in any cache hangs on its time.
    Free,
}

/// A wait of a method: the case, what is done after it, and how it is called with its equation.
type Which = (Case, String, String);

/// How often what showed each wait.
#[derive(Debug, Default)]
struct Tally {
    shown: BTreeMap<Which, BTreeMap<Shown, u32>>,
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
            return Ok(match margin {
                Some(_) => Shown::Margin,
                None if step.act == Act::Submit && !self.is_safe_at_once(step, short) => Shown::Swap,
                None => Shown::Free,
            });
        }
        match step.act {
            Act::SeeDs | Act::SeeNoDs => self.shown_of_the_parent(step),
            _ => {
                prop_assert_eq!(step.act, Act::Destroy);
                let keys = step.keys.iter();
                let is_held = keys.map(|key| last_held(schedule, *key)).any(|held| short < held);
                Ok(if is_held { Shown::Caches } else { Shown::Free })
            }
        }
    }

    /// Whether a DS could be submitted then, and take the old one's place in the same instant.
    fn is_safe_at_once(&self, submit: &PlannedStep, at: Time) -> bool {
        let after = self
            .plan
            .steps
            .iter()
            .filter(|step| step.rollover == submit.rollover);
        let swap = after.clone().find(|step| step.act == Act::Activate);
        let steps = swap.into_iter().chain([submit]);
        let moved = steps.fold(self.plan.schedule.clone(), |schedule, step| {
            schedule.earlier(step.cause, step.at.since(at))
        });
        is_proved(&moved, &self.claim)
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
        let has_margin = |next: &PlannedStep| {
            let margin = self.margins.iter().find(|margin| margin.cause == next.cause);
            margin.is_none_or(|margin| margin.slack >= SECOND)
        };
        let words = if step.act == Act::SeeDs {
            "had its DS seen"
        } else {
            "had its DS seen gone"
        };
        let seen = |waited: &WaitedFor| waited.from == step.at && waited.since.ends_with(words);
        for next in &self.plan.steps {
            for waited in next.waits.iter().filter(|waited| seen(waited)) {
                prop_assert!(
                    next.at > due(waited) || has_margin(next),
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
    let plan = plan(&request);
    prop_assert!(plan.is_ok(), "{}", plan.unwrap_err());
    let plan = plan.unwrap();
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
        // What is no wait cannot be shorter.
        for waited in step.waits.iter().filter(|waited| due(waited) > waited.from) {
            let shown = proved.shown(step, waited)?;
            let (wait, since) = (&waited.wait, since(&waited.since));
            let name = format!("{} {} since {since}", wait.equation, wait.name);
            let which = (drawn.case, step.act.to_string(), name);
            *tally.shown.entry(which).or_default().entry(shown).or_default() += 1;
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
        let which = if schedule == &late {
            "late"
        } else if schedule == &swapped {
            "swapped"
        } else {
            "plan"
        };
        prop_assert!(
            report.incidents.is_empty(),
            "{which}: proved, but {} {steps:?}",
            report.incidents[0]
        );
        tally.played += 1;
    }
    Ok(())
}

fn changed(schedule: &Schedule, change: impl FnMut(&mut Event)) -> Schedule {
    let mut changed = schedule.clone();
    changed.each_event(change);
    changed
}

/// Waits that a plan of each method has.
const WAITS: [(Case, &str, &[&str]); 20] = [
    (Case::PrePublication, "activate", &["Z1 Ipub"]),
    (Case::PrePublication, "remove", &["Z3 Iret"]),
    (Case::DoubleSignature, "activate", &["Z1 Ipub", "Z4 Iret"]),
    (Case::DoubleKsk, "submit", &["Z1 Ipub"]),
    (Case::DoubleKsk, "remove", &["K3 Iret"]),
    (Case::DoubleDs, "activate", &["D1 IpubP", "K3 Iret"]),
    (Case::DoubleDs, "ask out the DS of", &["D3 Iret"]),
    (Case::DoubleRrset, "activate", &["D1 IpubP", "K3 Iret", "Z1 Ipub"]),
    (Case::Csk, "submit", &["Z1 Ipub"]),
    (Case::Csk, "remove", &["K3 Iret", "Z3 Iret"]),
    (Case::Conservative, "publish", &["A1 Isig"]),
    (Case::Conservative, "submit", &["A2 Ipub"]),
    (Case::Conservative, "withdraw", &["K3 Iret"]),
    (Case::Conservative, "remove", &["A4 Iret"]),
    (Case::First, "submit", &["F1 Isig", "Z1 Ipub"]),
    (Case::Liberal, "submit", &["A1 Ipub", "A1 Isig"]),
    (Case::Liberal, "remove", &["K3 Iret"]),
    (Case::Insecure, "remove", &["K3 Iret"]),
    (Case::Rfc5011, "revoke", &["T3 addWait"]),
    (Case::Rfc5011, "remove", &["T4 remove hold-down"]),
];

const SEEN: &str = "K1 Dreg since had its DS submitted";
const SEEN_GONE: &str = "K1 Dreg since had its DS asked out";
const PUBLISHED: &str = "Z1 Ipub since was published";
const FORGOTTEN: &str = "K3 Iret since had its DS seen gone";
const REMOVED: &str = "Z1 Ipub since was removed";

/// What else than a proof may show a wait, and why.
fn may_be(shown: Shown, (case, act, wait): &Which) -> bool {
    let is_double_ksk = matches!(
        case,
        Case::DoubleKsk | Case::Csk | Case::Rfc5011 | Case::Rfc5011Csk
    );
    match (shown, act.as_str(), wait.as_str()) {
        (Shown::Proof, ..) | (Shown::Caches, "destroy", _) => true,
        // A parent that is late harms who waits for it, where that is all that is waited for.
        (Shown::Margin, "see the DS of", SEEN) | (Shown::Margin, "see no DS of", SEEN_GONE) => true,
        // The old DS is beside the new one until that is seen.
        (Shown::Swap, "submit", PUBLISHED) => is_double_ksk,
        // A cache that has both DS needs one key of them: what counts is when the new one was seen, which is Dreg before the old one is gone.
        (Shown::Margin, "remove", FORGOTTEN) => is_double_ksk,
        // That there is no DNSKEY is kept by the TTL of negative answers, for which F1 waits.
        (Shown::Margin, "submit", PUBLISHED) => matches!(case, Case::First | Case::FirstCsk),
        // The old DS leads into the zone all the time, and a DS without its key harms nobody beside it.
        (Shown::Free, "remove", FORGOTTEN) => *case == Case::BackFromSubmitted,
        // The DNSKEY went in a step before.
        (Shown::Free, "destroy", REMOVED) => matches!(
            case,
            Case::DoubleDs | Case::LostKsk | Case::Conservative | Case::ConservativeCsk
        ),
        (Shown::Caches | Shown::Margin | Shown::Swap | Shown::Free, ..) => false,
    }
}

#[test]
fn every_wait_is_held_to_the_second() {
    let tally = RefCell::new(Tally::default());
    let asked = std::env::var("SIMULATE_CASES").ok();
    for case in Case::ALL {
        let config = Config {
            cases: asked.as_ref().map_or(20, |asked| asked.parse().unwrap()),
            failure_persistence: None,
            ..Config::default()
        };
        let result = TestRunner::new(config).run(&draws(case), |drawn| look(&drawn, &tally));
        assert!(result.is_ok(), "{case}: {}", result.unwrap_err());
    }
    let tally = tally.into_inner();
    for ((case, act, wait), shown) in &tally.shown {
        println!("{case}: {act}: {wait}: {shown:?}");
    }
    println!("{} schedules played", tally.played);
    for (which, shown) in &tally.shown {
        for how in shown.keys() {
            assert!(may_be(*how, which), "{which:?}: {shown:?}");
        }
    }
    for (case, act, waits) in WAITS {
        for wait in waits {
            let of = |(of, done, name): &Which| *of == case && done == act && name.starts_with(wait);
            assert!(tally.shown.keys().any(of), "no {wait} of {case} before '{act}'");
        }
    }
}
