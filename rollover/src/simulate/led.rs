//! How a life is led: its zone's records, what is planned of them, and what of it comes into the world.

use std::collections::BTreeSet;

use key_metadata::timing::{Figures, x1_least_lifetime};
use key_metadata::{Role, RolloverMethod, Span, Time};

use super::Setting;
use super::authority::{Authority, Beginning, RrsetName};
use super::chance::Chance;
use super::clock::{Clock, Lapse, Moment};
use super::life::{Followed, Life, LifeError};
use super::operator::{Begun, Due, Operator, Turn};
use super::population::Population;
use super::records::ZoneRecords;
use super::servers::Records;
use super::signing::Signing;
use super::story::{RRSETS, ttl_of_data};
use super::wishes::Wishes;
use super::world::World;
use crate::plan::Plan;
use crate::planner::{Evidence, Goal, PlanError, Request, plan};
use crate::schedule::AlgorithmNumber;

/// A life that is led.
#[derive(Debug)]
pub struct Led<'a> {
    life: &'a Life<'a>,
    wishes: Wishes,
    outages: Vec<(Time, Time)>,
    /// The figures of the policy, which plans go by.
    figures: Figures,
    /// The figures as they are.
    pub truth: Figures,
    /// When the next steps could be taken.
    pub due: Due,
    /// What was begun.
    pub begun: Begun,
    /// The records.
    pub records: ZoneRecords,
    /// What was seen at the parent.
    pub evidence: Vec<Evidence>,
}

impl<'a> Led<'a> {
    /// A life before it begins.
    pub fn new(life: &'a Life<'a>) -> Self {
        Self {
            life,
            wishes: Wishes::new(&life.wishes),
            outages: Vec::new(),
            figures: Figures::of(life.policy),
            truth: life.truth.clone(),
            due: Due::default(),
            begun: Begun::default(),
            records: ZoneRecords::new(life.keys.clone()),
            evidence: Vec::new(),
        }
    }

    /// The plan as of now. What has to wait until something else has ended is asked for again then, as the hint says.
    pub fn plan(&self, now: Time) -> Result<Plan, PlanError> {
        match self.planned(now, self.wishes.goals()) {
            Err(PlanError::UnderWay { .. }) => self.planned(now, Vec::new()),
            planned => planned,
        }
    }

    /// It reaches as far as two rollovers take, so that the next step is in it.
    fn planned(&self, now: Time, goals: Vec<Goal>) -> Result<Plan, PlanError> {
        let life = self.life;
        plan(&Request {
            zone: life.zone,
            policy_name: life.policy_name,
            policy: life.policy,
            keys: &self.records.keys,
            figures: self.figures.clone(),
            evidence: self.evidence.clone(),
            expires: None,
            now,
            until: now.after(self.reach()).after(self.reach()),
            goals,
            outages: self.outages.clone(),
        })
    }

    /// How long the parent takes, by the policy.
    pub fn dreg(&self) -> Lapse {
        self.figures.dreg.span.into()
    }

    /// How long a rollover takes.
    fn reach(&self) -> Span {
        let of_role = |role: Role| {
            let methods = RolloverMethod::of(role).iter();
            methods.map(move |method| x1_least_lifetime(&self.figures, role, *method).total())
        };
        let longest = Role::ALL.into_iter().flat_map(of_role).max();
        longest.map_or(Span::from_seconds(0), |longest| longest)
    }

    /// The world that it begins in.
    pub fn world(&self, first: &Plan, setting: &Setting, chance: &mut Chance) -> World {
        let life = self.life;
        let clock = Clock::new(life.since);
        let beginnings = RrsetName::all(RRSETS).map(|name| self.beginning(first, name, chance));
        let beginnings = beginnings.collect();
        let propagation = [self.truth.dprp_parent.span.into(), self.truth.dprp.span.into()];
        let authority = Authority::new(setting.servers, propagation, beginnings, chance);
        let seeded = Chance::of_seed(chance.number());
        let keys = self.records.known();
        let mut world = World::new((clock, seeded), keys, (authority, RRSETS), setting.seed);
        let length = clock.moment(life.until) - Moment(0);
        let of_goals = life.wishes.iter().filter_map(|(_, goal)| match goal {
            Goal::Algorithm(spec) => Some(spec.algorithm()),
            _ => None,
        });
        let of_policy = Role::ALL.into_iter().filter_map(|role| life.policy.key(role));
        let algorithms = of_policy.map(|key| key.algorithm).chain(of_goals);
        let algorithms: BTreeSet<_> = algorithms
            .map(|algorithm| AlgorithmNumber(algorithm.number()))
            .collect();
        let anchors = self.records.active(|key| key.role.signs_dnskey());
        let anchors = anchors.into_iter().filter_map(|key| self.records.place(key));
        let ttl = self.truth.ttl_key.span.max(self.truth.ttl_sig.span);
        world.patience = Lapse::from(ttl).percent(50);
        world.populate(&Population {
            resolvers: setting.resolvers,
            validators: life.validators,
            algorithms: algorithms.into_iter().collect(),
            anchors: match life.followed {
                Followed::ByNobody => None,
                Followed::BySome => Some(anchors.collect()),
            },
            every: Lapse(length.0 / i64::from(setting.questions.max(1))),
        });
        world.begin(Moment(0) - Lapse::from(ttl), Moment(0));
        world
    }

