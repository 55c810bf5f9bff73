//! What a script is made of: names, branches, patterns.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

use super::finding::{Findings, Rule, at};
use crate::script::{Action, Kind, Planned, Script, Word};

/// How many branches may be in one another.
const DEEPEST: usize = 4;

/// The regular expression of a typed value, for the whole value.
pub fn anchored(pattern: &str) -> Result<Regex, regex::Error> {
    // By itself first: 'a)|(b' would be well-formed only inside of the group.
    let build = |pattern: &str| RegexBuilder::new(pattern).size_limit(1 << 20).build();
    build(pattern)?;
    build(&format!("^(?:{pattern})$"))
}

pub(super) fn check(script: &Script, findings: &mut Findings) {
    head(script, findings);
    let mut acts = BTreeMap::new();
    for (index, act) in script.acts.iter().enumerate() {
        let path = at(&[], &format!("acts.{index}"));
        if acts.insert(&act.id, index).is_some() {
            let text = format!("an act before is '{}' too", act.id);
            findings.add(Rule::IdTwice, at(&path, "id"), text);
        }
        if act.title.trim().is_empty() {
            let text = format!("the title of act '{}' is empty", act.id);
            findings.add(Rule::EmptyText, at(&path, "title"), text);
        }
        if act.steps.is_empty() {
            let text = format!("act '{}' has no step", act.id);
            findings.add(Rule::EmptyList, at(&path, "steps"), text);
        }
    }
    let mut steps = BTreeMap::new();
    for planned in script.plan().iter().chain(&script.safe_state_plan()) {
        let step = planned.step;
        if steps.insert(&step.id, ()).is_some() {
            let text = format!("a step before is '{}' too", step.id);
            findings.add_of(Rule::IdTwice, &step.id, at(&planned.path, "id"), text);
        }
        one(script, planned, findings);
    }
}

fn head(script: &Script, findings: &mut Findings) {
    if script.acts.is_empty() {
        findings.add(Rule::EmptyList, at(&[], "acts"), "there is no act".to_owned());
    }
    if script.kind == Kind::Production && script.log.as_str().starts_with("REHEARSAL/") {
        let text = "the log of a ceremony that counts is named as a rehearsal's".to_owned();
        findings.add(Rule::Kind, at(&[], "log"), text);
    }
    if script.previous.as_str() == script.id() {
        let text = format!("'{}' cannot come after itself", script.id());
        findings.add(Rule::Previous, at(&[], "previous"), text);
    }
    if script.tpm.is_none() {
        let text = "no TPM is named: the log will be unanchored".to_owned();
        findings.add(Rule::Unanchored, at(&[], "log"), text);
    }
    for name in script.roles.keys() {
        if name.as_str().parse::<crate::script::Seat>().is_ok() {
            let text = format!("'{name}' is the name of a seat; a role's has no number at its end");
            findings.add(Rule::RoleName, at(&[], &format!("roles.{name}")), text);
        }
    }
}

fn one(script: &Script, planned: &Planned<'_>, findings: &mut Findings) {
    let step = planned.step;
    let mut add = |rule, field: &str, text| {
        findings.add_of(rule, &step.id, at(&planned.path, field), text);
    };
    let nothing = |what: &str| format!("'{what}' names nobody and nothing");
    if step.by.is_empty() {
        add(Rule::EmptyList, "by", nothing("by"));
    }
    match &step.action {
        Action::Record(record) => {
            if let Err(error) = anchored(&record.pattern) {
                let error = error.to_string();
                let why = error.lines().last().map_or("", |line| line).trim_start();
                let why = why.strip_prefix("error: ").map_or(why, |why| why);
                let text = format!("'{}' is no regular expression: {why}", record.pattern);
                add(Rule::Pattern, "record.pattern", text);
            }
            if record.last_time.is_some() && script.previous().is_none() {
                let text = "there was no ceremony before: 'previous' is none".to_owned();
                add(Rule::Previous, "record.last-time", text);
            }
        }
        Action::Branch(branch) => {
            if branch.choices.len() < 2 {
                let text = "a branch has two choices at least".to_owned();
                add(Rule::Branch, "branch.choices", text);
            }
            // One too deep is told once, where it begins.
            if planned.guards.len() == DEEPEST {
                let text = format!("branches are at most {DEEPEST} deep in one another");
                add(Rule::BranchDepth, "branch", text);
            }
        }
        Action::Confirm(confirm) if confirm.initials.is_empty() => {
            add(Rule::EmptyList, "confirm.initials", nothing("initials"));
        }
        Action::Attend(who) if who.is_empty() => add(Rule::EmptyList, "attend", nothing("attend")),
        Action::Leave(who) if who.is_empty() => add(Rule::EmptyList, "leave", nothing("leave")),
        Action::Sign(sign) if sign.who.is_empty() => {
            add(Rule::EmptyList, "sign.who", nothing("who"));
        }
        Action::Copy(copy) => {
            if copy.files.is_empty() {
                add(Rule::EmptyList, "copy.files", nothing("files"));
            }
            if copy.to.is_empty() {
                add(Rule::EmptyList, "copy.to", nothing("to"));
            }
        }
        Action::Say(_)
        | Action::Confirm(_)
        | Action::Attend(_)
        | Action::Leave(_)
        | Action::Clock(_)
        | Action::Run(_)
        | Action::Compare(_)
        | Action::Seal(_)
        | Action::Sign(_)
        | Action::Pause(_) => {}
    }
}

/// Facts, by who gives them first.
pub(super) fn given(script: &Script) -> BTreeMap<&Word, &Word> {
    let mut given = BTreeMap::new();
    for planned in script.plan() {
        for fact in &planned.step.gives {
            given.entry(fact).or_insert(&planned.step.id);
        }
    }
    given
}
