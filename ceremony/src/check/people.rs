//! Roles, seats, the quorum and who signs, without regard to who is present when.

use std::collections::BTreeMap;

use super::finding::{Findings, Rule, at};
use crate::script::{Action, Role, Script, Step, Who};

pub(super) fn check(script: &Script, findings: &mut Findings) {
    for (name, role) in &script.roles {
        if !(1..=99).contains(&role.people) {
            let text = format!("role '{name}' has {} people; 1 to 99 can be named", role.people);
            findings.add(Rule::People, at(&[], &format!("roles.{name}.people")), text);
        }
        if role.what.trim().is_empty() {
            let text = format!("what role '{name}' does is not said");
            findings.add(Rule::EmptyText, at(&[], &format!("roles.{name}.what")), text);
        }
    }
    let together: u32 = script.quorum.values().map(|people| u32::from(*people)).sum();
    if together < 2 {
        let text = format!("the quorum has {together} people; nobody is ever alone, so at least 2");
        findings.add(Rule::Quorum, at(&[], "quorum"), text);
    }
    counts(script, &script.quorum, Rule::Quorum, &at(&[], "quorum"), findings);
    if script.seals.is_empty() {
        let text = "nobody signs the checkpoints".to_owned();
        findings.add(Rule::Signers, at(&[], "seals"), text);
    }
    counts(script, &script.seals, Rule::Signers, &at(&[], "seals"), findings);
    let last = at(&[], "last-seal");
    counts(script, &script.last_seal, Rule::Signers, &last, findings);
    for (index, act) in script.acts.iter().enumerate() {
        let path = at(&[], &format!("acts.{index}.quorum"));
        counts(script, &act.quorum, Rule::Quorum, &path, findings);
        for (role, people) in &act.quorum {
            if script.quorum.get(role).is_some_and(|always| people < always) {
                let text = format!(
                    "act '{}' asks for fewer of '{role}' than the script's quorum",
                    act.id
                );
                findings.add(Rule::Quorum, at(&path, role.as_str()), text);
            }
        }
    }
    for planned in script.plan().iter().chain(&script.safe_state_plan()) {
        for (field, who) in named(planned.step) {
            if let Some(text) = unknown(script, who) {
                let path = at(&planned.path, &field);
                findings.add_of(Rule::RoleUnknown, &planned.step.id, path, text);
            }
        }
    }
}

fn counts(
    script: &Script,
    counts: &BTreeMap<Role, u8>,
    rule: Rule,
    path: &[String],
    findings: &mut Findings,
) {
    for (role, wanted) in counts {
        let path = at(path, role.as_str());
        match script.roles.get(role) {
            None => findings.add(Rule::RoleUnknown, path, format!("there is no role '{role}'")),
            Some(_) if *wanted == 0 => {
                findings.add(rule, path, format!("0 of '{role}' says nothing: leave it out"));
            }
            Some(entry) if entry.people < *wanted => {
                let text = format!("{wanted} of '{role}', and there are {}", entry.people);
                findings.add(rule, path, text);
            }
            Some(_) => {}
        }
    }
}

/// Whom a step names, by field.
pub(super) fn named(step: &Step) -> Vec<(String, &Who)> {
    let mut named: Vec<(String, &Who)> = Vec::new();
    let mut add = |field: &str, who| named.push((field.to_owned(), who));
    for (index, who) in step.by.iter().enumerate() {
        add(&format!("by.{index}"), who);
    }
    match &step.action {
        Action::Confirm(confirm) => confirm
            .initials
            .iter()
            .enumerate()
            .for_each(|(index, who)| add(&format!("confirm.initials.{index}"), who)),
        Action::Attend(people) | Action::Leave(people) => people
            .iter()
            .enumerate()
            .for_each(|(index, who)| add(&format!("{}.{index}", step.action.name()), who)),
        Action::Compare(compare) => {
            add("compare.reader", &compare.reader);
            add("compare.checker", &compare.checker);
        }
        Action::Sign(sign) => sign
            .who
            .iter()
            .enumerate()
            .for_each(|(index, who)| add(&format!("sign.who.{index}"), who)),
        Action::Say(_)
        | Action::Record(_)
        | Action::Clock(_)
        | Action::Run(_)
        | Action::Copy(_)
        | Action::Seal(_)
        | Action::Pause(_)
        | Action::Branch(_) => {}
    }
    named
}

fn unknown(script: &Script, who: &Who) -> Option<String> {
    let Some(seat) = who.as_seat() else {
        let known = who.as_role().is_some_and(|role| script.roles.contains_key(&role));
        return (!known).then(|| format!("there is no role '{who}'"));
    };
    match script.roles.get(seat.role()) {
        None => Some(format!("there is no role '{}' for seat '{seat}'", seat.role())),
        Some(entry) if !script.seats_of(seat.role()).contains(&seat) => Some(format!(
            "there is no seat '{seat}': role '{}' has {}",
            seat.role(),
            entry.people
        )),
        Some(_) => None,
    }
}
