//! How long the real day will take.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::log::{Body, Did, Entry};
use crate::script::{Action, Script, Step, Which, Who, Word};

/// Words that are read aloud in a minute. No source: our choice, slower than speech.
const WORDS_A_MINUTE: u64 = 120;
/// What people need for each kind of step, in seconds. No standard and no published ceremony gives figures by kind: all are our choice.
mod seconds {
    pub const SAY: u64 = 10;
    pub const INITIALS: u64 = 20;
    pub const RECORD: u64 = 60;
    /// For each person: name, initials, a look at the identity card.
    pub const SIGN_IN: u64 = 90;
    pub const LEAVE: u64 = 30;
    pub const CLOCK: u64 = 60;
    /// To read a command before and its result after.
    pub const RUN: u64 = 60;
    pub const DESTROY: u64 = 120;
    /// 32 words, read and typed.
    pub const COMPARE: u64 = 240;
    pub const MEDIUM: u64 = 120;
    /// For each signature: the key out of its bag, its PIN, a touch.
    pub const SIGNATURE: u64 = 60;
    pub const PAUSE: u64 = 15 * 60;
    pub const BRANCH: u64 = 60;
}

/// How long the real day will take, by act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Estimate {
    /// The acts.
    pub acts: Vec<ActEstimate>,
    /// How many of the steps have their minutes from the script.
    pub by_script: u32,
    /// How many have a figure of ours.
    pub by_kind: u32,
}

/// How long an act will take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ActEstimate {
    /// Its heading.
    pub title: String,
    /// How many of its steps were come to.
    pub steps: u32,
    /// What people need, in seconds: by the script, or our figures for the kind of step.
    pub people: u64,
    /// What programs needed in the rehearsal, in seconds, on tokens in software; others can be slower.
    pub programs: u64,
}

impl Estimate {
    /// That of the steps that a rehearsal came to, from its log.
    pub fn of(script: &Script, entries: &[Entry]) -> Self {
        let programs = programs(entries);
        let mut estimate = Self {
            acts: Vec::new(),
            by_script: 0,
            by_kind: 0,
        };
        let plan = script.plan();
        for act in &script.acts {
            let mut line = ActEstimate {
                title: act.title.clone(),
                steps: 0,
                people: 0,
                programs: 0,
            };
            for planned in &plan {
                let here = planned.act.is_some_and(|of_step| of_step.id == act.id);
                let Some(seconds) = programs.get(&planned.step.id).filter(|_| here) else {
                    continue;
                };
                line.steps += 1;
                line.programs += seconds;
                line.people += if let Some(minutes) = planned.step.minutes {
                    estimate.by_script += 1;
                    u64::from(minutes) * 60
                } else {
                    estimate.by_kind += 1;
                    of_people(script, planned.step)
                };
            }
            estimate.acts.push(line);
        }
        estimate
    }

    /// All of it, in seconds.
    pub fn total(&self) -> u64 {
        self.acts.iter().map(|act| act.people + act.programs).sum()
    }
}

/// What programs needed in each step that was come to; 0 where none ran.
fn programs(entries: &[Entry]) -> BTreeMap<Word, u64> {
    let (mut needed, mut begun) = (BTreeMap::new(), BTreeMap::new());
    for entry in entries {
        let step = match &entry.body {
            Body::Step(step) => {
                match &step.did {
                    Did::Begin { .. } => {
                        begun.insert(step.step.clone(), entry.t);
                    }
                    Did::Run { .. } => {
                        let since = begun.remove(&step.step).map_or(entry.t, |begun| begun);
                        let seconds = entry.t.unix_seconds() - since.unix_seconds();
                        needed.insert(step.step.clone(), seconds.unsigned_abs());
                    }
                    Did::Say {}
                    | Did::Confirm { .. }
                    | Did::Record { .. }
                    | Did::Attend { .. }
                    | Did::Leave { .. }
                    | Did::Clock { .. }
                    | Did::Fail { .. }
                    | Did::Copy { .. }
                    | Did::Seal { .. }
                    | Did::Sign { .. }
                    | Did::Pause { .. }
                    | Did::Resume {}
                    | Did::Branch { .. } => {}
                }
                &step.step
            }
            Body::Readback(readback) => &readback.step,
            Body::Genesis(_)
            | Body::Artefact(_)
            | Body::SecretEvent(_)
            | Body::Exception(_)
            | Body::Skip(_)
            | Body::Abort(_)
            | Body::Recovered(_)
            | Body::Cast(_)
            | Body::Seal(_)
            | Body::Anchor(_)
            | Body::End(_) => continue,
        };
        needed.entry(step.clone()).or_insert(0);
    }
    needed
}

fn of_people(script: &Script, step: &Step) -> u64 {
    let seats = |who: &[Who]| who.iter().map(|who| script.seats(who).len() as u64).sum::<u64>();
    let seal = script
        .signers(Which::Earlier)
        .values()
        .map(|count| u64::from(*count))
        .sum::<u64>()
        * seconds::SIGNATURE;
    match &step.action {
        Action::Say(words) => seconds::SAY + words.split_whitespace().count() as u64 * 60 / WORDS_A_MINUTE,
        Action::Confirm(confirm) => seconds::SAY + seats(&confirm.initials) * seconds::INITIALS,
        Action::Record(_) => seconds::RECORD,
        Action::Attend(who) => seats(who) * seconds::SIGN_IN,
        Action::Leave(who) => seats(who) * seconds::LEAVE,
        Action::Clock(_) => seconds::CLOCK,
        Action::Run(run) => {
            let sealed = if run.affects_keys { seal } else { 0 };
            let destroyed = run.destroys.as_ref().map_or(0, |_| seconds::DESTROY);
            seconds::RUN + sealed + destroyed
        }
        Action::Compare(_) => seconds::COMPARE,
        Action::Copy(copy) => copy.to.len() as u64 * seconds::MEDIUM,
        Action::Seal(_) => seal,
        Action::Sign(sign) => seats(&sign.who) * seconds::SIGNATURE,
        Action::Pause(_) => seconds::PAUSE + seal,
        Action::Branch(_) => seconds::BRANCH,
    }
}
