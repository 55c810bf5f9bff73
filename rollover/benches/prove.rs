//! What a proof costs: `cargo bench -p keyrite-rollover`.
//!
//! One two-year plan of each shipped policy, and the margins of its steps; the plans of 10,000 zones, each proved as it is made, by two threads;
//! and the time for each event of plans of 2 to 64 years, which is to stay the same. Bars that a slow machine misses are told and are no failure; a
//! plan that is not proved is one.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that cannot run is a failure"
)]
#![expect(clippy::print_stdout, reason = "figures are what it is for")]

#[path = "../tests/plans/site.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod site;

use std::hint::black_box;
use std::thread;
use std::time::Instant;

use key_metadata::policy::SHIPPED;
use key_metadata::{Policy, Role, RolloverMethod, Span};
use rollover::margin::margins;
use rollover::plan::Plan;
use rollover::planner::{claim, plan};
use rollover::prove::prove;
use site::{Zone, policy};

/// Each figure of one plan is the best of so many.
const RUNS: u32 = 50;
const YEAR: u32 = 365;
const ZONES: u32 = 10_000;
/// Milliseconds for the proof of one two-year plan.
const BAR_OF_ONE: f64 = 100.0;
/// Seconds for those of all zones.
const BAR_OF_ALL: f64 = 60.0;

fn main() {
    let slowest = each_policy();
    many_zones();
    by_years(slowest);
}

/// One two-year plan of each policy; which takes longest to prove.
fn each_policy() -> &'static str {
    println!(
        "{:<14} {:>6} {:>8} {:>8} {:>10} {:>10} {:>10} {:>12}",
        "two years", "keys", "events", "mixes", "plan, ms", "prove, ms", "both, ms", "margins, ms"
    );
    let mut slowest = (0.0, "");
    for (name, _) in SHIPPED {
        let zone = Zone::signed(policy(name));
        let cost = Cost::of(&zone, 2 * YEAR);
        let claim = claim(&zone.request(2 * YEAR, Vec::new()), &cost.plan.schedule);
        let margins = best(|| margins(&cost.plan.schedule, &claim).expect("versions"));
        println!(
            "{name:<14} {:>6} {:>8} {:>8} {:>10.3} {:>10.3} {:>10.3} {margins:>12.2}",
            cost.plan.schedule.keys.len(),
            cost.events(),
            cost.plan.proof.mixes,
            cost.both - cost.prove,
            cost.prove,
            cost.both
        );
        if cost.prove > slowest.0 {
            slowest = (cost.prove, name);
        }
    }
    let (worst, name) = slowest;
    println!(
        "the slowest proof, of {name}: {worst:.3} ms of {BAR_OF_ONE:.0} ms, the bar is {}\n",
        met(worst, BAR_OF_ONE)
    );
    name
}

/// Plans of many zones, by two threads.
fn many_zones() {
    let zones: Vec<Zone> = (0..ZONES).map(varied).collect();
    let start = Instant::now();
    let half = zones.len() / 2;
    let events: usize = thread::scope(|scope| {
        let (ones, others) = zones.split_at(half);
        let threads = [ones, others].map(|zones| {
            scope.spawn(move || {
                let plans = zones.iter().map(|zone| proved(zone, 2 * YEAR));
                plans.map(|plan| events(&plan)).sum::<usize>()
            })
        });
        threads.map(|thread| thread.join().expect("plans")).iter().sum()
    });
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "two years of {ZONES} zones, planned and proved by two threads: {events} events, {seconds:.1} s of {BAR_OF_ALL:.0} s, {:.0} zones/s, the bar is {}\n",
        f64::from(ZONES) / seconds,
        met(seconds, BAR_OF_ALL)
    );
}

/// The time for each event, of ever longer plans, and as a ratio to that of two years.
fn by_years(name: &str) {
    println!(
        "{:<14} {:>6} {:>8} {:>8} {:>14} {:>7} {:>15} {:>7}",
        name, "keys", "events", "mixes", "plan, us/event", "ratio", "prove, us/event", "ratio"
    );
    let mut first = None;
    for years in [2, 4, 8, 16, 64] {
        let cost = Cost::of(&Zone::signed(policy(name)), years * YEAR);
        let count = cost.events() as f64;
        let [plan, prove] =
            [cost.both - cost.prove, cost.prove].map(|milliseconds| milliseconds * 1e3 / count);
        let (first_plan, first_prove) = *first.get_or_insert((plan, prove));
        println!(
            "{:<14} {:>6} {:>8} {:>8} {plan:>14.2} {:>7.2} {prove:>15.2} {:>7.2}",
            format!("{years} years"),
            cost.plan.schedule.keys.len(),
            cost.events(),
            cost.plan.proof.mixes,
            plan / first_plan,
            prove / first_prove,
        );
    }
}

const fn met(figure: f64, bar: f64) -> &'static str {
    if figure < bar { "met" } else { "MISSED" }
}

/// What a plan costs, in milliseconds.
struct Cost {
    plan: Plan,
    both: f64,
    prove: f64,
}

impl Cost {
    fn of(zone: &Zone, days: u32) -> Self {
        let plan = proved(zone, days);
        let claim = claim(&zone.request(days, Vec::new()), &plan.schedule);
        Self {
            both: best(|| proved(zone, days)),
            prove: best(|| prove(&plan.schedule, &claim).expect("versions").expect("a proof")),
            plan,
        }
    }

    fn events(&self) -> usize {
        events(&self.plan)
    }
}

fn best<T>(mut work: impl FnMut() -> T) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        let start = Instant::now();
        black_box(work());
        best = best.min(start.elapsed().as_secs_f64() * 1e3);
    }
    best
}

fn proved(zone: &Zone, days: u32) -> Plan {
    match plan(&zone.request(days, Vec::new())) {
        Ok(plan) => plan,
        Err(error) => panic!("{}: {error}", zone.policy.description),
    }
}

fn events(plan: &Plan) -> usize {
    plan.schedule.keys.iter().map(|key| key.events().count()).sum()
}

/// A zone by one of the policies, whose keys have been in use for some time.
fn varied(number: u32) -> Zone {
    let (name, _) = SHIPPED[number as usize % SHIPPED.len()];
    let zone = Zone::new(with_a_method(policy(name), number / 5));
    let roles = Role::ALL
        .into_iter()
        .filter(|role| zone.policy.key(*role).is_some());
    let roles: Vec<_> = roles.collect();
    let now = zone.now;
    let mut zone = zone;
    for (place, role) in (0..).zip(roles) {
        let hours = (number * 37 + place * 911) % 2000;
        zone.import(role, now.before(Span::from_seconds((hours + 1) * 3600)));
    }
    zone
}

/// The policy with another method for its ZSK, or with keys that stand by.
fn with_a_method(mut policy: Policy, number: u32) -> Policy {
    let keys = &mut policy.keys;
    if let Some(zsk) = &mut keys.zsk {
        match number % 3 {
            0 => {}
            1 => zsk.rollover = Some(RolloverMethod::DoubleSignature),
            _ => zsk.standby = 1,
        }
    }
    policy
}
