//! The life of a zone: its policy is followed for years, by people who are late, with a signer that stands still at times and a parent that takes its
//! time. It is planned anew after each step, as the tools do.

use std::collections::BTreeSet;

use key_metadata::timing::{Figures, x1_least_lifetime};
use key_metadata::{Advice, KeyId, KeyRecord, Policy, Role, RolloverMethod, Span, Time, ZoneKeys, ZoneName};

use super::Setting;
use super::authority::{Authority, Beginning, RrsetName};
use super::chance::Chance;
use super::clock::{Clock, Lapse, Moment};
use super::operator::{Operator, Turn};
use super::population::Population;
use super::records::{ObeyError, ZoneRecords};
use super::report::Report;
use super::servers::Records;
use super::signing::Signing;
use super::story::{RRSETS, ttl_of_data};
use super::world::World;
use crate::chain::Validators;
use crate::plan::Plan;
use crate::planner::{Evidence, Goal, PlanError, Request, plan};
use crate::schedule::AlgorithmNumber;

/// What a life is led by.
#[derive(Clone, Debug)]
pub struct Life<'a> {
    /// The zone.
    pub zone: &'a ZoneName,
    /// Its policy's name.
    pub policy_name: &'a str,
    /// Its policy.
    pub policy: &'a Policy,
    /// Its keys, as they are when it begins: none of a zone that is to be signed for the first time.
    pub keys: ZoneKeys,
    /// When it begins.
    pub since: Time,
    /// When it ends.
    pub until: Time,
    /// What is wanted beside the policy's rollovers, and from when on.
    pub wishes: Vec<(Time, Goal)>,
    /// How late a step is taken, at most.
    pub delays: Span,
    /// How often the signer stands still, for no longer than its signatures last.
    pub outages: u32,
    /// Whether validators follow the keys.
    pub followed: Followed,
    /// Of the validators that go by the DS.
    pub validators: Validators,
}

/// Whether validators follow the keys (RFC 5011).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// None does.
    ByNobody,
    /// Some have the keys that are active when the life begins as trust anchors.
    BySome,
}

/// Why there is no life to tell of.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LifeError {
    /// Nothing could be planned to begin with.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A plan that cannot be followed.
    #[error(transparent)]
    Obey(#[from] ObeyError),
}

impl Advice for LifeError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Plan(error) => error.hint(),
            Self::Obey(_) => None,
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}

/// Lets a zone live, and tells who was without a chain. `progress` hears of each day.
pub fn simulate_life(
    life: &Life<'_>,
    setting: &Setting,
    progress: &mut dyn FnMut(),
) -> Result<Report, LifeError> {
    let mut chance = Chance::of_seed(setting.seed);
    let mut led = Led::new(life);
    let first = led.plan(life.since)?;
    let mut world = led.world(&first, setting, &mut chance);
    led.run(&mut world, &first, progress)?;
    let forgotten = Lapse::from(led.figures.ttl_key.span) + led.figures.dprp.span.into();
    Ok(world.end(forgotten))
}

/// Something that is wanted.
#[derive(Debug)]
struct Wish {
    from: Time,
    goal: Goal,
    /// The keys that it is about; it is fulfilled when none of them is active any more.
    about: Option<BTreeSet<KeyId>>,
}

/// A life that is led.
#[derive(Debug)]
pub struct Led<'a> {
    life: &'a Life<'a>,
    wishes: Vec<Wish>,
    outages: Vec<(Time, Time)>,
    /// The figures of the policy, which are true.
    pub figures: Figures,
    /// The records.
    pub records: ZoneRecords,
    /// What was seen at the parent.
    pub evidence: Vec<Evidence>,
}

impl<'a> Led<'a> {
    fn new(life: &'a Life<'a>) -> Self {
        let wishes = life.wishes.iter().map(|(from, goal)| Wish {
            from: *from,
            goal: *goal,
            about: None,
        });
        Self {
            life,
            wishes: wishes.collect(),
            outages: Vec::new(),
            figures: Figures::of(life.policy),
            records: ZoneRecords::new(life.keys.clone()),
            evidence: Vec::new(),
        }
    }

