//! What was not as the script has it.

use key_metadata::Time;
use serde::Serialize;

use crate::log::{Body, Did, Entry, Recovered, Then};
use crate::script::{Seat, Word};

/// Something that was not as the script has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Deviation {
    /// What kind of thing.
    pub kind: DeviationKind,
    /// The line that tells it.
    pub line: u64,
    /// When.
    pub at: Time,
    /// At which step; null for an interruption.
    pub step: Option<Word>,
    /// Who acted.
    pub by: Vec<Seat>,
    /// What is said about it, in order.
    pub facts: Vec<Fact>,
}

/// One thing that is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Fact {
    /// What it is about.
    pub name: &'static str,
    /// What it says.
    pub text: String,
}

/// The kinds of deviations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviationKind {
    /// An exception sheet was written.
    Exception,
    /// A step was left out.
    Skip,
    /// A program failed.
    Failure,
    /// A digest was not typed as it is at first.
    Mistyped,
    /// The program was interrupted, and went on.
    Interruption,
    /// The ceremony was broken off.
    Abort,
}

impl DeviationKind {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Exception => "Exception",
            Self::Skip => "Step left out",
            Self::Failure => "Program failed",
            Self::Mistyped => "Digest mistyped",
            Self::Interruption => "Interrupted, and went on",
            Self::Abort => "Broken off",
        }
    }
}

/// The deviations of these entries, in order.
pub fn deviations(entries: &[(u64, &Entry)]) -> Vec<Deviation> {
    let of_entry = |&(line, entry): &(u64, &Entry)| {
        let (kind, step, facts) = deviation(&entry.body)?;
        let facts = facts.into_iter().map(|(name, text)| Fact { name, text });
        Some(Deviation {
            kind,
            line,
            at: entry.t,
            step,
            by: entry.by.clone(),
            facts: facts.collect(),
        })
    };
    entries.iter().filter_map(of_entry).collect()
}

type Found = (DeviationKind, Option<Word>, Vec<(&'static str, String)>);

fn deviation(body: &Body) -> Option<Found> {
    match body {
        Body::Exception(exception) => {
            let then = match exception.then {
                Then::Again => "the same step again",
                Then::Skip => "the next step",
                Then::Abort => "the safe state",
            };
            let facts = vec![
                ("expected", exception.expected.clone()),
                ("happened", exception.happened.clone()),
                ("decided", exception.decided.clone()),
                ("went on with", then.to_owned()),
                ("agree", seats(&exception.agree)),
                ("do not agree", seats(&exception.disagree)),
            ];
            Some((DeviationKind::Exception, Some(exception.step.clone()), facts))
        }
        Body::Skip(skip) => {
            let allowed = skip.exception.map_or_else(
                || "the script".to_owned(),
                |entry| format!("the exception of line {entry}"),
            );
            let facts = vec![("reason", skip.reason.clone()), ("allowed by", allowed)];
            Some((DeviationKind::Skip, Some(skip.step.clone()), facts))
        }
        Body::Abort(abort) => {
            let facts = vec![("reason", abort.reason.clone())];
            Some((DeviationKind::Abort, Some(abort.step.clone()), facts))
        }
        Body::Readback(readback) if readback.mistyped > 0 => {
            let text = format!("{} lines that were not the digest", readback.mistyped);
            let facts = vec![("of", readback.what.clone()), ("typed before", text)];
            Some((DeviationKind::Mistyped, Some(readback.step.clone()), facts))
        }
        Body::Step(done) => {
            let Did::Fail {
                attempt, exit, why, ..
            } = &done.did
            else {
                return None;
            };
            let exit = exit.map_or_else(|| "none".to_owned(), |exit| exit.to_string());
            let facts = vec![
                ("try", attempt.to_string()),
                ("exit code", exit),
                ("why", why.clone()),
            ];
            Some((DeviationKind::Failure, Some(done.step.clone()), facts))
        }
        Body::Recovered(recovered) => Some((DeviationKind::Interruption, None, mended(recovered))),
        Body::Genesis(_)
        | Body::Readback(_)
        | Body::Artefact(_)
        | Body::SecretEvent(_)
        | Body::Cast(_)
        | Body::Seal(_)
        | Body::Anchor(_)
        | Body::End(_) => None,
    }
}

fn mended(recovered: &Recovered) -> Vec<(&'static str, String)> {
    let mut facts: Vec<(&'static str, String)> = recovered
        .torn
        .iter()
        .map(|torn| {
            (
                "torn line kept",
                format!("{}, SHA-256 {}", torn.file, torn.sha256),
            )
        })
        .collect();
    if let Some(entry) = recovered.extended {
        facts.push(("extended into the TPM", format!("line {entry}")));
    }
    if let Some(counter) = recovered.counter {
        facts.push(("counter risen without a seal", format!("to {counter}")));
    }
    if let Some(checkpoint) = recovered.checkpoint {
        facts.push(("checkpoint completed", checkpoint.to_string()));
    }
    if let Some(cast) = &recovered.cast {
        let text = format!("{}, {} bytes", cast.file, cast.offset);
        facts.push(("recording cut off", text));
    }
    if facts.is_empty() {
        facts.push(("found", "nothing that had to be mended".to_owned()));
    }
    facts
}

/// Seats in a line.
pub fn seats(seats: &[Seat]) -> String {
    if seats.is_empty() {
        return "nobody".to_owned();
    }
    let seats: Vec<_> = seats.iter().map(ToString::to_string).collect();
    seats.join(", ")
}
