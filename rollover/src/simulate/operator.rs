//! Whoever keeps a zone: looks at the plan, does what is due, or waits.

use std::collections::{BTreeMap, BTreeSet};

use key_metadata::{KeyId, Span, Time};

use super::authority::{Given, RrsetName};
use super::clock::Lapse;
use super::led::Led;
use super::life::LifeError;
use super::story::RRSETS;
use super::world::{Intent, World};
use crate::plan::{Act, Actor, Plan, PlannedStep};
use crate::planner::{Evidence, Stage};

/// Of a hundred changes at the parent, those that take longer than it says.
const LATE: u64 = 20;

/// How much longer, in hundredths.
const MUCH: i64 = 400;

/// Two commands, or steps, that follow each other.
const SOON: Lapse = Lapse(90_000);

/// Who was refused a plan asks again so much later, and nobody looks at the parent more often than every hour.
const REFUSED: Span = Span::from_seconds(12 * 3600);
const HOUR: Span = Span::from_seconds(3600);

/// When the next steps could be taken, by what they are called. A plan has what is due and was not done as of now.
#[derive(Debug, Default)]
pub struct Due(BTreeMap<String, Time>);

impl Due {
    fn keep(&mut self, plan: &Plan) {
        let names: BTreeSet<_> = plan.steps.iter().map(|step| name(plan, step)).collect();
        self.0.retain(|known, _| names.contains(known.as_str()));
    }

    fn at(&mut self, plan: &Plan, step: &PlannedStep) {
        self.0.insert(name(plan, step).to_owned(), step.at);
    }

    fn late(&mut self, plan: &Plan, step: &PlannedStep, now: Time) -> Span {
        let due = self.0.remove(name(plan, step));
        now.since(due.map_or(now, |due| due))
    }
}

/// The keys of rollovers that were begun: those that come, and those that leave without others.
#[derive(Debug, Default)]
pub struct Begun {
    coming: BTreeSet<KeyId>,
    leaving: BTreeSet<KeyId>,
}

fn name<'p>(plan: &'p Plan, step: &PlannedStep) -> &'p str {
    plan.schedule.cause_name(step.cause)
}

/// Whoever keeps a zone.
#[derive(Clone, Copy, Debug)]
pub struct Operator {
    /// How late a step is taken, at most.
    pub delays: Span,
}

/// What was found to do, and when to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// A step was taken.
    Done(Time),
    /// There was nothing to do.
    Nothing(Time),
}

impl Operator {
    /// Takes the first step of the plan that can be taken, of each rollover only the next one.
    pub fn turn(self, led: &mut Led<'_>, world: &mut World, now: Time) -> Result<Turn, LifeError> {
        let plan = match led.plan(now) {
            Ok(plan) => plan,
            Err(error) => {
                world.refuse(error.to_string());
                return Ok(Turn::Nothing(now.after(REFUSED)));
            }
        };
        led.due.keep(&plan);
        let mut waiting = BTreeSet::new();
        let mut next = plan.until;
        for step in &plan.steps {
            if waiting.contains(&step.rollover) {
                continue;
            }
            let is_done = match step.actor {
                Actor::Observation => observe(led, world, (&plan, step), now),
                Actor::Tool | Actor::Person if step.at <= now => {
                    take(led, world, (&plan, step), now)?;
                    true
                }
                Actor::Tool | Actor::Person => false,
            };
            if is_done {
                return Ok(Turn::Done(now.after(world.chance.up_to(SOON).span())));
            }
            waiting.insert(step.rollover);
            next = next.min(match step.actor {
                Actor::Observation => self.later(led, world, now),
                Actor::Tool | Actor::Person => {
                    led.due.at(&plan, step);
                    step.at.after(world.chance.up_to(self.delays.into()).span())
                }
            });
        }
        Ok(Turn::Nothing(next.max(now.after(Span::from_seconds(1)))))
    }

    /// When somebody looks again who waits for others.
    fn later(self, led: &Led<'_>, world: &mut World, now: Time) -> Time {
        let truth = &led.truth;
        let most = truth.dreg.span.max(truth.dprp_parent.span).max(HOUR);
        let wait = world.chance.up_to(Lapse::from(most).percent(50)).span();
        now.after(wait).after(Span::from_seconds(1))
    }
}

