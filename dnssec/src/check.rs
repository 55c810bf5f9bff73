//! Checking a signed zone: the text itself is read again, as a stranger would.

use std::fmt;
use std::path::Path;

use key_metadata::{Advice, KeyRecord, Time, ZoneName};
use zone::check::{Problem, Question, Verdict};
use zone::{ReadError, Records};

use crate::signing_key::flags;

/// What was checked of a good zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// How many RRsets have a good signature of every algorithm.
    pub rrsets: usize,
    /// How many signatures were verified.
    pub signatures: usize,
    /// How many NSEC or NSEC3 records close the chain.
    pub denials: usize,
}

/// A zone that must not be published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// Not the text of a zone file.
    #[error("the signed zone cannot be read")]
    Syntax(#[from] ReadError),
    /// Problems, the first few told.
    #[error("the signed zone has {} problem(s): {}", .0.len(), Shown(.0))]
    Problems(Vec<Problem>),
}

impl Advice for CheckError {
    fn hint(&self) -> Option<String> {
        let kept = "the last signed zone was kept; nothing of this one was published";
        let is_of_ds = match self {
            Self::Problems(problems) => problems.iter().any(|problem| problem.what.contains("DS record")),
            Self::Syntax(_) => false,
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
            // What a DS record at the parent lacks is told with these words, and nothing else is.
            Self::Problems(problems) => problems
                .iter()
                .all(|problem| problem.what.contains(" at the parent names")),
            Self::Syntax(_) => false,
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

/// Checks the text of a signed zone as of `now`, by [`question`].
pub fn check(
    text: &str,
    zone: &ZoneName,
    unpublished: &[&KeyRecord],
    ds: Vec<Vec<u8>>,
    now: Time,
) -> Result<Checked, CheckError> {
    let records = Records::parse(text.as_bytes(), Path::new("signed zone"), zone)?;
    let question = question(unpublished.iter().copied(), ds, now);
    let Verdict {
        rrsets,
        signatures,
        denials,
        problems,
        ..
    } = zone::check(&records, &question, &|_| {});
    match problems.is_empty() {
        true => Ok(Checked {
            rrsets,
            signatures,
            denials,
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
    let rdata = |record: &KeyRecord| {
        let head = [
            &flags(record).to_be_bytes()[..],
            &[3, record.algorithm().number()],
        ]
        .concat();
        [&head, record.public_key.as_dnskey()].concat()
    };
    Question {
        // RRSIG times are modulo 2^32 (RFC 4034 3.1.5).
        now: now.unix_seconds() as u32,
        unpublished: unpublished.map(rdata).collect(),
        ds,
    }
}
