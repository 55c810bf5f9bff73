//! An observation: what every name server of a zone and of its parent answered, or why one did not.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::observed::{ChildAnswer, DsAnswer, ObservedRrsig};
use crate::server::{Server, ServerAddress, ServerName};
use crate::span::Span;
use crate::time::Time;
use crate::zone_name::ZoneName;

/// The longest time that an observation takes: answers that are further apart say nothing of one instant.
pub const LONGEST: Span = Span::from_seconds(3600);

/// What every name server of a zone and of its parent answered, at about one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Observation {
    /// When the last server had answered: what was seen everywhere was there by then.
    pub at: Time,
    /// When the first server was asked, at most [`LONGEST`] before.
    pub began: Time,
    /// Who ran the tool, as far as it could know.
    pub operator: String,
    /// The tool and its version.
    pub tool: String,
    /// How it came about.
    pub source: Source,
    /// The parent zone, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_zone: Option<ZoneName>,
    /// The DS RRset, by the name servers of the parent; missing where none was asked: the root has no parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Asked<DsAnswer>>,
    /// The DNSKEY RRset and the SOA, by the name servers of the zone; missing where none was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child: Option<Asked<ChildAnswer>>,
}

/// How an observation came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The tool asked.
    Network,
    /// The tool read what `dig` had printed.
    Dig,
}

/// What the name servers of one zone answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Asked<A> {
    /// Who says that these are all name servers of the zone.
    pub listed_by: ListedBy,
    /// The answers that differ, each with the servers that gave it, in the order in which they were listed.
    pub answers: Vec<Answer<A>>,
    /// The servers of which it is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<NoAnswer>,
}

/// An answer, and who gave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Answer<A> {
    /// The servers.
    pub servers: Vec<Server>,
    /// What they answered.
    pub answer: A,
}

/// A server that did not answer as it must.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NoAnswer {
    /// Its name.
    pub name: ServerName,
    /// The address, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<ServerAddress>,
    /// Why.
    pub why: WhyNot,
    /// The same in words.
    pub detail: String,
}

/// Who says which name servers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ListedBy {
    /// The NS RRset and the addresses of its names, by a resolver.
    Resolver,
    /// Whoever ran the tool.
    Operator,
    /// Nobody: there may be others, so nothing was seen everywhere.
    Nobody,
}

/// Why a server's answer is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WhyNot {
    /// No answer came in time.
    Timeout,
    /// It cannot be reached, as the network says.
    Unreachable,
    /// It refuses (RCODE REFUSED).
    Refused,
    /// It cannot answer (RCODE SERVFAIL).
    ServFail,
    /// Another RCODE.
    Rcode,
    /// It has not the authority (no AA bit).
    Lame,
    /// Its answer is none that can be read.
    Malformed,
    /// Its name has no address.
    NoAddress,
    /// The address was left out by choice, such as IPv6 where there is none.
    LeftOut,
    /// It is listed, and the file that was read has nothing of it.
    NotInFile,
}

/// Something in an observation that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObservationError {
    /// The end is before the beginning, or long after.
    #[error("it took from {began} to {at}; that may be at most {LONGEST}")]
    Times {
        /// The beginning.
        began: Time,
        /// The end.
        at: Time,
    },
    /// A server that is there twice.
    #[error("{side}: {server} is there twice")]
    Twice {
        /// `parent` or `child`.
        side: &'static str,
        /// The server.
        server: String,
    },
    /// An answer that has records and a denial of them, or neither.
    #[error("{side}: an answer has either records or a denial")]
    Denial {
        /// `parent` or `child`.
        side: &'static str,
    },
    /// Nothing.
    #[error("neither parent nor child was asked")]
    Nothing,
}

impl<A: PartialEq> Asked<A> {
    /// From what each server answered, in the order of the list.
    pub fn new(
        listed_by: ListedBy,
        results: impl IntoIterator<Item = Result<(Server, A), NoAnswer>>,
    ) -> Self {
        let mut asked = Self {
            listed_by,
            answers: Vec::new(),
            unknown: Vec::new(),
        };
        for result in results {
            match result {
                Ok((server, answer)) => asked.add(server, answer),
                Err(unknown) => asked.unknown.push(unknown),
            }
        }
        asked
    }

    fn add(&mut self, server: Server, answer: A) {
        match self.answers.iter_mut().find(|known| known.answer == answer) {
            Some(known) => known.servers.push(server),
            None => self.answers.push(Answer {
                servers: vec![server],
                answer,
            }),
        }
    }
}

