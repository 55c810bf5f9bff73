//! The script gone through, every way at once: what holds before each step, which variables have values, who is present.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::{Findings, Rule, at};
use super::ledger::Ledger;
use super::presence;
use super::structure::given;
use super::texts::{Filled, filled};
use crate::script::{Act, Action, BUILT_IN, Script, Step, Which, Word, names_in};

/// What is so at a point of the script, whatever way led there.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub facts: Ledger,
    pub people: Ledger,
    /// Whether the quorum has signed in, or something was done as if it had.
    pub begun: bool,
    /// Whether it was told that the quorum is not here.
    pub short: bool,
    variables: Ledger,
    /// Variables that some way may have given a value already.
    assigned: BTreeSet<Word>,
}

/// One walk.
pub(super) struct Walk<'a, 's> {
    pub script: &'s Script,
    pub act: Option<&'s Act>,
    pub findings: &'a mut Findings,
    given: &'a BTreeMap<&'s Word, &'s Word>,
}

pub(super) fn check(script: &Script, findings: &mut Findings) {
    let mut state = State::at_start(script);
    for name in script.variables.keys() {
        if BUILT_IN.contains(&name.as_str()) {
            let text = format!("every ceremony has a '{name}' of its own");
            let path = at(&[], &format!("variables.{name}"));
            findings.add(Rule::VariableShadowed, path, text);
        }
    }
    let given = given(script);
    for (index, act) in script.acts.iter().enumerate() {
        let path = at(&[], &format!("acts.{index}.steps"));
        let mut walk = Walk {
            script,
            act: Some(act),
            findings: &mut *findings,
            given: &given,
        };
        state = walk.steps(&act.steps, &path, state);
    }
    let missing = presence::missing(script, script.signers(Which::Last), &state.people);
    if let Some((role, wanted, present)) = missing {
        let text = format!(
            "the last checkpoint is signed by {wanted} of '{role}', and at the end {present} are present"
        );
        let field = if script.last_seal.is_empty() {
            "seals"
        } else {
            "last-seal"
        };
        findings.add(Rule::Signers, at(&[], &format!("{field}.{role}")), text);
    }
}

impl State {
    /// Before the first step.
    pub(super) fn at_start(script: &Script) -> Self {
        let mut variables = Ledger::default();
        for name in BUILT_IN {
            variables.found(name);
        }
        for name in script.variables.keys() {
            variables.found(name.as_str());
        }
        Self {
            facts: Ledger::default(),
            people: Ledger::default(),
            begun: false,
            short: false,
            variables,
            assigned: script.variables.keys().cloned().collect(),
        }
    }

    fn meet(&self, other: &Self) -> Self {
        let mut assigned = self.assigned.clone();
        assigned.extend(other.assigned.iter().cloned());
        Self {
            facts: self.facts.meet(&other.facts),
            people: self.people.meet(&other.people),
            begun: self.begun && other.begun,
            short: self.short && other.short,
            variables: self.variables.meet(&other.variables),
            assigned,
        }
    }
}

impl Walk<'_, '_> {
    fn steps(&mut self, steps: &[Step], path: &[String], mut state: State) -> State {
        for (index, step) in steps.iter().enumerate() {
            state = self.step(step, &at(path, &index.to_string()), state);
        }
        state
    }

