//! What is found in a script: by which rule, where, and what is wrong.

use std::fmt;

use key_metadata::{Advice, yaml};
use serde::{Serialize, Serializer};

use crate::script::Word;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// By which rule.
    pub rule: Rule,
    /// Whether the ceremony can be held in spite of it.
    pub severity: Severity,
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// The column, from 1.
    pub column: Option<usize>,
    /// The step that it is in.
    pub step: Option<Word>,
    /// What is wrong.
    pub text: String,
}

/// Whether a finding forbids the ceremony.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It does.
    Error,
    /// It does not; somebody should look.
    Warning,
}

/// Why a script cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckError {
    /// All that was found, the warnings too, in the order of the file. There is one error at least.
    pub findings: Vec<Finding>,
}

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// The rules that a script is held against. Their names stay.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Rule {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

rules! {
    /// At most 1 MiB of UTF-8.
    Size = "size",
    /// The fields and their values.
    Schema = "schema",
    /// No control characters and none that change the direction of writing: they would drive the terminal.
    ControlCharacter = "control-character",
    /// What is read aloud or shown says something.
    EmptyText = "empty-text",
    /// A list that must name something does.
    EmptyList = "empty-list",
    /// Acts and steps are named once.
    IdTwice = "id-twice",
    /// A rehearsal's log is named by the rehearsal.
    Kind = "kind",
    /// The log is anchored in a TPM. A warning.
    Unanchored = "unanchored",
    /// There was a ceremony before where one is asked for, and none is its own predecessor.
    Previous = "previous",
    /// A role's name is not that of a seat.
    RoleName = "role-name",
    /// Roles and seats exist.
    RoleUnknown = "role-unknown",
    /// Each role has people.
    People = "people",
    /// The quorum is at least two people, and the roles have them.
    Quorum = "quorum",
    /// Checkpoints are signed by people whom there are, and who are present.
    Signers = "signers",
    /// Until the quorum has signed in, nothing is done.
    BeforeQuorum = "before-quorum",
    /// The quorum is present at every step.
    QuorumAbsent = "quorum-absent",
    /// Those who act in a step are present.
    Absent = "absent",
    /// Nobody signs in twice.
    AttendTwice = "attend-twice",
    /// Who checks a digest is not who reads it.
    ReaderIsChecker = "reader-is-checker",
    /// `${name}` is closed, and names a variable.
    VariableSyntax = "variable-syntax",
    /// A variable has its value by then, whatever way is taken.
    VariableUnknown = "variable-unknown",
    /// A variable gets its value once.
    VariableShadowed = "variable-shadowed",
    /// `${name}` is only where it is filled in.
    VariablePlace = "variable-place",
    /// The pattern of a typed value is a regular expression.
    Pattern = "pattern",
    /// A value is named by a JSON pointer (RFC 6901).
    Pointer = "pointer",
    /// A tool of the suite that gives values is asked for JSON.
    ValuesWithoutJson = "values-without-json",
    /// What is run is a tool of the suite or a program that the script names.
    Program = "program",
    /// A program is named by an absolute path.
    ProgramPath = "program-path",
    /// A program can succeed.
    Succeeds = "succeeds",
    /// No secret is an argument.
    SecretArgument = "secret-argument",
    /// A secret that is typed is said to be.
    SecretUnsaid = "secret-unsaid",
    /// What changes keys says so.
    AffectsKeys = "affects-keys",
    /// What destroys a key says so, and two of a role are there to do it.
    Destroys = "destroys",
    /// Files are inside the site.
    Path = "path",
    /// A digest is 64 hex digits, or a variable.
    Digest = "digest",
    /// Copies go to media that are in their drives.
    Medium = "medium",
    /// A material is used. A warning.
    MaterialUnused = "material-unused",
    /// What a step needs was given before it, whatever way is taken, and not taken since.
    FactMissing = "fact-missing",
    /// A branch has two choices at least.
    Branch = "branch",
    /// Branches are nested four deep at most.
    BranchDepth = "branch-depth",
    /// The safe state is reached without what may not be there.
    SafeState = "safe-state",
}

impl Rule {
    /// Whether a ceremony can be held against it.
    pub fn severity(self) -> Severity {
        if matches!(self, Self::Unanchored | Self::MaterialUnused) {
            Severity::Warning
        } else {
            Severity::Error
        }
    }
}

/// Findings on their way, each with the path of what it is about.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Found>);

#[derive(Debug)]
struct Found {
    rule: Rule,
    path: Vec<String>,
    step: Option<Word>,
    text: String,
}

/// So many are located; each takes a look through the whole file.
const LOCATED: usize = 200;

impl Findings {
    /// Adds one about the script.
    pub(super) fn add(&mut self, rule: Rule, path: Vec<String>, text: String) {
        self.0.push(Found {
            rule,
            path,
            step: None,
            text,
        });
    }

    /// Adds one about a step.
    pub(super) fn add_of(&mut self, rule: Rule, step: &Word, path: Vec<String>, text: String) {
        self.0.push(Found {
            rule,
            path,
            step: Some(step.clone()),
            text,
        });
    }

    /// All, with their places in `text`, in its order.
    pub(super) fn located(self, text: &str) -> Vec<Finding> {
        let mut found: Vec<Finding> = self
            .0
            .into_iter()
            .enumerate()
            .map(|(index, found)| {
                let place = Some(index)
                    .filter(|index| *index < LOCATED)
                    .and_then(|_| yaml::place_of(text, &found.path));
                Finding {
                    rule: found.rule,
                    severity: found.rule.severity(),
                    line: place.map(|(line, _)| line),
                    column: place.map(|(_, column)| column),
                    step: found.step,
                    text: found.text,
                }
            })
            .collect();
        found.sort_by_key(|finding| (finding.line.map_or(usize::MAX, |line| line), finding.column));
        found
    }
}

/// The path of a field below another, its parts with dots between.
pub(super) fn at(path: &[String], field: &str) -> Vec<String> {
    let mut path = path.to_vec();
    path.extend(field.split('.').map(str::to_owned));
    path
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl fmt::Display for Finding {
    /// `12:9: fact-missing: ...`, as compilers say it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, "{line}:{column}: ")?;
        }
        match self.severity {
            Severity::Error => write!(f, "{}: ", self.rule)?,
            Severity::Warning => write!(f, "warning: {}: ", self.rule)?,
        }
        if let Some(step) = &self.step {
            write!(f, "step '{step}': ")?;
        }
        f.write_str(&self.text)
    }
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut errors = self
            .findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error);
        f.write_str("the script cannot be followed")?;
        if let Some(first) = errors.next() {
            write!(f, ": {first}")?;
        }
        match errors.count() {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

impl std::error::Error for CheckError {}

impl Advice for CheckError {
    fn hint(&self) -> Option<String> {
        Some("keyrite-ceremony check SCRIPT shows all that is found".to_owned())
    }

    fn is_credential(&self) -> bool {
        false
    }
}