    /// How an RRset is when the life begins.
    fn beginning(&self, first: &Plan, name: RrsetName, chance: &mut Chance) -> Beginning {
        let records = self.records.wanted(name);
        let least = match name {
            RrsetName::Ds => None,
            RrsetName::Dnskey => Some(first.schedule.signatures.dnskey),
            RrsetName::Data(_) => Some(first.schedule.signatures.zone),
        };
        let every = Lapse::from(self.truth.dsgn.span);
        let by_policy = Lapse::from(self.figures.dsgn.span);
        Beginning {
            ttl: self.ttl(name, &records),
            records,
            signing: least.map(|least| Signing {
                validity: Lapse::from(least) + by_policy,
                every,
                phase: Moment(0) + chance.up_to(every),
                silences: Vec::new(),
            }),
        }
    }

    /// The TTL of an RRset that has these records.
    pub fn ttl(&self, name: RrsetName, records: &Records) -> Lapse {
        let figures = &self.truth;
        match name {
            RrsetName::Ds => figures.ttl_ds.span.into(),
            RrsetName::Dnskey if records.keys.is_empty() => figures.ttl_sig.span.into(),
            RrsetName::Dnskey => figures.ttl_key.span.into(),
            RrsetName::Data(number) => ttl_of_data(figures.ttl_sig.span.into(), number),
        }
    }

    /// Leads it to its end.
    pub fn run(
        &mut self,
        world: &mut World,
        first: &Plan,
        progress: &mut dyn FnMut(),
    ) -> Result<(), LifeError> {
        let life = self.life;
        let operator = Operator { delays: life.delays };
        let (mut now, mut day) = (life.since, life.since);
        let mut outage = self.next_outage(world, now);
        while now < life.until {
            world.run_until(world.clock.moment(now));
            while day.after(DAY) <= now {
                day = day.after(DAY);
                progress();
            }
            self.wishes.look((&self.records, world), now);
            if outage <= now {
                let until = now.after(self.length_of_outage(world, first));
                outage = self.next_outage(world, until);
                if until > now {
                    self.stand_still(world, now, until);
                    now = until;
                    continue;
                }
            }
            let next = match operator.turn(self, world, now)? {
                Turn::Done(next) | Turn::Nothing(next) => next,
            };
            let wish = self.wishes.next(now);
            now = wish.map_or(next, |wish| wish.min(next)).min(outage).max(now);
        }
        world.run_until(world.clock.moment(life.until));
        Ok(())
    }

    fn next_outage(&self, world: &mut World, now: Time) -> Time {
        let life = self.life;
        match life.outages {
            0 => life.until,
            outages => {
                let mean = Lapse(Lapse::from(life.until.since(life.since)).0 / i64::from(outages));
                now.after(world.chance.waiting(mean).span())
            }
        }
    }

    /// As long as the signatures last that are in caches, at most.
    fn length_of_outage(&self, world: &mut World, first: &Plan) -> Span {
        let signatures = first.schedule.signatures;
        let least = signatures.zone.min(signatures.dnskey).seconds();
        let ttl = self.figures.ttl_key.span.max(self.figures.ttl_sig.span).seconds();
        let most = least.saturating_sub(self.figures.dprp.span.seconds().saturating_add(ttl));
        world.chance.up_to(Lapse::seconds(most)).span()
    }

    /// The signer stands still, and with it whoever would do something.
    fn stand_still(&mut self, world: &mut World, now: Time, until: Time) {
        let (from, end) = (world.clock.moment(now), world.clock.moment(until));
        world.outage(from, end);
        world.tell(from, format!("the signer stands still until {until}"));
        world.done().outage(until.since(now));
        self.outages.push((now, until));
    }
}

const DAY: Span = Span::from_seconds(86_400);
