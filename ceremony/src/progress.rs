//! How far a ceremony has come: what follows from its entries alone, so that a program that was interrupted knows as much as one that was not.

use std::collections::{BTreeMap, BTreeSet};

use key_metadata::{Digest, Time};

use crate::log::{Body, CastMark, Did, EndOutcome, Entry, Genesis, Person, Seal, Then};
use crate::script::{Action, Planned, Role, Script, Seat, Variables, Word};

/// What the entries say by now.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// The first entry.
    pub genesis: Option<Genesis>,
    /// When it was written.
    pub began: Option<Time>,
    /// The steps that are finished.
    pub finished: BTreeMap<Word, Finished>,
    /// The variables.
    pub variables: Variables,
    /// The choices that were made, by the step that asked.
    pub choices: BTreeMap<Word, Word>,
    /// Who is there.
    pub present: BTreeMap<Seat, Person>,
    /// A program that began and of which no end is known.
    pub begun: Option<Begun>,
    /// How often the program of a step was started.
    pub attempts: BTreeMap<Word, u32>,
    /// The step of the break that is on.
    pub pausing: Option<Word>,
    /// The seals, with the number of their entry.
    pub seals: Vec<(u64, Seal)>,
    /// The last checkpoint whose signatures are noted.
    pub anchored: u64,
    /// The last number of the counter that the log knows.
    pub counter: Option<u64>,
    /// Files that the entries name.
    pub artefacts: BTreeSet<Digest>,
    /// The steps at which there was an exception.
    pub exceptions: Vec<Word>,
    /// What an exception decided and was not done yet.
    pub decided: Option<Decided>,
    /// The step at which it was broken off.
    pub aborted: Option<Word>,
    /// The step that changed keys and was not sealed yet.
    pub unsealed: Option<Word>,
    /// How it ended.
    pub ended: Option<EndOutcome>,
    /// Torn ends that were told.
    pub torn: BTreeSet<String>,
    /// The recording that was begun last.
    pub cast: Option<String>,
    /// How many recordings there are.
    pub casts: u64,
    /// Where the recording was at the last seal.
    pub cast_mark: Option<CastMark>,
}

/// How a step was finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// It was done.
    Done,
    /// It was left out.
    Skipped,
}

/// A program that began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Its step.
    pub step: Word,
    /// The how many'th try, from 1.
    pub attempt: u32,
}

/// What an exception decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The step.
    pub step: Word,
    /// How to go on.
    pub then: Then,
    /// The number of the exception's entry.
    pub entry: u64,
    /// The decision in words.
    pub words: String,
}

/// What comes next.
#[derive(Clone, Debug)]
pub enum Next<'s> {
    /// The first entry.
    Genesis,
    /// The signatures of the last seal; after the last one of all nothing follows.
    Signatures(u64),
    /// A seal, and why.
    Seal(String),
    /// To carry out what an exception decided.
    Carry(Decided),
    /// A step.
    Step(Planned<'s>),
    /// The last entry before the last seal.
    End(EndOutcome),
}

/// Why the first seal is there.
const START: &str = "start";
/// Why the last one is.
const END: &str = "end";

impl Progress {
    /// What these entries say of a ceremony of that script.
    pub fn of(script: &Script, entries: &[Entry]) -> Self {
        let mut progress = Self::default();
        for entry in entries {
            progress.take(script, entry);
        }
        progress
    }

    /// Takes in one entry more.
    pub fn take(&mut self, script: &Script, entry: &Entry) {
        match &entry.body {
            Body::Genesis(genesis) => {
                self.began = Some(entry.t);
                self.counter = genesis.tpm.as_ref().map(|tpm| tpm.counter);
                self.start_variables(script, genesis);
                self.genesis = Some((**genesis).clone());
            }
            Body::Step(done) => self.take_step(script, &done.step, &done.did),
            Body::Readback(readback) => self.finish(&readback.step, Finished::Done),
            Body::Artefact(artefact) => {
                self.artefacts.insert(artefact.sha256);
            }
            Body::SecretEvent(_) => {}
            Body::Exception(exception) => {
                self.exceptions.push(exception.step.clone());
                self.decided = match exception.then {
                    Then::Again => {
                        self.finished.remove(&exception.step);
                        None
                    }
                    Then::Skip | Then::Abort => Some(Decided {
                        step: exception.step.clone(),
                        then: exception.then,
                        entry: entry.n,
                        words: exception.decided.clone(),
                    }),
                };
                // Whoever wrote the sheet has looked at what the program left.
                self.begun = None;
            }
            Body::Skip(skip) => {
                self.decided = None;
                self.finish(&skip.step, Finished::Skipped);
            }
            Body::Abort(abort) => {
                self.decided = None;
                self.begun = None;
                self.pausing = None;
                self.aborted = Some(abort.step.clone());
            }
            Body::Recovered(recovered) => {
                self.torn
                    .extend(recovered.torn.iter().map(|torn| torn.file.clone()));
                self.counter = recovered.counter.or(self.counter);
            }
            Body::Cast(cast) => {
                self.casts += 1;
                self.cast = Some(cast.file.clone());
            }
            Body::Seal(seal) => {
                self.counter = seal.tpm.as_ref().map(|tpm| tpm.counter).or(self.counter);
                self.cast_mark = Some(seal.cast.clone());
                self.unsealed = None;
                self.seals.push((entry.n, seal.clone()));
            }
            Body::Anchor(anchor) => self.anchored = anchor.checkpoint,
            Body::End(end) => self.ended = Some(end.outcome),
        }
    }

