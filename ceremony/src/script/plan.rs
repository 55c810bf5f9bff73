//! A script's steps in the order in which they come, each with its number and what must have been chosen for it.

use super::action::Action;
use super::name::Word;
use super::step::Step;
use super::{Act, Script};

/// A choice that a step depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The step that asks.
    pub branch: Word,
    /// The choice.
    pub choice: Word,
}

/// A step in its place.
#[derive(Clone, Debug)]
pub struct Planned<'s> {
    /// From 1, in the order of the script, the steps of every choice counted.
    pub number: usize,
    /// Its act; `None` in the safe state.
    pub act: Option<&'s Act>,
    /// The step.
    pub step: &'s Step,
    /// The choices that lead to it, outermost first.
    pub guards: Vec<Guard>,
    /// Where it is in the file, as [`key_metadata::yaml::place_of`] takes it: `acts`, `0`, `steps`, `3`.
    pub path: Vec<String>,
}

impl Script {
    /// The steps of the acts, in order.
    pub fn plan(&self) -> Vec<Planned<'_>> {
        let mut plan = Vec::new();
        for (index, act) in self.acts.iter().enumerate() {
            let path = vec!["acts".to_owned(), index.to_string(), "steps".to_owned()];
            append(&mut plan, Some(act), &act.steps, &[], &path);
        }
        plan
    }

    /// The steps of the safe state, numbered for themselves.
    pub fn safe_state_plan(&self) -> Vec<Planned<'_>> {
        let mut plan = Vec::new();
        append(&mut plan, None, &self.safe_state, &[], &["safe-state".to_owned()]);
        plan
    }
}

fn append<'s>(
    plan: &mut Vec<Planned<'s>>,
    act: Option<&'s Act>,
    steps: &'s [Step],
    guards: &[Guard],
    path: &[String],
) {
    for (index, step) in steps.iter().enumerate() {
        let path = [path, &[index.to_string()]].concat();
        plan.push(Planned {
            number: plan.len() + 1,
            act,
            step,
            guards: guards.to_vec(),
            path: path.clone(),
        });
        if let Action::Branch(branch) = &step.action {
            for (choice, steps) in &branch.choices {
                let guard = Guard {
                    branch: step.id.clone(),
                    choice: choice.clone(),
                };
                let guards = [guards, &[guard]].concat();
                let within = ["branch".to_owned(), "choices".to_owned(), choice.to_string()];
                append(plan, act, steps, &guards, &[&path[..], &within].concat());
            }
        }
    }
}