    /// The plan as of now. It reaches as far as two rollovers take, so that the next step is in it.
    pub fn plan(&self, now: Time) -> Result<Plan, PlanError> {
        let life = self.life;
        let goals = self.wishes.iter().filter(|wish| wish.about.is_some());
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
            goals: goals.map(|wish| wish.goal).collect(),
            outages: self.outages.clone(),
        })
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

    fn world(&self, first: &Plan, setting: &Setting, chance: &mut Chance) -> World {
        let life = self.life;
        let clock = Clock::new(life.since);
        let beginnings = RrsetName::all(RRSETS).map(|name| self.beginning(first, name, chance));
        let beginnings = beginnings.collect();
        let propagation = [
            self.figures.dprp_parent.span.into(),
            self.figures.dprp.span.into(),
        ];
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
        let ttl = self.figures.ttl_key.span.max(self.figures.ttl_sig.span);
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
        let every = Lapse::from(self.figures.dsgn.span);
        Beginning {
            ttl: self.ttl(name, &records),
            records,
            signing: least.map(|least| Signing {
                validity: Lapse::from(least) + every,
                every,
                phase: Moment(0) + chance.up_to(every),
                silences: Vec::new(),
            }),
        }
    }

    /// The TTL of an RRset that has these records.
    pub fn ttl(&self, name: RrsetName, records: &Records) -> Lapse {
        let figures = &self.figures;
        match name {
            RrsetName::Ds => figures.ttl_ds.span.into(),
            RrsetName::Dnskey if records.keys.is_empty() => figures.ttl_sig.span.into(),
            RrsetName::Dnskey => figures.ttl_key.span.into(),
            RrsetName::Data(number) => ttl_of_data(figures.ttl_sig.span.into(), number),
        }
    }

    fn run(&mut self, world: &mut World, first: &Plan, progress: &mut dyn FnMut()) -> Result<(), LifeError> {
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
            self.wish(world, now);
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
            let wishes = self
                .wishes
                .iter()
                .map(|wish| wish.from)
                .filter(|from| *from > now);
            now = wishes
                .chain([next, outage])
                .min()
                .map_or(next, |next| next)
                .max(now);
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
        self.outages.push((now, until));
    }

    /// What is wanted from now on; and what was, and is fulfilled.
    fn wish(&mut self, world: &mut World, now: Time) {
        let records = &self.records;
        // One thing after the other, as people would have it.
        let mut is_busy = self.wishes.iter().any(|wish| wish.about.is_some());
        for wish in &mut self.wishes {
            if wish.from <= now && wish.about.is_none() && !is_busy {
                let about = records.active(|key| is_about(&wish.goal, key));
                if about.is_empty() {
                    continue;
                }
                world.tell(world.clock.moment(now), format!("wanted: {:?}", wish.goal));
                if let Goal::Lost(..) = wish.goal {
                    about
                        .iter()
                        .filter_map(|key| records.place(*key))
                        .for_each(|key| world.lose(key));
                }
                wish.about = Some(about);
                is_busy = true;
            }
        }
        let active = records.active(|_| true);
        self.wishes.retain(|wish| {
            let fulfilled = |about: &BTreeSet<KeyId>| about.is_disjoint(&active);
            wish.goal == Goal::Insecure || !wish.about.as_ref().is_some_and(fulfilled)
        });
    }
}

const DAY: Span = Span::from_seconds(86_400);

/// Whether a key goes when something is fulfilled.
fn is_about(goal: &Goal, key: &KeyRecord) -> bool {
    match goal {
        Goal::Roll(role) | Goal::Compromised(role) | Goal::Lost(role, ..) => key.role == *role,
        Goal::Algorithm(spec) => key.algorithm().number() != spec.algorithm().number(),
        Goal::Insecure => true,
        Goal::Abandon => key.times.active.is_none(),
    }
}
