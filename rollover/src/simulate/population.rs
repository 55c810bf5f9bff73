//! The resolvers of a world: some ask name servers, some forwarders, some of these other forwarders.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::caches::{CacheNumber, Keeping, Upstream};
use super::clock::Lapse;
use super::follower::Anchors;
use super::resolver::{Habit, Resolver, Trust};
use super::validator::Validator;
use super::world::World;
use crate::chain::Validators;
use crate::schedule::{AlgorithmNumber, KeyIndex};

/// Who is in a world.
#[derive(Clone, Debug)]
pub struct Population {
    /// How many resolvers, those that follow the keys included.
    pub resolvers: usize,
    /// What those are like that validate by the DS.
    pub validators: Validators,
    /// The algorithms that occur, of which some resolvers know some only.
    pub algorithms: Vec<AlgorithmNumber>,
    /// The keys that every third resolver has as trust anchors; nothing, where none has any.
    pub anchors: Option<BTreeSet<KeyIndex>>,
    /// How often each asks when nothing changes, on average.
    pub every: Lapse,
}

impl World {
    /// Lets resolvers come into a world.
    pub fn populate(&mut self, population: &Population) {
        let mut forwarders: Vec<CacheNumber> = Vec::new();
        for _ in 0..=population.resolvers / 3 {
            let upstream = match self.chance.one(&forwarders) {
                Some(forwarder) if self.chance.percent(40) => Upstream::Cache(*forwarder),
                Some(_) | None => Upstream::Servers,
            };
            forwarders.push(self.caches.add(upstream, Keeping::ByTtl));
        }
        for number in 0..population.resolvers {
            let upstream = match self.chance.one(&forwarders) {
                Some(forwarder) if self.chance.percent(50) => Upstream::Cache(*forwarder),
                Some(_) | None => Upstream::Servers,
            };
            let cache = self.caches.add(upstream, Keeping::UntilExpiration);
            let (trust, what) = match &population.anchors {
                Some(anchors) if number % 3 == 2 => {
                    self.anchors.insert(number, Anchors::new(anchors.iter().copied()));
                    (Trust::Anchors, "that follows the keys (RFC 5011)".to_owned())
                }
                Some(_) | None => self.validator(population),
            };
            let behind = match self.caches.depth(cache) {
                0 => String::new(),
                1 => " behind a forwarder".to_owned(),
                depth => format!(" behind {depth} forwarders"),
            };
            let habits = [(); 3].map(|()| match self.chance.one(&Habit::ALL) {
                Some(habit) => *habit,
                None => Habit::Plain,
            });
            self.resolvers.push(Rc::new(Resolver {
                label: format!("resolver {}{behind}, {what}", number + 1),
                cache,
                trust,
                habits,
                every: population.every,
            }));
        }
    }

    fn validator(&mut self, population: &Population) -> (Trust, String) {
        match population.validators {
            Validators::Strict if self.chance.percent(33) => {
                (Trust::Ds(Validator::Strict), "a strict one".to_owned())
            }
            Validators::Strict | Validators::Standard => {
                let all = population.algorithms.iter().copied();
                let mut knows: BTreeSet<_> = all.clone().collect();
                for algorithm in all {
                    if knows.len() > 1 && self.chance.percent(40) {
                        knows.remove(&algorithm);
                    }
                }
                let names: Vec<_> = knows.iter().map(ToString::to_string).collect();
                let what = match names.is_empty() {
                    true => "that knows no algorithm".to_owned(),
                    false => format!("that knows {}", names.join(", ")),
                };
                (Trust::Ds(Validator::Lenient { knows }), what)
            }
        }
    }
}
