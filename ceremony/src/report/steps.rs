//! The steps as they came, each from when the one before was over.

use std::collections::BTreeMap;

use key_metadata::Time;
use serde::Serialize;

use crate::log::{Body, Did, Entry};
use crate::script::{Script, Seat, Word};

/// One go at a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StepSeen {
    /// Its name.
    pub step: Word,
    /// Its number in the script; null where the script is not there or does not have it.
    pub number: Option<usize>,
    /// The heading of its act; `Safe state` for a step of that.
    pub act: Option<String>,
    /// What the script calls it.
    pub title: String,
    /// What kind of step it is.
    pub kind: String,
    /// Who acted.
    pub by: Vec<Seat>,
    /// When the one before was over.
    pub began: Time,
    /// When it was over; null where it never was.
    pub ended: Option<Time>,
    /// What came of it.
    pub came: Came,
    /// How often its program was started.
    pub tries: u32,
    /// The lines about it.
    pub lines: Vec<u64>,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Came {
    /// It was done.
    Done,
    /// It was left out.
    Skipped,
    /// The ceremony was broken off at it.
    Aborted,
    /// It was not finished.
    Open,
}

impl StepSeen {
    /// Its first line.
    pub fn first_line(&self) -> u64 {
        self.lines.first().map_or(1, |line| *line)
    }

    /// How long it took, in seconds.
    pub fn seconds(&self) -> Option<i64> {
        self.ended
            .map(|ended| ended.unix_seconds() - self.began.unix_seconds())
    }
}

/// What a script says of a step.
struct Known {
    number: Option<usize>,
    act: String,
    title: String,
    kind: &'static str,
}

/// The heading of the steps that a ceremony ends with when it is broken off.
pub const SAFE_STATE: &str = "Safe state";

/// The steps of these entries, in the order in which they began.
pub fn steps(entries: &[(u64, &Entry)], script: Option<&Script>) -> Vec<StepSeen> {
    let known = script.map_or_else(BTreeMap::new, known);
    let mut steps: Vec<StepSeen> = Vec::new();
    let Some((_, first)) = entries.first() else {
        return steps;
    };
    let mut free = first.t;
    for &(line, entry) in entries {
        let (step, came) = match &entry.body {
            Body::Step(done) => match &done.did {
                Did::Begin { .. } | Did::Fail { .. } | Did::Pause { .. } => (&done.step, None),
                Did::Say {}
                | Did::Confirm { .. }
                | Did::Record { .. }
                | Did::Attend { .. }
                | Did::Leave { .. }
                | Did::Clock { .. }
                | Did::Run { .. }
                | Did::Copy { .. }
                | Did::Seal { .. }
                | Did::Sign { .. }
                | Did::Resume {}
                | Did::Branch { .. } => (&done.step, Some(Came::Done)),
            },
            Body::Readback(readback) => (&readback.step, Some(Came::Done)),
            Body::Skip(skip) => (&skip.step, Some(Came::Skipped)),
            Body::Abort(abort) => (&abort.step, Some(Came::Aborted)),
            Body::Artefact(artefact) => (&artefact.step, None),
            Body::SecretEvent(event) => (&event.step, None),
            Body::Exception(exception) => (&exception.step, None),
            Body::Genesis(_)
            | Body::Recovered(_)
            | Body::Cast(_)
            | Body::Seal(_)
            | Body::Anchor(_)
            | Body::End(_) => {
                free = entry.t;
                continue;
            }
        };
        let open = steps
            .iter()
            .rposition(|seen| seen.came == Came::Open && seen.step == *step);
        let at = open.map_or_else(
            || {
                steps.push(begun(step, known.get(step), free));
                steps.len() - 1
            },
            |at| at,
        );
        let Some(seen) = steps.get_mut(at) else { continue };
        seen.lines.push(line);
        if seen.by.is_empty() {
            seen.by.clone_from(&entry.by);
        }
        if let Body::Step(done) = &entry.body {
            match &done.did {
                Did::Begin { attempt, .. } => seen.tries = *attempt,
                Did::Pause { .. } => "pause".clone_into(&mut seen.kind),
                did => {
                    if seen.kind.is_empty() {
                        kind(did).clone_into(&mut seen.kind);
                    }
                }
            }
        }
        if let Some(came) = came {
            seen.came = came;
            seen.ended = Some(entry.t);
            free = entry.t;
        }
    }
    steps
}

fn begun(step: &Word, known: Option<&Known>, began: Time) -> StepSeen {
    StepSeen {
        step: step.clone(),
        number: known.and_then(|known| known.number),
        act: known.map(|known| known.act.clone()),
        title: known.map_or_else(|| step.to_string(), |known| known.title.clone()),
        kind: known.map_or_else(String::new, |known| known.kind.to_owned()),
        by: Vec::new(),
        began,
        ended: None,
        came: Came::Open,
        tries: 0,
        lines: Vec::new(),
    }
}

fn known(script: &Script) -> BTreeMap<Word, Known> {
    let acts = script.plan().into_iter().chain(script.safe_state_plan());
    let known = acts.map(|planned| {
        let title = planned.step.title.clone();
        let known = Known {
            number: planned.act.map(|_| planned.number),
            act: planned.act.map_or(SAFE_STATE, |act| &act.title).to_owned(),
            title: title.map_or_else(|| planned.step.id.to_string(), |title| title),
            kind: planned.step.action.name(),
        };
        (planned.step.id.clone(), known)
    });
    known.collect()
}

fn kind(did: &Did) -> &'static str {
    match did {
        Did::Say {} => "say",
        Did::Confirm { .. } => "confirm",
        Did::Record { .. } => "record",
        Did::Attend { .. } => "attend",
        Did::Leave { .. } => "leave",
        Did::Clock { .. } => "clock",
        Did::Begin { .. } | Did::Run { .. } | Did::Fail { .. } => "run",
        Did::Copy { .. } => "copy",
        Did::Seal { .. } => "seal",
        Did::Sign { .. } => "sign",
        Did::Pause { .. } | Did::Resume {} => "pause",
        Did::Branch { .. } => "branch",
    }
}

/// A break.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Break {
    /// Its step.
    pub step: Word,
    /// From when.
    pub from: Time,
    /// Until when; null where it never ended.
    pub until: Option<Time>,
    /// The line that it began with.
    pub line: u64,
}

/// The breaks of these entries.
pub fn breaks(entries: &[(u64, &Entry)]) -> Vec<Break> {
    let mut breaks: Vec<Break> = Vec::new();
    for &(line, entry) in entries {
        let Body::Step(done) = &entry.body else { continue };
        if let Did::Pause { .. } = done.did {
            breaks.push(Break {
                step: done.step.clone(),
                from: entry.t,
                until: None,
                line,
            });
        } else if let Did::Resume {} = done.did
            && let Some(last) = breaks.last_mut()
        {
            last.until = last.until.or(Some(entry.t));
        }
    }
    breaks
}
