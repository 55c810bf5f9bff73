//! Checking a signed zone, as a stranger would.

use std::fmt;

use key_metadata::{Advice, KeyRecord, Time};
use zone::check::{About, Problem, Question, Verdict, check_vouched};
use zone::{Records, Rrsig};

use crate::sign::SignedZone;
use crate::signing_key::dnskey_rdata;

/// What was checked of a good zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// How many RRsets have a good signature of every algorithm.
    pub rrsets: usize,
    /// How many signatures were verified.
    pub signatures: usize,
    /// How many NSEC or NSEC3 records close the chain.
    pub denials: usize,
    /// Delegations that cannot be followed. One holder's mistake does not hold all others' changes.
    pub delegations: Vec<Problem>,
}

/// A zone that must not be published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// Problems, the first few told.
    #[error("the signed zone has {} problem(s): {}", .0.len(), Shown(.0))]
    Problems(Vec<Problem>),
}

impl Advice for CheckError {
    fn hint(&self) -> Option<String> {
        let kept = "the last signed zone was kept; nothing of this one was published";
        let is_of_ds = match self {
            Self::Problems(problems) => problems.iter().any(|problem| problem.about == About::Parent),
        };
        Some(match is_of_ds {
            true => format!(
                "{kept}; if the parent has other DS records by now, have them seen: keyrite-rollover observe --zone ZONE"
            ),
            false => kept.to_owned(),
        })
    }

    fn is_credential(&self) -> bool {
        false
    }
}

impl CheckError {
    /// Whether nothing is wrong but that the DS records at the parent do not lead into the zone, so that other signatures would change nothing.
    pub fn is_of_parent(&self) -> bool {
        match self {
            Self::Problems(problems) => problems.iter().all(|problem| problem.about == About::Parent),
        }
    }
}

struct Shown<'a>(&'a [Problem]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first: Vec<_> = self.0.iter().take(5).map(ToString::to_string).collect();
        f.write_str(&first.join("; "))
    }
}

impl SignedZone {
    /// Checks it as of `now`, by [`question`]. Signatures that were verified when they were made are not verified again: a digest tells that the data, the
    /// key and the times are those.
    pub fn check(
        &self,
        unpublished: &[&KeyRecord],
        ds: Vec<Vec<u8>>,
        now: Time,
    ) -> Result<Checked, CheckError> {
        let vouched = |key: &[u8], rrsig: Rrsig<'_>, data: &[u8]| self.vouches(key, rrsig, data);
        checked(check_vouched(
            &self.records,
            &question(unpublished.iter().copied(), ds, now),
            &vouched,
            &|_| {},
        ))
    }
}

/// Checks a signed zone as of `now`, by [`question`].
pub fn check(
    records: &Records,
    unpublished: &[&KeyRecord],
    ds: Vec<Vec<u8>>,
    now: Time,
) -> Result<Checked, CheckError> {
    checked(zone::check(
        records,
        &question(unpublished.iter().copied(), ds, now),
        &|_| {},
    ))
}

fn checked(verdict: Verdict) -> Result<Checked, CheckError> {
    let Verdict {
        rrsets,
        signatures,
        denials,
        problems,
        ..
    } = verdict;
    let is_of_zone = |problem: &Problem| problem.about != About::Delegation;
    let (problems, delegations): (Vec<_>, Vec<_>) = problems.into_iter().partition(is_of_zone);
    match problems.is_empty() {
        true => Ok(Checked {
            rrsets,
            signatures,
            denials,
            delegations,
        }),
        false => Err(CheckError::Problems(problems)),
    }
}

/// What a zone is asked as of a time: each of the `unpublished` keys has signed every RRset but the DNSKEY RRset, in which it is not (RFC 6781
/// 4.1.4). `ds` is the RDATA of the DS records at the parent, which must lead into it.
pub fn question<'a>(
    unpublished: impl Iterator<Item = &'a KeyRecord>,
    ds: Vec<Vec<u8>>,
    now: Time,
) -> Question {
    Question {
        // RRSIG times are modulo 2^32 (RFC 4034 3.1.5).
        now: now.unix_seconds() as u32,
        unpublished: unpublished.map(dnskey_rdata).collect(),
        ds,
    }
}
