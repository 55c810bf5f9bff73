//! Whether the script was followed: its steps walked along with the log.

use std::collections::BTreeMap;

use key_metadata::Digest;

use super::argv::{Values, is_like};
use super::claim::Claim;
use super::look::{Look, not_checked};
use super::record::Record;
use crate::log::{Body, Did, End, EndOutcome, Entry, Exception, Readback, Skip, Then};
use crate::script::{Action, Planned, Script, Step, Word};

const ID: &str = "steps";
const CLAIM: &str =
    "the script was followed: each step in its place, done, or left out as the script or an exception allows";
const COMMAND: &str = r#"grep -o '"step":"[^"]*"[^}]*' log.jsonl; grep -n 'id:' script.yaml"#;

/// The claim that the script was followed; `script` is why it cannot be read where it cannot.
pub(super) fn claim(record: &Record, script: &Result<Script, String>) -> Claim {
    let script = match script {
        Ok(script) => script,
        Err(why) => {
            let mut look = Look::default();
            look.fault(why);
            return look.claim(ID, CLAIM, COMMAND, String::new());
        }
    };
    let Some(genesis) = record.genesis() else {
        return not_checked(ID, CLAIM, COMMAND, "the log has no genesis");
    };
    let mut values = Values::of(script);
    values.set("ceremony", genesis.log.id());
    values.set("script", &genesis.script.to_string());
    let previous = genesis.previous.as_ref();
    let previous = previous.map_or_else(|| "none".to_owned(), |previous| previous.checkpoint.to_string());
    values.set("previous-checkpoint", &previous);
    let mut walk = Walk::new(script, values);
    let named = genesis.log == script.log || genesis.log == script.log.in_rehearsal();
    if !named || genesis.title != script.title {
        walk.look
            .fault_at(1, "the genesis has another log's name or title than the script");
    }
    for (line, entry) in &record.entries {
        walk.entry(*line, entry);
    }
    if !walk.ended
        && let Some(step) = walk.current()
    {
        let what = format!("the log ends before step '{}'", step.id);
        walk.look.fault(what);
    }
    let seen = format!(
        "{} steps done, {} left out, {} exceptions",
        walk.done, walk.skipped, walk.exceptions
    );
    walk.look.claim(ID, CLAIM, COMMAND, seen)
}

