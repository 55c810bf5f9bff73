//! Who is present at a step.

use std::collections::BTreeMap;

use super::finding::{Rule, at};
use super::ledger::{Ledger, Lost};
use super::people::named;
use super::walk::{State, Walk};
use crate::script::{Action, Role, Script, Seat, Step, Which, Who};

/// The first role of which fewer are present than wanted: how many are wanted, and how many are there.
pub(super) fn missing<'r>(
    script: &Script,
    wanted: &'r BTreeMap<Role, u8>,
    people: &Ledger,
) -> Option<(&'r Role, u8, usize)> {
    wanted
        .iter()
        .map(|(role, wanted)| {
            // That a role has too few people has its own finding.
            let most = script.roles.get(role).map_or(0, |entry| entry.people);
            (role, (*wanted).min(most), of_role(script, role, people))
        })
        .find(|(_, wanted, present)| *present < usize::from(*wanted))
}

fn of_role(script: &Script, role: &Role, people: &Ledger) -> usize {
    let seats = script.seats_of(role);
    seats.iter().filter(|seat| people.has(&seat.to_string())).count()
}

/// The seats of those who are named that are taken.
fn present(script: &Script, who: &Who, people: &Ledger) -> Vec<Seat> {
    let mut seats = script.seats(who);
    seats.retain(|seat| people.has(&seat.to_string()));
    seats
}

/// Whether a name is somebody's; one that is not has its own finding.
fn exists(script: &Script, who: &Who) -> bool {
    let known = |seat: Seat| script.seats_of(seat.role()).contains(&seat);
    who.as_seat().map_or_else(|| !script.seats(who).is_empty(), known)
}

pub(super) fn check(walk: &mut Walk<'_, '_>, step: &Step, path: &[String], state: &mut State) {
    let before = quorum(walk, step, path, state);
    if !before {
        names(walk, step, path, &state.people);
    }
    let script = walk.script;
    let mut add = |rule, field: &str, text| {
        walk.findings.add_of(rule, &step.id, at(path, field), text);
    };
    let unsigned = |script: &Script| {
        missing(script, script.signers(Which::Earlier), &state.people).map(|(role, wanted, there)| {
            format!("the checkpoint after it is signed by {wanted} of '{role}', and {there} are present")
        })
    };
    match &step.action {
        Action::Compare(compare) => {
            let readers = present(script, &compare.reader, &state.people);
            let checkers = present(script, &compare.checker, &state.people);
            let alone = match (&readers[..], &checkers[..]) {
                ([reader], [checker]) => reader == checker,
                ([] | [_, ..], [] | [_, ..]) => false,
            };
            if alone {
                let text = format!("'{}' would check what the same person read", compare.checker);
                add(Rule::ReaderIsChecker, "compare.checker", text);
            }
        }
        Action::Seal(_) | Action::Pause(_) => {
            if let Some(text) = unsigned(script) {
                add(Rule::Signers, step.action.name(), text);
            }
        }
        Action::Run(run) => {
            if (run.affects_keys || run.destroys.is_some())
                && let Some(text) = unsigned(script)
            {
                add(Rule::Signers, "run", text);
            }
            if run.destroys.is_some() {
                let two = step.by.iter().any(|who| {
                    let role = who.as_seat().map(|seat| seat.role().clone()).or(who.as_role());
                    role.is_some_and(|role| of_role(script, &role, &state.people) >= 2)
                });
                if !two {
                    let text = "a second person of the role in 'by' confirms that a key is destroyed, and none is present";
                    add(Rule::Destroys, "run.destroys", text.to_owned());
                }
            }
        }
        Action::Say(_)
        | Action::Confirm(_)
        | Action::Record(_)
        | Action::Attend(_)
        | Action::Leave(_)
        | Action::Clock(_)
        | Action::Copy(_)
        | Action::Sign(_)
        | Action::Branch(_) => {}
    }
}

