//! The texts of a script: what they may hold, and where `${name}` is filled in.

use serde_json::Value;

use super::finding::{Findings, Rule, at};
use crate::script::{Action, Script, Step, names_in};

/// Control characters, anywhere in the file.
pub(super) fn control_characters(value: &Value, findings: &mut Findings) {
    look_through(value, &mut Vec::new(), findings);
}

fn look_through(value: &Value, path: &mut Vec<String>, findings: &mut Findings) {
    match value {
        Value::String(text) => {
            if let Some(bad) = text.chars().find(|c| drives_a_terminal(*c)) {
                let text = format!("the character U+{:04X} is refused in texts", u32::from(bad));
                findings.add(Rule::ControlCharacter, path.clone(), text);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(index.to_string());
                look_through(item, path, findings);
                path.pop();
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                path.push(name.clone());
                look_through(field, path, findings);
                path.pop();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Control characters but the end of a line, and those that reorder or hide what is shown (Unicode TR 36, 3.1).
pub(super) fn drives_a_terminal(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// A text of a step, by its field.
#[derive(Debug)]
pub(super) struct Filled<'s> {
    pub field: String,
    pub text: &'s str,
}

/// The texts of a step in which `${name}` is filled in.
pub(super) fn filled(step: &Step) -> Vec<Filled<'_>> {
    let mut texts = Vec::new();
    let mut add = |field: String, text| texts.push(Filled { field, text });
    if let Some(title) = &step.title {
        add("title".to_owned(), title);
    }
    if let Some(expect) = &step.expect {
        add("expect".to_owned(), expect);
    }
    match &step.action {
        Action::Say(text) | Action::Clock(text) | Action::Seal(text) | Action::Pause(text) => {
            add(step.action.name().to_owned(), text);
        }
        Action::Confirm(confirm) => add("confirm.what".to_owned(), &confirm.what),
        Action::Record(record) => add("record.what".to_owned(), &record.what),
        Action::Attend(_) | Action::Leave(_) => {}
        Action::Run(run) => {
            for (index, argument) in run.argv.iter().enumerate() {
                add(format!("run.argv.{index}"), argument);
            }
            for (list, artefacts) in [("inputs", &run.inputs), ("outputs", &run.outputs)] {
                for (index, artefact) in artefacts.iter().enumerate() {
                    add(format!("run.{list}.{index}.path"), text_of(&artefact.path));
                    if let Some(sha256) = &artefact.sha256 {
                        add(format!("run.{list}.{index}.sha256"), sha256);
                    }
                }
            }
            if let Some(secret) = &run.secret {
                add("run.secret".to_owned(), secret);
            }
            if let Some(tag) = &run.destroys {
                add("run.destroys".to_owned(), tag);
            }
        }
        Action::Compare(compare) => {
            add("compare.what".to_owned(), &compare.what);
            add("compare.sha256".to_owned(), &compare.sha256);
        }
        Action::Copy(copy) => {
            for (index, file) in copy.files.iter().enumerate() {
                add(format!("copy.files.{index}"), text_of(file));
            }
        }
        Action::Sign(sign) => add("sign.what".to_owned(), &sign.what),
        Action::Branch(branch) => add("branch.question".to_owned(), &branch.question),
    }
    texts
}

/// The text of a path; one read from YAML is always UTF-8.
pub(super) fn text_of(path: &std::path::Path) -> &str {
    path.to_str().map_or("", |text| text)
}

pub(super) fn check(script: &Script, findings: &mut Findings) {
    for (path, text) in never_filled(script) {
        if text.contains("${") {
            let text = "'${' is not filled in here; it is in what steps say, show and run".to_owned();
            findings.add(Rule::VariablePlace, path, text);
        }
    }
    for (path, text) in [("title", &script.title), ("purpose", &script.purpose)] {
        if text.trim().is_empty() {
            findings.add(
                Rule::EmptyText,
                at(&[], path),
                format!("the script's {path} is empty"),
            );
        }
    }
    for planned in script.plan().iter().chain(&script.safe_state_plan()) {
        let step = planned.step;
        for Filled { field, text } in filled(step) {
            let path = at(&planned.path, &field);
            if text.trim().is_empty() && !field.starts_with("run.argv") {
                findings.add_of(
                    Rule::EmptyText,
                    &step.id,
                    path.clone(),
                    format!("'{field}' is empty"),
                );
            }
            if let Err(error) = names_in(text) {
                findings.add_of(Rule::VariableSyntax, &step.id, path, error.to_string());
            }
        }
        if let Some(reason) = &step.skip {
            let path = at(&planned.path, "skip");
            if reason.trim().is_empty() {
                let text = "'skip' gives no reason".to_owned();
                findings.add_of(Rule::EmptyText, &step.id, path, text);
            } else if reason.contains("${") {
                let text = "'${' is not filled in here".to_owned();
                findings.add_of(Rule::VariablePlace, &step.id, path, text);
            }
        }
    }
}

/// Texts in which `${name}` would stay as it is.
fn never_filled(script: &Script) -> Vec<(Vec<String>, &str)> {
    let mut texts = vec![
        (at(&[], "title"), script.title.as_str()),
        (at(&[], "purpose"), &script.purpose),
    ];
    let below = |top: &str, name: String, field: &[&str]| {
        let mut path = vec![top.to_owned(), name];
        path.extend(field.iter().map(|part| (*part).to_owned()));
        path
    };
    for (name, value) in &script.variables {
        texts.push((below("variables", name.to_string(), &[]), value));
    }
    for (name, role) in &script.roles {
        texts.push((below("roles", name.to_string(), &["what"]), &role.what));
    }
    for (name, program) in &script.programs {
        texts.push((
            below("programs", name.to_string(), &["path"]),
            text_of(&program.path),
        ));
    }
    for (name, material) in &script.materials {
        texts.push((below("materials", name.to_string(), &["what"]), &material.what));
        if let Some(bag) = &material.bag {
            texts.push((below("materials", name.to_string(), &["bag"]), bag));
        }
        if let Some(path) = &material.path {
            texts.push((below("materials", name.to_string(), &["path"]), text_of(path)));
        }
    }
    for (index, act) in script.acts.iter().enumerate() {
        texts.push((below("acts", index.to_string(), &["title"]), &act.title));
    }
    texts
}