/// How far a log has come in its script.
struct Walk<'s> {
    look: Look,
    plan: Vec<Planned<'s>>,
    safe_state: Vec<Planned<'s>>,
    at: usize,
    choices: BTreeMap<Word, Word>,
    values: Values,
    /// The tries of the step's program, and whether the last one is under way.
    tries: u32,
    running: Running,
    paused: Paused,
    /// A run that affects keys, and was not sealed yet.
    unsealed: Option<Word>,
    checkpoint: u64,
    exception: Option<(u64, Exception)>,
    aborted: Option<u32>,
    ended: bool,
    done: u32,
    skipped: u32,
    exceptions: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Running {
    No,
    Yes,
    /// The program of the ceremony was interrupted meanwhile, or people looked.
    Lost,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Paused {
    No,
    Yes,
}

impl<'s> Walk<'s> {
    fn new(script: &'s Script, values: Values) -> Self {
        Self {
            look: Look::default(),
            plan: script.plan(),
            safe_state: script.safe_state_plan(),
            at: 0,
            choices: BTreeMap::new(),
            values,
            tries: 0,
            running: Running::No,
            paused: Paused::No,
            unsealed: None,
            checkpoint: 0,
            exception: None,
            aborted: None,
            ended: false,
            done: 0,
            skipped: 0,
            exceptions: 0,
        }
    }

    /// The step that is to be done now.
    fn current(&mut self) -> Option<&'s Step> {
        loop {
            let planned = self.plan.get(self.at)?;
            let chosen =
                |guard: &crate::script::Guard| self.choices.get(&guard.branch) == Some(&guard.choice);
            if planned.guards.iter().all(chosen) {
                return Some(planned.step);
            }
            self.at += 1;
        }
    }

    /// The step, if it is that one's turn. Else that is told, and the walk goes on from there.
    fn turn_of(&mut self, line: u64, id: &Word) -> Option<&'s Step> {
        let current = self.current();
        if let Some(step) = current
            && step.id == *id
        {
            return Some(step);
        }
        match current {
            Some(step) => {
                let what = format!("step '{id}', where it is the turn of '{}'", step.id);
                self.look.fault_at(line, what);
            }
            None => self
                .look
                .fault_at(line, format!("step '{id}' after the last one")),
        }
        let ahead = self
            .plan
            .iter()
            .skip(self.at)
            .position(|planned| planned.step.id == *id);
        let ahead = self.at + ahead?;
        self.leave_step();
        self.at = ahead;
        self.plan.get(ahead).map(|planned| planned.step)
    }

    fn leave_step(&mut self) {
        self.at += 1;
        self.tries = 0;
        self.running = Running::No;
        self.paused = Paused::No;
    }

    fn finish(&mut self) {
        self.done += 1;
        self.leave_step();
    }

    fn entry(&mut self, line: u64, entry: &Entry) {
        match &entry.body {
            Body::Genesis(_) | Body::Anchor(_) => {}
            Body::Recovered(_) | Body::Cast(_) => {
                if self.running == Running::Yes {
                    self.running = Running::Lost;
                }
            }
            Body::Seal(seal) => {
                self.checkpoint = seal.checkpoint;
                self.unsealed = None;
            }
            Body::Artefact(artefact) => {
                self.turn_of(line, &artefact.step);
            }
            Body::SecretEvent(event) => {
                self.turn_of(line, &event.step);
            }
            Body::Step(step) => {
                self.sealed_before(line);
                if let Some(planned) = self.turn_of(line, &step.step) {
                    self.look.at(line);
                    self.did(line, planned, &step.did);
                }
            }
            Body::Readback(readback) => {
                self.sealed_before(line);
                self.readback(line, readback);
            }
            Body::Exception(exception) => {
                self.turn_of(line, &exception.step);
                self.exceptions += 1;
                self.exception = Some((line, exception.clone()));
                if self.running == Running::Yes {
                    self.running = Running::Lost;
                }
            }
            Body::Skip(skip) => {
                self.sealed_before(line);
                self.skip(line, skip);
            }
            Body::Abort(abort) => {
                self.turn_of(line, &abort.step);
                if self.aborted.is_some() {
                    self.look.fault_at(line, "it was broken off before");
                }
                self.aborted = Some(self.done);
                self.plan = std::mem::take(&mut self.safe_state);
                self.leave_step();
                self.at = 0;
            }
            Body::End(end) => self.end(line, end),
        }
    }

    fn sealed_before(&mut self, line: u64) {
        if let Some(step) = self.unsealed.take() {
            let what = format!("step '{step}' affected keys, and no seal came directly after it");
            self.look.fault_at(line, what);
        }
    }

    fn did(&mut self, line: u64, step: &Step, did: &Did) {
        let mut wrong = |what: String| self.look.fault_at(line, format!("step '{}': {what}", step.id));
        match (did, &step.action) {
            (Did::Begin { argv, attempt }, Action::Run(run)) => {
                if *attempt != self.tries.saturating_add(1) || self.running == Running::Yes {
                    wrong(format!("try {attempt} begins after try {}", self.tries));
                }
                if !is_like(&run.argv, argv, &self.values) {
                    wrong(format!("the command '{}' is not the script's", argv.join(" ")));
                }
                self.tries = *attempt;
                self.running = Running::Yes;
                return;
            }
            (Did::Fail { attempt, .. }, Action::Run(_)) => {
                if *attempt != self.tries || self.running == Running::No {
                    wrong(format!("try {attempt} failed, and did not begin"));
                }
                self.running = Running::No;
                return;
            }
            (
                Did::Run {
                    attempt,
                    exit,
                    values,
                    ..
                },
                Action::Run(run),
            ) => {
                if *attempt != self.tries || self.running == Running::No {
                    wrong(format!("try {attempt} ended, and did not begin"));
                }
                if !run.succeeds.contains(exit) {
                    wrong(format!("exit code {exit} is no success"));
                }
                if !run
                    .values
                    .keys()
                    .map(Word::as_str)
                    .eq(values.keys().map(String::as_str))
                {
                    wrong("the values taken are not those of the script".to_owned());
                }
                for (name, value) in values {
                    self.values.set(name, value);
                }
                if run.affects_keys {
                    self.unsealed = Some(step.id.clone());
                }
            }
            (Did::Pause { .. }, Action::Pause(_)) => {
                self.paused = Paused::Yes;
                return;
            }
            (Did::Resume {}, Action::Pause(_)) => {
                if self.paused == Paused::No {
                    wrong("it is over, and did not begin".to_owned());
                }
            }
            (Did::Record { name, value, .. }, Action::Record(record)) => {
                let whole = regex::Regex::new(&format!("^(?:{})$", record.pattern));
                if *name != record.name || !whole.is_ok_and(|whole| whole.is_match(value)) {
                    wrong(format!("'{value}' is no value of '{}'", record.name));
                }
                self.values.set(name.as_str(), value);
            }
            (Did::Branch { choice }, Action::Branch(branch)) => {
                if !branch.choices.contains_key(choice) {
                    wrong(format!("'{choice}' is no choice"));
                }
                self.choices.insert(step.id.clone(), choice.clone());
            }
            (Did::Seal { checkpoint }, Action::Seal(_)) | (Did::Sign { checkpoint, .. }, Action::Sign(_)) => {
                if *checkpoint != self.checkpoint {
                    wrong(format!(
                        "checkpoint {checkpoint}, and the last one is {}",
                        self.checkpoint
                    ));
                }
            }
            (Did::Say {}, Action::Say(_))
            | (Did::Confirm { .. }, Action::Confirm(_))
            | (Did::Attend { .. }, Action::Attend(_))
            | (Did::Leave { .. }, Action::Leave(_))
            | (Did::Clock { .. }, Action::Clock(_))
            | (Did::Copy { .. }, Action::Copy(_)) => {}
            (_, action) => wrong(format!("what was done is no '{}'", action.name())),
        }
        self.finish();
    }

    fn readback(&mut self, line: u64, readback: &Readback) {
        let Some(step) = self.turn_of(line, &readback.step) else {
            return;
        };
        self.look.at(line);
        if let Action::Compare(compare) = &step.action {
            let expected = self.values.fill(&compare.sha256);
            let expected = expected.and_then(|text| text.parse::<Digest>().ok());
            if expected.is_some_and(|expected| expected != readback.sha256) {
                let what = format!(
                    "step '{}': another digest was compared than the script's",
                    step.id
                );
                self.look.fault_at(line, what);
            }
        } else {
            let what = format!("step '{}': what was done is no '{}'", step.id, step.action.name());
            self.look.fault_at(line, what);
        }
        self.finish();
    }

    fn skip(&mut self, line: u64, skip: &Skip) {
        let Some(step) = self.turn_of(line, &skip.step) else {
            return;
        };
        self.look.at(line);
        let allowed = match skip.exception {
            None => step.skip.is_some(),
            Some(number) => self.exception.as_ref().is_some_and(|(at, exception)| {
                *at == number && exception.step == skip.step && exception.then == Then::Skip
            }),
        };
        if !allowed {
            let what = format!(
                "step '{}' was left out, and neither the script nor an exception allows it",
                step.id
            );
            self.look.fault_at(line, what);
        }
        self.skipped += 1;
        self.leave_step();
    }

    fn end(&mut self, line: u64, end: &End) {
        self.sealed_before(line);
        self.ended = true;
        if let Some(step) = self.current() {
            let what = format!("the end, before step '{}'", step.id);
            self.look.fault_at(line, what);
        }
        let outcome = match self.aborted {
            None => EndOutcome::Completed,
            Some(_) => EndOutcome::Aborted,
        };
        // The steps of the safe state may be counted or not.
        let done = end.done == self.done || self.aborted.is_some_and(|before| before == end.done);
        if end.outcome != outcome || !done || end.skipped != self.skipped || end.exceptions != self.exceptions
        {
            self.look.fault_at(line, "the end does not say what was done");
        }
    }
}