/// Whether the step comes before the quorum, where it is said who will be there and people sign in.
fn quorum(walk: &mut Walk<'_, '_>, step: &Step, path: &[String], state: &mut State) -> bool {
    let script = walk.script;
    if matches!(step.action, Action::Attend(_)) {
        return !state.begun;
    }
    if !state.begun {
        if !matches!(step.action, Action::Say(_)) {
            let text = "before the quorum has signed in, there is only 'say' and 'attend'".to_owned();
            let path = at(path, step.action.name());
            walk.findings.add_of(Rule::BeforeQuorum, &step.id, path, text);
            // It is told once; from here on people are missed by name.
            (state.begun, state.short) = (true, true);
        }
        return true;
    }
    let mut wanted = script.quorum.clone();
    for (role, people) in walk.act.iter().flat_map(|act| &act.quorum) {
        let known = wanted.entry(role.clone()).or_insert(0);
        *known = (*known).max(*people);
    }
    match missing(script, &wanted, &state.people) {
        // Told at the first of the steps that miss somebody.
        Some(_) if state.short => {}
        Some((role, wanted, there)) => {
            let text = format!("{wanted} of '{role}' must be present, and {there} are");
            let path = at(path, step.action.name());
            walk.findings.add_of(Rule::QuorumAbsent, &step.id, path, text);
            state.short = true;
        }
        None => state.short = false,
    }
    false
}

/// Everybody who is named is present; of a role somebody.
fn names(walk: &mut Walk<'_, '_>, step: &Step, path: &[String], people: &Ledger) {
    let arriving: Vec<Seat> = match &step.action {
        Action::Attend(who) => who.iter().flat_map(|who| walk.script.seats(who)).collect(),
        Action::Say(_)
        | Action::Confirm(_)
        | Action::Record(_)
        | Action::Leave(_)
        | Action::Clock(_)
        | Action::Run(_)
        | Action::Compare(_)
        | Action::Copy(_)
        | Action::Seal(_)
        | Action::Sign(_)
        | Action::Pause(_)
        | Action::Branch(_) => Vec::new(),
    };
    for (field, who) in named(step) {
        if !exists(walk.script, who) || field.starts_with("attend") {
            continue;
        }
        let arrives = walk.script.seats(who).iter().any(|seat| arriving.contains(seat));
        if !arrives && present(walk.script, who, people).is_empty() {
            let why = walk
                .script
                .seats(who)
                .iter()
                .find_map(|seat| people.lost(&seat.to_string()))
                .map_or_else(String::new, |lost| match lost {
                    Lost::Taken(step) => format!(", having left in step '{step}'"),
                    Lost::Perhaps(step) => format!(": not every way here leads through step '{step}'"),
                });
            let text = format!("'{who}' is not present here{why}");
            walk.findings
                .add_of(Rule::Absent, &step.id, at(path, &field), text);
        }
    }
}

/// Lets people come and go.
pub(super) fn apply(walk: &mut Walk<'_, '_>, step: &Step, path: &[String], state: &mut State) {
    match &step.action {
        Action::Attend(people) => {
            for (index, who) in people.iter().enumerate() {
                for seat in walk.script.seats(who) {
                    if state.people.has(&seat.to_string()) {
                        let text = format!("'{seat}' has signed in already");
                        let path = at(path, &format!("attend.{index}"));
                        walk.findings.add_of(Rule::AttendTwice, &step.id, path, text);
                    }
                    state.people.give(&seat.to_string(), &step.id);
                }
            }
            state.begun |= missing(walk.script, &walk.script.quorum, &state.people).is_none();
        }
        Action::Leave(people) => {
            for seat in people.iter().flat_map(|who| walk.script.seats(who)) {
                state.people.take(&seat.to_string(), &step.id);
            }
        }
        Action::Say(_)
        | Action::Confirm(_)
        | Action::Record(_)
        | Action::Clock(_)
        | Action::Run(_)
        | Action::Compare(_)
        | Action::Copy(_)
        | Action::Seal(_)
        | Action::Sign(_)
        | Action::Pause(_)
        | Action::Branch(_) => {}
    }
}
