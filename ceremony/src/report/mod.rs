//! The report on a ceremony: what its log says and what came of looking at it, for people who were not there.

mod deviation;
mod files;
mod keys;
mod line;
mod page;
mod people;
mod picture;
mod scale;
mod seals;
mod sections;
mod steps;
mod style;

use std::collections::BTreeMap;

use key_metadata::{Digest, Time};
use serde::Serialize;

use crate::log::{Body, EndOutcome, Entry, Genesis};
use crate::script::{Kind, Script};
use crate::verify::{Claim, ClaimVerdict, Verification};

pub use deviation::{Deviation, DeviationKind, Fact};
pub use files::{CopySeen, FileSeen, Use};
pub use keys::{KeySeen, ValueSeen};
pub use line::Line;
pub use page::page;
pub use people::{PersonSeen, Stay};
pub use seals::{SealSeen, SignatureSeen};
pub use steps::{Break, Came, StepSeen};

/// What a report is made of.
#[derive(Clone, Copy, Debug)]
pub struct Source<'s> {
    /// log.jsonl.
    pub log: &'s [u8],
    /// script.yaml, if it is there.
    pub script: Option<&'s str>,
    /// The signatures in the folder, `checkpoint-*.sig`, by name.
    pub signatures: &'s BTreeMap<String, Vec<u8>>,
    /// What came of looking.
    pub verification: &'s Verification,
}

/// A report, which is also report.json.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// Of this form: 1.
    pub version: u8,
    /// Whether any claim fails.
    pub verdict: ClaimVerdict,
    /// What the ceremony is made of; null where the log does not say.
    pub genesis: Option<Genesis>,
    /// What it was for; null where its script is not there.
    pub purpose: Option<String>,
    /// How it ended.
    pub ending: Ending,
    /// SHA-256 of log.jsonl.
    pub log_sha256: Digest,
    /// When the first entry was written.
    pub began: Option<Time>,
    /// When the last one was.
    pub last: Option<Time>,
    /// The claims.
    pub claims: Vec<Claim>,
    /// The steps.
    pub steps: Vec<StepSeen>,
    /// The breaks.
    pub breaks: Vec<Break>,
    /// The people.
    pub people: Vec<PersonSeen>,
    /// What was not as the script has it.
    pub deviations: Vec<Deviation>,
    /// The keys.
    pub keys: Vec<KeySeen>,
    /// Other values.
    pub values: Vec<ValueSeen>,
    /// The files.
    pub files: Vec<FileSeen>,
    /// The copies.
    pub copies: Vec<CopySeen>,
    /// The seals, with the signatures on them.
    pub seals: Vec<SealSeen>,
    /// What all this does not prove.
    pub limits: [&'static str; 5],
    /// The log.
    #[serde(skip)]
    pub lines: Vec<Line>,
}

/// How a ceremony ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Every step was done or left out.
    Completed,
    /// It was broken off.
    Aborted,
    /// The log has no end.
    NotEnded,
}

/// What a log does not prove.
pub const LIMITS: [&str; 5] = [
    "The log proves what was recorded and who signed it, not that it is true.",
    "A hostile host can lie before the log is sealed.",
    "A software TPM gives no protection against an older state that is put back.",
    "A dishonest quorum can hold a second ceremony.",
    "A claim that was not checked does not count as if it held: a missing anchor never verifies as if it were there.",
];

impl Report {
    /// The report on that ceremony. The script's headings are told where script.yaml is the one that the log names.
    pub fn new(source: &Source<'_>) -> Self {
        let lines = line::lines(source.log);
        let entries: Vec<(u64, &Entry)> = lines
            .iter()
            .filter_map(|line| line.entry.as_ref().ok().map(|entry| (line.number, entry)))
            .collect();
        let genesis = entries.iter().find_map(|(_, entry)| {
            if let Body::Genesis(genesis) = &entry.body {
                Some((**genesis).clone())
            } else {
                None
            }
        });
        let named = genesis.as_ref().map(|genesis| genesis.script);
        let script = source
            .script
            .filter(|text| Some(Digest::of(text.as_bytes())) == named);
        let script = script.and_then(|text| Script::from_yaml(text).ok());
        let people = people::people(&entries);
        let (keys, values) = keys::keys_and_values(&entries);
        Self {
            version: 1,
            verdict: source.verification.verdict(),
            purpose: script.as_ref().map(|script| script.purpose.clone()),
            ending: ending(&entries),
            log_sha256: Digest::of(source.log),
            began: entries.first().map(|(_, entry)| entry.t),
            last: entries.last().map(|(_, entry)| entry.t),
            claims: source.verification.claims.clone(),
            steps: steps::steps(&entries, script.as_ref()),
            breaks: steps::breaks(&entries),
            deviations: deviation::deviations(&entries),
            files: files::files(&entries),
            copies: files::copies(&entries),
            seals: seals::seals(&entries, &people, source.signatures),
            people,
            keys,
            values,
            genesis,
            limits: LIMITS,
            lines,
        }
    }

    /// Whether it counts; a log without a genesis is not known to.
    pub fn kind(&self) -> Option<Kind> {
        self.genesis.as_ref().map(|genesis| genesis.kind)
    }

    /// How many claims have that verdict.
    pub fn count(&self, verdict: ClaimVerdict) -> usize {
        self.claims
            .iter()
            .filter(|claim| claim.verdict == verdict)
            .count()
    }
}

fn ending(entries: &[(u64, &Entry)]) -> Ending {
    let ends = entries.iter().rev().filter_map(|(_, entry)| {
        if let Body::End(end) = &entry.body {
            Some(end.outcome)
        } else {
            None
        }
    });
    ends.take(1).fold(Ending::NotEnded, |_, outcome| match outcome {
        EndOutcome::Completed => Ending::Completed,
        EndOutcome::Aborted => Ending::Aborted,
    })
}
