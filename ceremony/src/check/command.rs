//! Commands: what is run, that no secret is in it, and that it says what it does to keys.

use super::finding::{Findings, Rule, at};
use super::texts::text_of;
use crate::script::{Action, Planned, Run, Script};

/// The tools of the suite. One that is not there yet may be named.
pub const TOOLS: [&str; 6] = [
    "keyrite-tpm-init",
    "keyrite-keyctl",
    "keyrite-backup",
    "keyrite-ceremony",
    "keyrite-rollover",
    "keyrite-signer",
];

/// What a PIN's source begins with; see docs/formats/site.md.
const SOURCES: [&str; 3] = ["file:", "fd:", "tpm:"];

/// Names of options, or their ends, whose value is a secret or says where one is.
const SECRETS: [&str; 8] = [
    "pin",
    "auth",
    "password",
    "passphrase",
    "passin",
    "passout",
    "secret",
    "share",
];

/// Verbs of keyrite-backup that change what is known of keys, or keys: bundles are entered in their history, and a restore puts them into a
/// token.
const BACKS_UP_KEYS: [&str; 4] = ["create", "drill", "restore", "rewrap"];

/// Verbs of keyrite-keyctl that change what is known of keys, or keys.
const CHANGES_KEYS: [&str; 10] = [
    "generate",
    "publish",
    "submit",
    "activate",
    "retire",
    "revoke",
    "remove",
    "destroy",
    "reconcile",
    "import",
];

pub(super) fn check(script: &Script, findings: &mut Findings) {
    for (name, program) in &script.programs {
        let path = vec!["programs".to_owned(), name.to_string(), "path".to_owned()];
        let absolute = program.path.is_absolute() && !text_of(&program.path).contains("..");
        if !absolute {
            let text = format!(
                "'{}' is no absolute path: nothing is searched for",
                program.path.display()
            );
            findings.add(Rule::ProgramPath, path, text);
        }
        if TOOLS.contains(&name.to_string().as_str()) {
            let text = format!("'{name}' is a tool of the suite, which is found beside this one");
            let path = vec!["programs".to_owned(), name.to_string()];
            findings.add(Rule::Program, path, text);
        }
    }
    for planned in script.plan().iter().chain(&script.safe_state_plan()) {
        if let Action::Run(run) = &planned.step.action {
            let mut told = Told { planned, findings };
            told.program(script, run);
            told.secrets(run);
            told.values(run);
            told.keys(run);
        }
    }
}

struct Told<'a, 's> {
    planned: &'a Planned<'s>,
    findings: &'a mut Findings,
}

impl Told<'_, '_> {
    fn add(&mut self, rule: Rule, field: &str, text: String) {
        let path = at(&self.planned.path, field);
        self.findings.add_of(rule, &self.planned.step.id, path, text);
    }

    fn program(&mut self, script: &Script, run: &Run) {
        let Some(name) = run.argv.first() else {
            self.add(Rule::EmptyList, "run.argv", "there is nothing to run".to_owned());
            return;
        };
        let known = TOOLS.contains(&name.as_str())
            || script.programs.keys().any(|program| program.to_string() == *name);
        if !known {
            let text = format!("'{name}' is neither a tool of the suite nor a name in 'programs'");
            self.add(Rule::Program, "run.argv.0", text);
        }
        if name == "keyrite-ceremony" && matches!(verb(run), Some("run" | "rehearse")) {
            let text = "a ceremony is not held inside of another".to_owned();
            self.add(Rule::Program, "run.argv", text);
        }
        if run.succeeds.is_empty() {
            let text = "no exit code is a success".to_owned();
            self.add(Rule::Succeeds, "run.succeeds", text);
        }
    }

    fn secrets(&mut self, run: &Run) {
        let mut prompts = false;
        let mut arguments = run.argv.iter().enumerate().skip(1).peekable();
        while let Some((index, argument)) = arguments.next() {
            let field = format!("run.argv.{index}");
            if argument.contains("pin-value=") || argument.starts_with("pass:") {
                self.add(Rule::SecretArgument, &field, "a secret is no argument".to_owned());
            }
            let (option, value) = match argument.split_once('=') {
                Some((option, value)) => (option, Some(value)),
                None => (argument.as_str(), None),
            };
            if !takes_a_secret(option) {
                continue;
            }
            let value = value.or_else(|| arguments.peek().map(|(_, next)| next.as_str()));
            let Some(value) = value else { continue };
            prompts |= value == "prompt";
            let source = value == "prompt" || SOURCES.iter().any(|source| value.starts_with(source));
            if !source {
                // The value is not quoted: it may be the secret.
                let text = format!(
                    "what follows '{option}' is not prompt, file:PATH, fd:NUMBER or tpm:HANDLE; a secret is no argument"
                );
                self.add(Rule::SecretArgument, &field, text);
            }
        }
        if prompts && run.secret.is_none() {
            let text = "a secret is typed here, and 'secret' does not say which".to_owned();
            self.add(Rule::SecretUnsaid, "run", text);
        }
    }

    fn values(&mut self, run: &Run) {
        for (name, pointer) in &run.values {
            let escapes = pointer
                .split('~')
                .skip(1)
                .all(|rest| rest.starts_with(['0', '1']));
            if !pointer.starts_with('/') || !escapes {
                let text = format!(
                    "'{pointer}' is no JSON pointer to a value (RFC 6901); one is like /keys/0/key-tag"
                );
                self.add(Rule::Pointer, &format!("run.values.{name}"), text);
            }
        }
        let tool = run
            .argv
            .first()
            .is_some_and(|name| TOOLS.contains(&name.as_str()));
        if tool && !run.values.is_empty() && !run.argv.iter().any(|argument| argument == "--json") {
            let text = "values are taken from JSON, and the command has no --json".to_owned();
            self.add(Rule::ValuesWithoutJson, "run.argv", text);
        }
    }

    fn keys(&mut self, run: &Run) {
        let has = |wanted: &str| run.argv.iter().any(|argument| argument == wanted);
        let verbs: &[&str] = match run.argv.first().map(String::as_str) {
            Some("keyrite-keyctl") => &CHANGES_KEYS,
            Some("keyrite-backup") => &BACKS_UP_KEYS,
            Some(_) | None => return,
        };
        if has("--dry-run") {
            return;
        }
        let verb = verb(run);
        let changes = verb.is_some_and(|verb| verbs.contains(&verb));
        if changes && !run.affects_keys {
            let text = "it changes keys: 'affects-keys: true' seals the log after it".to_owned();
            self.add(Rule::AffectsKeys, "run.argv", text);
        }
        if verb == Some("destroy") && !has("--gone") && run.destroys.is_none() {
            let text = "it destroys a key: 'destroys' names the tag that is typed before".to_owned();
            self.add(Rule::Destroys, "run.argv", text);
        }
    }
}

/// The tool's verb: the first argument that is no option and no option's value.
fn verb(run: &Run) -> Option<&str> {
    let mut arguments = run.argv.iter().skip(1);
    while let Some(argument) = arguments.next() {
        if ["--site", "--operator", "--pin"].contains(&argument.as_str()) {
            arguments.next();
        } else if !argument.starts_with('-') {
            return Some(argument);
        }
    }
    None
}

fn takes_a_secret(option: &str) -> bool {
    let Some(name) = option.strip_prefix('-') else {
        return false;
    };
    let name = name.trim_start_matches('-');
    SECRETS.iter().any(|secret| {
        name == *secret
            || name
                .strip_suffix(secret)
                .is_some_and(|front| front.ends_with('-'))
    })
}