impl<A> Asked<A> {
    /// Each server with its answer.
    pub fn each(&self) -> impl Iterator<Item = (&Server, &A)> {
        self.answers
            .iter()
            .flat_map(|known| known.servers.iter().map(|server| (server, &known.answer)))
    }

    /// The answers that differ.
    pub fn distinct(&self) -> impl Iterator<Item = &A> {
        self.answers.iter().map(|known| &known.answer)
    }

    /// Whether every server answered: they are all that there are, and each did at every address, but for addresses that were left out by
    /// choice where it answered at another.
    pub fn is_complete(&self) -> bool {
        self.listed_by != ListedBy::Nobody && !self.answers.is_empty() && self.missing().next().is_none()
    }

    /// The servers whose answer is wanted for it to be complete.
    pub fn missing(&self) -> impl Iterator<Item = &NoAnswer> {
        let answered: BTreeSet<&ServerName> = self.each().map(|(server, _)| &server.name).collect();
        self.unknown
            .iter()
            .filter(move |unknown| unknown.why != WhyNot::LeftOut || !answered.contains(&unknown.name))
    }

    /// How many servers, each at each of its addresses, there are; those that were left out by choice do not count.
    pub fn len(&self) -> usize {
        self.answered() + self.missing().count()
    }

    /// Whether nobody was asked.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many answered.
    pub fn answered(&self) -> usize {
        self.answers.iter().map(|known| known.servers.len()).sum()
    }

    fn check(&self, side: &'static str, is_whole: impl Fn(&A) -> bool) -> Result<(), ObservationError> {
        let answered = self.each().map(|(server, _)| server.to_string());
        let unknown = self.unknown.iter().map(NoAnswer::server);
        let mut seen = BTreeSet::new();
        for server in answered.chain(unknown) {
            if !seen.insert(server.clone()) {
                return Err(ObservationError::Twice { side, server });
            }
        }
        match self.distinct().all(is_whole) {
            true => Ok(()),
            false => Err(ObservationError::Denial { side }),
        }
    }
}

impl NoAnswer {
    /// Its name and address.
    pub fn server(&self) -> String {
        match self.address {
            Some(address) => format!("{}={address}", self.name),
            None => self.name.to_string(),
        }
    }
}

impl Observation {
    /// Refuses what cannot be.
    pub fn check(&self) -> Result<(), ObservationError> {
        let (began, at) = (self.began, self.at);
        if began > at || at.since(began) > LONGEST {
            return Err(ObservationError::Times { began, at });
        }
        if let Some(parent) = &self.parent {
            parent.check("parent", DsAnswer::is_whole)?;
        }
        if let Some(child) = &self.child {
            child.check("child", ChildAnswer::is_whole)?;
        }
        match (&self.parent, &self.child) {
            (None, None) => Err(ObservationError::Nothing),
            (Some(_), _) | (None, Some(_)) => Ok(()),
        }
    }

    /// Whether every server of those sides that were asked answered.
    pub fn is_complete(&self) -> bool {
        self.parent.as_ref().is_none_or(Asked::is_complete)
            && self.child.as_ref().is_none_or(Asked::is_complete)
    }

    /// Whether it says the same of DS, DNSKEY and their TTLs, of who signs, and of the servers; dates of signatures and the serial change all
    /// the time.
    pub(crate) fn says_the_same_as(&self, other: &Self) -> bool {
        let child = |observation: &Self| {
            let child = observation.child.as_ref()?;
            let each = child
                .each()
                .map(|(server, answer)| (server.clone(), lasting(answer)));
            Some((each.collect::<Vec<_>>(), child.listed_by, child.unknown.clone()))
        };
        self.parent == other.parent && child(self) == child(other)
    }
}

/// What of an answer lasts from one signing to the next.
fn lasting(answer: &ChildAnswer) -> impl PartialEq + use<> {
    let signers = |rrsigs: &[ObservedRrsig]| -> BTreeSet<_> {
        let signer = |rrsig: &ObservedRrsig| (rrsig.key_tag, rrsig.algorithm, rrsig.signature);
        rrsigs.iter().map(signer).collect()
    };
    let soa = answer.soa.as_ref();
    (
        answer.dnskey.ttl,
        answer.dnskey.records.clone(),
        answer.dnskey.denial,
        signers(&answer.dnskey.rrsigs),
        soa.map(|soa| (soa.ttl.min(soa.minimum), signers(&soa.rrsigs))),
    )
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Refused => "REFUSED",
            Self::ServFail => "SERVFAIL",
            Self::Rcode => "error",
            Self::Lame => "lame",
            Self::Malformed => "malformed",
            Self::NoAddress => "no address",
            Self::LeftOut => "left out",
            Self::NotInFile => "not in the file",
        })
    }
}
