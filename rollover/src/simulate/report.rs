//! What a simulation tells.

use std::fmt;

use key_metadata::Time;
use serde::Serialize;

use super::done::Done;
use super::validator::Why;

/// So many incidents are told of, and no more are counted: more of them tell nothing more.
pub const MOST_INCIDENTS: usize = 200;

/// What happened in a simulation, and what went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// The seed: with it, all comes again.
    pub seed: u64,
    /// When the simulated time began.
    pub since: Time,
    /// When it ended.
    pub until: Time,
    /// How many resolvers there were.
    pub resolvers: usize,
    /// How many of them follow the keys by RFC 5011.
    pub followers: usize,
    /// How many answers the name servers gave.
    pub queries: u64,
    /// How many answers were validated.
    pub validations: u64,
    /// How many of them were of a zone that was insecure to the validator.
    pub insecure: u64,
    /// What was done.
    pub done: Done,
    /// What happened, in the order of time.
    pub happened: Vec<Happened>,
    /// When the planner gave out no plan, and why.
    pub refusals: Vec<Happened>,
    /// What went wrong, in the order of time: once for each resolver and each mix.
    pub incidents: Vec<Incident>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Happened {
    /// When.
    pub at: Time,
    /// What.
    pub what: String,
}

/// A resolver without a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Incident {
    /// When.
    pub at: Time,
    /// Which resolver.
    pub resolver: String,
    /// What it held; nothing, where the harm is to come.
    pub held: Option<HeldChain>,
    /// Why that is no chain.
    pub why: Why,
}

/// What a resolver held, by the names of the keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HeldChain {
    /// The keys that its DS RRset names.
    pub ds: Vec<String>,
    /// The keys in its DNSKEY RRset.
    pub dnskey: Vec<String>,
    /// Those who signed that.
    pub dnskey_signed_by: Vec<String>,
    /// What was looked for.
    pub answer: String,
    /// Those who signed that.
    pub answer_signed_by: Vec<String>,
}

impl fmt::Display for HeldChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |names: &[String]| match names {
            [] => "none".to_owned(),
            names => names.join(", "),
        };
        write!(
            f,
            "DS of {}; DNSKEY of {} signed by {}; {} signed by {}",
            names(&self.ds),
            names(&self.dnskey),
            names(&self.dnskey_signed_by),
            self.answer,
            names(&self.answer_signed_by)
        )
    }
}

impl fmt::Display for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {}, {}: {}", self.at, self.resolver, self.why)?;
        match &self.held {
            Some(held) => write!(f, "; held: {held}"),
            None => Ok(()),
        }
    }
}
