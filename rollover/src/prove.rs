//! Whether a schedule is safe: at every instant, for every mix of RRsets that a resolver may still hold.
//!
//! Nothing of the equations that plans are made by is used here: a version of an RRset can be in a cache from when the first server may give
//! it until the last one has its successor, and a TTL longer. Three versions can be held together if these times overlap, and each such mix
//! must be a chain. A mix comes to be when the last of its three does, so that each is looked at once.

mod search;
mod spans;

use std::collections::BTreeSet;
use std::fmt;

use key_metadata::{Span, Time};
use serde::Serialize;

use self::search::Search;
use crate::anchors::{self, AnchorFault, TrustAnchors};
use crate::chain::{Break, Validators};
use crate::rrsets::{Rrset, Version, Versions, VersionsError};
use crate::schedule::{CauseIndex, KeyIndex, Schedule};

/// What is to be proved of a schedule.
#[derive(Clone, Debug)]
pub struct Claim {
    /// For whom.
    pub validators: Validators,
    /// From when on: what cannot be changed any more is told only where it still has an effect.
    pub since: Time,
    /// The validators that follow the zone's keys by RFC 5011, where there are any.
    pub trust_anchors: Option<TrustAnchors>,
}

/// A schedule for which no mix without a chain was found, though all were looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Proof {
    /// For whom.
    pub validators: Validators,
    /// From when on.
    pub since: Time,
    /// Until when anything changes; what is there then stays.
    pub until: Time,
    /// How many versions of the DS RRset, the DNSKEY RRset and the zone's signatures there are.
    pub versions: [usize; 3],
    /// How many mixes of them can be held together.
    pub mixes: usize,
}

/// Why a schedule is not safe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Counterexample {
    /// From when.
    pub at: Time,
    /// Until when; for ever, where there is nothing.
    pub until: Option<Time>,
    /// What is wrong.
    pub fault: Fault,
    /// What is in the cache: DS, DNSKEY, signatures of the zone.
    pub mix: Option<Box<[Version; 3]>>,
    /// The step that comes too early, and when it may come; nothing, where no delay mends it.
    pub delay: Option<Delay>,
}

/// A step that comes too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Delay {
    /// Which.
    pub cause: CauseIndex,
    /// From when on it does no harm of this kind.
    pub until: Time,
}

/// What can be wrong with a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Fault {
    /// A mix without a chain.
    Chain {
        /// Why there is none.
        #[serde(rename = "break")]
        why: Break,
    },
    /// The zone itself is not signed by each algorithm of its keys (RFC 4035 2.2), no change being under way.
    Incomplete {
        /// What lacks.
        #[serde(rename = "break")]
        why: Break,
    },
    /// An RRSIG can expire in a cache, as a rule.
    Expiry {
        /// Of what.
        rrset: Rrset,
        /// What it has left, at least, when it is served.
        left: Span,
        /// What it needs: propagation and TTL; a second where the TTL is 0.
        needs: Span,
    },
    /// An RRSIG that is not renewed in an outage has expired, on a server or in a cache.
    Outage {
        /// Of what.
        rrset: Rrset,
        /// When the first one expires.
        expires: Time,
    },
    /// A validator that follows the keys by RFC 5011 is left without a trust anchor, or with one that it should not have.
    Anchor {
        /// How.
        #[serde(rename = "anchor")]
        why: AnchorFault,
    },
}

/// All that is wrong with a schedule, the earliest first, or the proof that nothing is.
pub fn prove(
    schedule: &Schedule,
    claim: &Claim,
) -> Result<Result<Proof, Vec<Counterexample>>, VersionsError> {
    let versions = Versions::of(schedule)?;
    let mut search = Search::new(schedule, claim);
    search.mixes(&versions);
    search.completeness(&versions);
    search.expiry(&versions);
    search.outages(&versions);
    if let Some(anchors) = &claim.trust_anchors {
        search.found.extend(anchors::faults(schedule, &versions, anchors));
    }
    let Search { mut found, mixes, .. } = search;
    found.retain(|fault| fault.until.is_none_or(|until| until > claim.since));
    if found.is_empty() {
        let all = [&versions.ds, &versions.dnskey, &versions.zone];
        let until = all
            .iter()
            .flat_map(|versions| versions.iter())
            .filter_map(|version| version.held_until);
        return Ok(Ok(Proof {
            validators: claim.validators,
            since: claim.since,
            until: until.max().map_or(schedule.since, |until| until),
            versions: all.map(Vec::len),
            mixes,
        }));
    }
    found.sort_by_key(|fault| fault.at);
    Ok(Err(found))
}

impl Counterexample {
    /// What it comes to, in a sentence, with the names of the schedule.
    pub fn tell(&self, schedule: &Schedule) -> String {
        self.lines(schedule).join("; ")
    }

    /// The same in parts: when and what, what is held, which step must wait until when.
    pub fn lines(&self, schedule: &Schedule) -> Vec<String> {
        let mut lines = vec![match (&self.fault, self.until) {
            (Fault::Chain { .. }, Some(until)) => format!("from {} until {until}, {}", self.at, self.fault),
            (_, _) => format!("from {}, {}", self.at, self.fault),
        }];
        if let Some(mix) = &self.mix {
            let [ds, dnskey, zone] = mix.as_ref();
            let names = |keys: &BTreeSet<KeyIndex>| match keys.is_empty() {
                true => "none".to_owned(),
                false => {
                    let labels: Vec<_> = keys.iter().map(|key| schedule.key_label(*key)).collect();
                    labels.join(", ")
                }
            };
            lines.push(format!(
                "held: DS of {}; DNSKEY of {} signed by {}; zone signed by {}",
                names(&ds.keys),
                names(&dnskey.keys),
                names(&dnskey.signers),
                names(&zone.signers)
            ));
        }
        match self.delay {
            Some(Delay { cause, until }) => {
                lines.push(format!(
                    "'{}' must wait until {until}",
                    schedule.cause_name(cause)
                ));
            }
            None if self.mix.is_some() => lines.push("no wait mends it: the set itself is wrong".to_owned()),
            None => {}
        }
        lines
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain { why } => write!(f, "a resolver may find no chain: {why}"),
            Self::Incomplete { why } => write!(f, "the zone is not complete (RFC 4035 2.2): {why}"),
            Self::Expiry { rrset, left, needs } => write!(
                f,
                "an RRSIG of {rrset} has only {left} left when it is served, and is kept for {needs} (Dprp + TTL, equation S1)"
            ),
            Self::Outage { rrset, expires } => {
                write!(
                    f,
                    "with nobody signing, the RRSIGs of {rrset} expire, the first at {expires}"
                )
            }
            Self::Anchor { why } => write!(f, "validators that follow RFC 5011: {why}"),
        }
    }
}

impl fmt::Display for Rrset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ds => "the DS RRset",
            Self::Dnskey => "the DNSKEY RRset",
            Self::Zone => "the zone",
        })
    }
}
