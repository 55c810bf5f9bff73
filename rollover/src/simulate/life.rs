//! The life of a zone: its policy is followed for years, by people who are late, with a signer that stands still at times and a parent that takes its
//! time. It is planned anew after each step, as the tools do.

use key_metadata::timing::Figures;
use key_metadata::{Advice, Policy, Role, Span, Time, ZoneKeys, ZoneName};

use super::Setting;
use super::chance::Chance;
use super::clock::Lapse;
use super::led::Led;
use super::records::ObeyError;
use super::report::Report;
use crate::chain::Validators;
use crate::planner::{Goal, PlanError};

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
    /// The figures as they are, whatever the policy has that plans go by.
    pub truth: Figures,
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
    /// Keys that live so short that there is no end of it.
    #[error(
        "keys.{}.lifetime: {lifetime} makes {rollovers} rollovers in that time; {MOST_ROLLOVERS} at most are simulated",
        role.field()
    )]
    Busy {
        /// Whose lifetime.
        role: Role,
        /// How long it is.
        lifetime: Span,
        /// How many rollovers that makes.
        rollovers: u32,
    },
}

impl Advice for LifeError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Plan(error) => error.hint(),
            Self::Obey(_) => None,
            Self::Busy { .. } => Some("simulate a shorter time".to_owned()),
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
    check(life)?;
    let mut world = led.world(&first, setting, &mut chance);
    led.run(&mut world, &first, progress)?;
    let forgotten = Lapse::from(led.truth.ttl_key.span) + led.truth.dprp.span.into();
    Ok(world.end(forgotten))
}

/// More rollovers than that in one life are of lifetimes of hours, and take hours.
const MOST_ROLLOVERS: u32 = 1000;

fn check(life: &Life<'_>) -> Result<(), LifeError> {
    let length = life.until.since(life.since).seconds();
    let lifetimes = Role::ALL.into_iter().filter_map(|role| {
        let lifetime = life.policy.key(role)?.lifetime;
        Some((lifetime, role))
    });
    let Some((lifetime, role)) = lifetimes.min() else {
        return Ok(());
    };
    match length / lifetime.seconds().max(1) {
        0..=MOST_ROLLOVERS => Ok(()),
        rollovers => Err(LifeError::Busy {
            role,
            lifetime,
            rollovers,
        }),
    }
}