    fn step(&mut self, step: &Step, path: &[String], mut before: State) -> State {
        self.needs(step, path, &before);
        self.variables(step, path, &before);
        presence::check(self, step, path, &mut before);
        let skipped = step.skip.is_some().then(|| before.clone());
        let mut after = match &step.action {
            Action::Branch(branch) => {
                let mut ends = Vec::new();
                for (choice, steps) in &branch.choices {
                    let path = at(path, &format!("branch.choices.{choice}"));
                    ends.push(self.steps(steps, &path, before.clone()));
                }
                let met = ends.into_iter().reduce(|one, other| one.meet(&other));
                met.map_or(before, |met| met)
            }
            Action::Say(_)
            | Action::Confirm(_)
            | Action::Record(_)
            | Action::Attend(_)
            | Action::Leave(_)
            | Action::Clock(_)
            | Action::Run(_)
            | Action::Compare(_)
            | Action::Copy(_)
            | Action::Seal(_)
            | Action::Sign(_)
            | Action::Pause(_) => before,
        };
        self.assign(step, path, &mut after);
        presence::apply(self, step, path, &mut after);
        for fact in &step.gives {
            after.facts.give(fact.as_str(), &step.id);
        }
        for fact in &step.takes {
            after.facts.take(fact.as_str(), &step.id);
        }
        match skipped {
            Some(skipped) => skipped.meet(&after),
            None => after,
        }
    }

    fn needs(&mut self, step: &Step, path: &[String], state: &State) {
        let given = self.given;
        let lacks = |fact: &Word| match (state.facts.lost(fact.as_str()), given.get(fact)) {
            (Some(lost), _) => lost.text(),
            (None, Some(later)) => format!("step '{later}' gives it, which is not on every way before"),
            (None, None) => "no step gives it".to_owned(),
        };
        for (index, fact) in step.needs.iter().enumerate() {
            if !state.facts.has(fact.as_str()) {
                let text = format!("'{fact}' does not hold here: {}", lacks(fact));
                let path = at(path, &format!("needs.{index}"));
                self.findings.add_of(Rule::FactMissing, &step.id, path, text);
            }
        }
        for (index, fact) in step.takes.iter().enumerate() {
            if !given.contains_key(fact) {
                let path = at(path, &format!("takes.{index}"));
                let text = format!("'{fact}' is taken, and no step gives it");
                self.findings.add_of(Rule::FactMissing, &step.id, path, text);
            }
        }
        if let Action::Copy(copy) = &step.action {
            for (index, medium) in copy.to.iter().enumerate() {
                if self.script.materials.contains_key(medium) && !state.facts.has(medium.as_str()) {
                    let text = format!("'{medium}' is not in its drive: {}", lacks(medium));
                    let path = at(path, &format!("copy.to.{index}"));
                    self.findings.add_of(Rule::Medium, &step.id, path, text);
                }
            }
        }
    }

    fn variables(&mut self, step: &Step, path: &[String], state: &State) {
        for Filled { field, text } in filled(step) {
            let Ok(names) = names_in(text) else { continue };
            for name in names {
                if !state.variables.has(name) {
                    let why = state.variables.lost(name).map_or_else(
                        || {
                            "it is neither in 'variables' nor recorded nor taken from an output before"
                                .to_owned()
                        },
                        super::ledger::Lost::text,
                    );
                    let text = format!("${{{name}}} has no value here: {why}");
                    self.findings
                        .add_of(Rule::VariableUnknown, &step.id, at(path, &field), text);
                }
            }
        }
    }

    /// Gives the variables of a step their values.
    fn assign(&mut self, step: &Step, path: &[String], state: &mut State) {
        let names: Vec<(String, &Word)> = match &step.action {
            Action::Record(record) => vec![("record.name".to_owned(), &record.name)],
            Action::Run(run) => run
                .values
                .keys()
                .map(|name| (format!("run.values.{name}"), name))
                .collect(),
            Action::Say(_)
            | Action::Confirm(_)
            | Action::Attend(_)
            | Action::Leave(_)
            | Action::Clock(_)
            | Action::Compare(_)
            | Action::Copy(_)
            | Action::Seal(_)
            | Action::Sign(_)
            | Action::Pause(_)
            | Action::Branch(_) => Vec::new(),
        };
        for (field, name) in names {
            if BUILT_IN.contains(&name.as_str()) || state.assigned.contains(name) {
                let text = format!("'{name}' has a value already");
                self.findings
                    .add_of(Rule::VariableShadowed, &step.id, at(path, &field), text);
            }
            state.assigned.insert(name.clone());
            state.variables.give(name.as_str(), &step.id);
        }
    }
}
