//! The steps of the safe state, to which a ceremony may come from anywhere.

use super::finding::{Findings, Rule, at};
use super::texts::{Filled, filled};
use crate::script::{Action, BUILT_IN, Script, names_in};

pub(super) fn check(script: &Script, findings: &mut Findings) {
    for planned in script.safe_state_plan() {
        let step = planned.step;
        let mut add = |rule, field: &str, text| {
            findings.add_of(rule, &step.id, at(&planned.path, field), text);
        };
        match &step.action {
            Action::Say(_) | Action::Confirm(_) | Action::Record(_) | Action::Copy(_) => {}
            Action::Run(run) => {
                if run.affects_keys || run.destroys.is_some() {
                    let text = "the safe state leaves keys as they are".to_owned();
                    add(Rule::SafeState, "run", text);
                }
            }
            Action::Attend(_)
            | Action::Leave(_)
            | Action::Clock(_)
            | Action::Compare(_)
            | Action::Seal(_)
            | Action::Sign(_)
            | Action::Pause(_)
            | Action::Branch(_) => {
                let text = format!(
                    "the safe state has no '{}': only say, confirm, record, run and copy",
                    step.action.name()
                );
                add(Rule::SafeState, step.action.name(), text);
            }
        }
        if let Some(fact) = step.needs.first() {
            let text = format!("'{fact}' may not hold when the ceremony is broken off");
            add(Rule::SafeState, "needs.0", text);
        }
        for Filled { field, text } in filled(step) {
            let Ok(names) = names_in(text) else { continue };
            for name in names {
                let declared = script.variables.keys().any(|known| known.as_str() == name);
                if !declared && !BUILT_IN.contains(&name) {
                    let text = format!("${{{name}}} may have no value when the ceremony is broken off");
                    add(Rule::VariableUnknown, &field, text);
                }
            }
        }
    }
}