    fn start_variables(&mut self, script: &Script, genesis: &Genesis) {
        for (name, value) in &script.variables {
            self.variables.set(name.clone(), value.clone());
        }
        let previous = genesis.previous.as_ref();
        let previous = previous.map_or("none".to_owned(), |previous| previous.checkpoint.to_string());
        for (name, value) in [
            ("ceremony", script.id().to_owned()),
            ("script", genesis.script.to_string()),
            ("previous-checkpoint", previous),
        ] {
            self.set(name, value);
        }
    }

    fn set(&mut self, name: &str, value: String) {
        if let Ok(name) = name.parse() {
            self.variables.set(name, value);
        }
    }

    fn finish(&mut self, step: &Word, how: Finished) {
        self.finished.insert(step.clone(), how);
        self.begun = None;
    }

    fn take_step(&mut self, script: &Script, step: &Word, did: &Did) {
        match did {
            Did::Begin { attempt, .. } => {
                self.attempts.insert(step.clone(), *attempt);
                self.begun = Some(Begun {
                    step: step.clone(),
                    attempt: *attempt,
                });
                return;
            }
            Did::Fail { .. } => {
                self.begun = None;
                return;
            }
            Did::Pause { .. } => {
                self.pausing = Some(step.clone());
                return;
            }
            Did::Resume {} => self.pausing = None,
            Did::Record { name, value, .. } => self.variables.set(name.clone(), value.clone()),
            Did::Attend { people } => {
                let people = people.iter().map(|person| (person.seat.clone(), person.clone()));
                self.present.extend(people);
            }
            Did::Leave { seats } => self.present.retain(|seat, _| !seats.contains(seat)),
            Did::Run { values, .. } => {
                for (name, value) in values {
                    self.set(name, value.clone());
                }
                if affects_keys(script, step) {
                    self.unsealed = Some(step.clone());
                }
            }
            Did::Branch { choice } => {
                self.choices.insert(step.clone(), choice.clone());
            }
            Did::Say {}
            | Did::Confirm { .. }
            | Did::Clock { .. }
            | Did::Copy { .. }
            | Did::Seal { .. }
            | Did::Sign { .. } => {}
        }
        self.finish(step, Finished::Done);
    }

    /// What comes next in that script.
    pub fn next<'s>(&self, script: &'s Script) -> Next<'s> {
        if self.genesis.is_none() {
            return Next::Genesis;
        }
        if let Some((_, seal)) = self.seals.last()
            && seal.checkpoint > self.anchored
        {
            return Next::Signatures(seal.checkpoint);
        }
        if self.ended.is_some() {
            return Next::Seal(END.to_owned());
        }
        if self.seals.is_empty() {
            return Next::Seal(START.to_owned());
        }
        if let Some(step) = &self.unsealed {
            return Next::Seal(format!("after {step}"));
        }
        if let Some(decided) = &self.decided {
            return Next::Carry(decided.clone());
        }
        let plan = match self.aborted {
            None => script.plan(),
            Some(_) => script.safe_state_plan(),
        };
        let open = plan.into_iter().find(|planned| {
            let chosen = |branch, choice| self.choices.get(branch) == Some(choice);
            !self.finished.contains_key(&planned.step.id)
                && planned
                    .guards
                    .iter()
                    .all(|guard| chosen(&guard.branch, &guard.choice))
        });
        match (open, &self.aborted) {
            (Some(planned), _) => Next::Step(planned),
            (None, None) => Next::End(EndOutcome::Completed),
            (None, Some(_)) => Next::End(EndOutcome::Aborted),
        }
    }

    /// Whether the last seal is the one after the end.
    pub fn is_sealed_to_the_end(&self) -> bool {
        self.ended.is_some() && self.seals.last().is_some_and(|(_, seal)| seal.reason == END)
    }

    /// How many people with that role are there.
    pub fn present_with(&self, role: &Role) -> usize {
        self.present.keys().filter(|seat| seat.role() == role).count()
    }

    /// The roles that are missing of a quorum, each with how many there are and how many there must be.
    pub fn missing<'q>(&self, quorum: &'q BTreeMap<Role, u8>) -> Vec<(&'q Role, usize, u8)> {
        let counted = quorum
            .iter()
            .map(|(role, wanted)| (role, self.present_with(role), *wanted));
        counted
            .filter(|(_, there, wanted)| there < &usize::from(*wanted))
            .collect()
    }

    /// The number of steps that were finished in that way.
    pub fn count(&self, how: Finished) -> u32 {
        let count = self
            .finished
            .values()
            .filter(|finished| **finished == how)
            .count();
        u32::try_from(count).map_or(u32::MAX, |count| count)
    }
}

fn affects_keys(script: &Script, step: &Word) -> bool {
    let plan = script.plan().into_iter().chain(script.safe_state_plan());
    plan.filter(|planned| planned.step.id == *step)
        .any(|planned| matches!(&planned.step.action, Action::Run(run) if run.affects_keys))
}
