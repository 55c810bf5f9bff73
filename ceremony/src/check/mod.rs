//! Whether a script can be followed: its names, people, files, commands, and, for every way through it, what holds when.

mod command;
mod files;
mod finding;
mod ledger;
mod people;
mod presence;
mod safe_state;
mod structure;
mod texts;
mod walk;

use key_metadata::yaml::{self, YamlError};
use serde_json::Value;

pub use command::TOOLS;
pub use finding::{CheckError, Finding, Rule, Severity};
pub use structure::anchored;

use crate::script::Script;
use finding::Findings;

/// The largest script, in bytes.
pub const LARGEST: usize = 1024 * 1024;

/// A script that can be followed.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The script.
    pub script: Script,
    /// What somebody should look at all the same.
    pub warnings: Vec<Finding>,
}

/// Checks the bytes of a script's file.
pub fn check_bytes(bytes: &[u8]) -> Result<Checked, CheckError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => check(text),
        Err(error) => Err(only(
            Rule::Size,
            format!("byte {} is not UTF-8", error.valid_up_to() + 1),
        )),
    }
}

/// Checks the text of a script. All that is wrong is told; where the text is no script, that alone.
pub fn check(text: &str) -> Result<Checked, CheckError> {
    if text.len() > LARGEST {
        return Err(only(
            Rule::Size,
            format!("{} bytes, and a script has at most {LARGEST}", text.len()),
        ));
    }
    let script = Script::from_yaml(text).map_err(of_yaml)?;
    let values: Value = yaml::parse(text).map_err(of_yaml)?;
    let mut findings = Findings::default();
    texts::control_characters(&values, &mut findings);
    texts::check(&script, &mut findings);
    structure::check(&script, &mut findings);
    people::check(&script, &mut findings);
    command::check(&script, &mut findings);
    files::check(&script, &mut findings);
    walk::check(&script, &mut findings);
    safe_state::check(&script, &mut findings);
    let findings = findings.located(text);
    let forbids = findings.iter().any(|finding| finding.severity == Severity::Error);
    if forbids {
        Err(CheckError { findings })
    } else {
        Ok(Checked {
            script,
            warnings: findings,
        })
    }
}

fn of_yaml(error: YamlError) -> CheckError {
    let whole = error.path == "." || error.path == "?";
    let finding = Finding {
        rule: Rule::Schema,
        severity: Severity::Error,
        line: error.line,
        column: error.column,
        step: None,
        text: if whole {
            error.reason
        } else {
            format!("{}: {}", error.path, error.reason)
        },
    };
    CheckError {
        findings: vec![finding],
    }
}

fn only(rule: Rule, text: String) -> CheckError {
    CheckError {
        findings: vec![Finding {
            rule,
            severity: rule.severity(),
            line: None,
            column: None,
            step: None,
            text,
        }],
    }
}
