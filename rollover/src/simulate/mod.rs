//! A simulated world in which a plan, or any schedule, comes true: name servers that take changes over one after the other, caches, forwarders
//! behind forwarders, and validators that ask when it hurts most.
//!
//! It shares no rule with the model that plans are proved by ([`crate::rrsets`], [`mod@crate::prove`]): it plays, and whoever is without a chain
//! tells. A model that is wrong, or a proof that proves nothing, is refuted by it.

mod authority;
mod caches;
mod chance;
mod clock;
mod done;
mod follower;
mod led;
mod life;
mod of_schedule;
mod operator;
mod population;
mod records;
mod reenact;
mod report;
mod resolver;
mod servers;
mod signing;
mod story;
mod validator;
mod wishes;
mod world;

pub use authority::RrsetName;
pub use done::Done;
pub use life::{Followed, Life, LifeError, simulate_life};
pub use of_schedule::simulate_schedule;
pub use records::{ObeyError, taken_over};
pub use reenact::{NotPlayed, Reenactment, reenact};
pub use report::{Happened, HeldChain, Incident, MOST_INCIDENTS, Report};
pub use validator::Why;

/// How a simulation is set up.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Of its chance.
    pub seed: u64,
    /// How many resolvers ask.
    pub resolvers: usize,
    /// How many name servers the zone has, and its parent.
    pub servers: usize,
    /// How often each resolver asks in all that time, beside when something changes.
    pub questions: u32,
}