/// Counts a rollover with the first step of its keys after they were made: what is left of it may be called otherwise in later plans.
fn begin(led: &mut Led<'_>, world: &mut World, (plan, step): (&Plan, &PlannedStep)) {
    let rollover = plan
        .rollovers
        .iter()
        .find(|rollover| rollover.number == step.rollover);
    let (Some(rollover), false) = (rollover, matches!(step.act, Act::Generate | Act::Destroy)) else {
        return;
    };
    let (keys, begun) = match rollover.to.is_empty() {
        true => (&rollover.from, &mut led.begun.leaving),
        false => (&rollover.to, &mut led.begun.coming),
    };
    let labels = keys.iter().map(|key| plan.schedule.key_label(*key));
    let keys: BTreeSet<_> = labels.filter_map(|label| led.records.labelled(label)).collect();
    if !keys.is_empty() && keys.is_disjoint(begun) {
        world.done().rollover(&rollover.title);
    }
    begun.extend(keys);
}

/// Whether what a step waits to see is so, on every server of the parent; if it is, it is noted, and with it what else is seen of the same rollover.
fn observe(led: &mut Led<'_>, world: &mut World, (plan, step): (&Plan, &PlannedStep), now: Time) -> bool {
    let Some(seen) = look(led, world, (plan, step), now) else {
        return false;
    };
    let others = plan.steps.iter();
    let others = others.filter(|other| other.rollover == step.rollover && other.act == step.act);
    let also = others.filter(|other| other.number != step.number);
    let also: Vec<_> = also
        .filter_map(|other| look(led, world, (plan, other), now))
        .flatten()
        .collect();
    led.evidence.extend(seen.into_iter().chain(also));
    world.done().observation();
    true
}

/// What a step waits to see, where all of it is so.
fn look(
    led: &Led<'_>,
    world: &World,
    (plan, step): (&Plan, &PlannedStep),
    now: Time,
) -> Option<Vec<Evidence>> {
    let labels = step.keys.iter().map(|key| plan.schedule.key_label(*key));
    let seen = labels.map(|label| {
        let key = led.records.labelled(label)?;
        let place = led.records.place(key)?;
        let given = world
            .authority
            .given(RrsetName::Ds, place, world.clock.moment(now));
        let stage = match (step.act, given) {
            (Act::SeeDs, Given::Everywhere) => Stage::Registered,
            (Act::SeeNoDs, Given::Nowhere) => Stage::DsGone,
            (_, Given::Everywhere | Given::Here | Given::Nowhere) => return None,
        };
        Some(Evidence { key, stage, at: now })
    });
    seen.collect()
}

/// Does what a step says; the zone and the parent come to it in their time.
fn take(
    led: &mut Led<'_>,
    world: &mut World,
    (plan, step): (&Plan, &PlannedStep),
    now: Time,
) -> Result<(), LifeError> {
    let moment = world.clock.moment(now);
    let made = led.records.obey((plan, step), now, &mut world.chance)?;
    world.keys.extend(made);
    world.done().step(led.due.late(plan, step, now));
    begin(led, world, (plan, step));
    world.tell(moment, plan.schedule.cause_name(step.cause));
    for name in RrsetName::all(RRSETS) {
        let records = led.records.wanted(name);
        let ttl = led.ttl(name, &records);
        if world.intend(name, records, ttl) == Intent::Old {
            continue;
        }
        let window = match name {
            RrsetName::Ds if world.chance.percent(LATE) => Lapse::from(led.truth.dreg.span).percent(MUCH),
            RrsetName::Ds => led.truth.dreg.span.into(),
            RrsetName::Dnskey | RrsetName::Data(_) => led.truth.dsgn.span.into(),
        };
        let at = world.chance.between(moment, moment + window);
        if name == RrsetName::Ds && at - moment > led.dreg() {
            world.done().late_registration();
        }
        world.renew_at(at, name);
    }
    Ok(())
}
