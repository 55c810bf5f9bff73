//! Resolvers: what they ask for when, what they keep, and what they make of it.

use super::authority::{Choice, RrsetName};
use super::caches::{CacheNumber, Use};
use super::chance::Chance;
use super::clock::Lapse;
use super::validator::Validator;

/// A validating resolver.
#[derive(Debug)]
pub struct Resolver {
    /// What it is called.
    pub label: String,
    /// Its cache.
    pub cache: CacheNumber,
    /// How it validates.
    pub trust: Trust,
    /// How it treats the DS RRset, the DNSKEY RRset, and others.
    pub habits: [Habit; 3],
    /// How often it asks when nothing changes, on average.
    pub every: Lapse,
}

/// By what a resolver validates.
#[derive(Debug)]
pub enum Trust {
    /// By the DS RRset.
    Ds(Validator),
    /// By trust anchors that it renews by itself (RFC 5011).
    Anchors,
}

/// How a resolver treats an RRset. All of it is what some cache may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// It keeps the old version as long as it can: it gets it anew at the last moment, from the server that is furthest behind.
    Hoards,
    /// It has the new version as soon as it can: it forgets what it has, and asks the server that is ahead of all.
    Chases,
    /// It keeps what it has, and asks whichever server.
    Plain,
}

/// Why a resolver asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occasion {
    /// Somebody wants to know.
    Routine,
    /// An RRset is about to change, or to change on the server that is furthest behind.
    Before(RrsetName),
    /// It has just changed on some server.
    After(RrsetName),
    /// Something is kept for a last moment.
    Last,
}

impl Habit {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Hoards, Self::Chases, Self::Plain];
}

impl Resolver {
    /// How it gets an RRset on some occasion.
    pub fn way(&self, name: RrsetName, occasion: Occasion, chance: &mut Chance) -> (Use, Choice) {
        let [ds, dnskey, data] = self.habits;
        let habit = match name {
            RrsetName::Ds => ds,
            RrsetName::Dnskey => dnskey,
            RrsetName::Data(_) => data,
        };
        match habit {
            Habit::Hoards if occasion == Occasion::Before(name) && chance.percent(60) => {
                (Use::Nothing, Choice::Oldest)
            }
            Habit::Hoards => (Use::Held, Choice::Oldest),
            Habit::Chases if chance.percent(75) => (Use::Nothing, Choice::Newest),
            Habit::Chases => (Use::Held, Choice::Newest),
            Habit::Plain => (Use::Held, Choice::Any),
        }
    }
}
