//! Files, digests, and the media that files are copied to.

use std::path::{Component, Path};

use key_metadata::Digest;

use super::finding::{Findings, Rule, at};
use super::structure::given;
use super::texts::text_of;
use crate::script::{Action, MaterialKind, Planned, Script};

pub(super) fn check(script: &Script, findings: &mut Findings) {
    for (name, material) in &script.materials {
        if let Some(path) = &material.path {
            let field = at(&[], &format!("materials.{name}.path"));
            outside(path, &mut |text| findings.add(Rule::Path, field.clone(), text));
        }
    }
    for planned in script.plan().iter().chain(&script.safe_state_plan()) {
        step(script, planned, findings);
    }
    unused(script, findings);
}

fn step(script: &Script, planned: &Planned<'_>, findings: &mut Findings) {
    let mut add = |rule, field: &str, text| {
        findings.add_of(rule, &planned.step.id, at(&planned.path, field), text);
    };
    match &planned.step.action {
        Action::Run(run) => {
            for (list, artefacts) in [("inputs", &run.inputs), ("outputs", &run.outputs)] {
                for (index, artefact) in artefacts.iter().enumerate() {
                    let field = format!("run.{list}.{index}");
                    outside(&artefact.path, &mut |text| {
                        add(Rule::Path, &format!("{field}.path"), text);
                    });
                    if let Some(text) = artefact.sha256.as_deref().and_then(no_digest) {
                        add(Rule::Digest, &format!("{field}.sha256"), text);
                    }
                }
            }
        }
        Action::Compare(compare) => {
            if let Some(text) = no_digest(&compare.sha256) {
                add(Rule::Digest, "compare.sha256", text);
            }
        }
        Action::Copy(copy) => {
            for (index, file) in copy.files.iter().enumerate() {
                outside(file, &mut |text| {
                    add(Rule::Path, &format!("copy.files.{index}"), text);
                });
            }
            for (index, name) in copy.to.iter().enumerate() {
                let wrong = match script.materials.get(name) {
                    None => Some(format!("there is no '{name}' in 'materials'")),
                    Some(material) if material.kind != MaterialKind::Medium => {
                        Some(format!("material '{name}' is no medium"))
                    }
                    Some(material) if material.path.is_none() => {
                        Some(format!("medium '{name}' has no 'path' where it is in its drive"))
                    }
                    Some(_) if copy.to.iter().take(index).any(|other| other == name) => {
                        Some(format!("'{name}' is named twice"))
                    }
                    Some(_) => None,
                };
                if let Some(text) = wrong {
                    add(Rule::Medium, &format!("copy.to.{index}"), text);
                }
            }
        }
        Action::Say(_)
        | Action::Confirm(_)
        | Action::Record(_)
        | Action::Attend(_)
        | Action::Leave(_)
        | Action::Clock(_)
        | Action::Seal(_)
        | Action::Sign(_)
        | Action::Pause(_)
        | Action::Branch(_) => {}
    }
}

/// Says so when a path can lead out of the site.
fn outside(path: &Path, say: &mut impl FnMut(String)) {
    let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    if !inside || text_of(path).is_empty() || text_of(path).contains('\n') {
        say(format!("'{}' is no path inside of the site", path.display()));
    }
}

/// Why a text is neither a digest nor a variable with one.
fn no_digest(text: &str) -> Option<String> {
    let variable = text
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        .is_some_and(|name| !name.contains(['$', '{', '}']));
    let digest = text.parse::<Digest>().is_ok();
    (!variable && !digest).then(|| format!("'{text}' is neither 64 hex digits nor a ${{variable}}"))
}

/// Things that are to be at hand, and that no step is about.
fn unused(script: &Script, findings: &mut Findings) {
    let given = given(script);
    let plan = script.plan();
    for name in script.materials.keys() {
        let used = given.contains_key(name)
            || plan.iter().any(|planned| {
                let step = planned.step;
                let copied = matches!(&step.action, Action::Copy(copy) if copy.to.contains(name));
                copied || step.needs.contains(name) || step.takes.contains(name)
            });
        if !used {
            let text = format!("no step needs, gives, takes or copies to '{name}'");
            findings.add(Rule::MaterialUnused, at(&[], &format!("materials.{name}")), text);
        }
    }
}
