//! What a step has people or programs do.

use std::collections::BTreeMap;
use std::path::PathBuf;

use key_metadata::yaml;
use schemars::JsonSchema;
use serde::Deserialize;

use super::name::{Who, Word};
use super::step::Step;

/// What is done in a step.
#[derive(Clone, Debug)]
pub enum Action {
    /// Words that are read aloud.
    Say(String),
    /// Initials of those who saw or did something.
    Confirm(Confirm),
    /// A value that is typed.
    Record(Record),
    /// People of these roles sign in.
    Attend(Vec<Who>),
    /// People leave.
    Leave(Vec<Who>),
    /// The time of that wall clock is typed; the offset of the machine's is kept.
    Clock(String),
    /// A program.
    Run(Run),
    /// A digest is read aloud and typed by somebody who does not see it.
    Compare(Compare),
    /// Files are copied, and each copy is read again.
    Copy(Copy),
    /// A seal on the log; why.
    Seal(String),
    /// Signatures of the last checkpoint.
    Sign(Sign),
    /// A break; the log is sealed before.
    Pause(String),
    /// One of several ways to go on.
    Branch(Branch),
}

/// Initials.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Confirm {
    /// What they confirm.
    pub what: String,
    /// Whose initials.
    pub initials: Vec<Who>,
}

/// A typed value.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Record {
    /// The variable that it becomes.
    pub name: Word,
    /// What is typed.
    pub what: String,
    /// The regular expression that the whole value must match.
    pub pattern: String,
    /// The name under which the ceremony before recorded the value that this one must be.
    #[serde(default)]
    pub last_time: Option<Word>,
}

/// A program.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Run {
    /// A tool of the suite or a name of `programs`, and its arguments. No shell sees them.
    pub argv: Vec<String>,
    /// Files that it reads.
    #[serde(default)]
    pub inputs: Vec<Artefact>,
    /// Files that it writes; they are kept as evidence.
    #[serde(default)]
    pub outputs: Vec<Artefact>,
    /// Variables, by the JSON pointer (RFC 6901) of their value in what it prints.
    #[serde(default, deserialize_with = "yaml::unique_map")]
    pub values: BTreeMap<Word, String>,
    /// Exit codes that are a success.
    #[serde(default = "zero")]
    pub succeeds: Vec<u8>,
    /// Whether it changes keys; the log is sealed after it.
    #[serde(default)]
    pub affects_keys: bool,
    /// Whether a secret is entered, and which: said in the log, without the value.
    #[serde(default)]
    pub secret: Option<String>,
    /// What may happen when it was interrupted.
    #[serde(default)]
    pub again: Again,
    /// The key tag that is typed, and confirmed by a second officer, before it destroys the key.
    #[serde(default)]
    pub destroys: Option<String>,
}

fn zero() -> Vec<u8> {
    vec![0]
}

/// A file of a step.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Artefact {
    /// Where it is, relative to the site.
    pub path: PathBuf,
    /// The digest that it must have, or a variable with it.
    #[serde(default)]
    pub sha256: Option<String>,
}

/// Whether a program that was interrupted is run again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Again {
    /// It may: run again, it comes to the same end.
    Safe,
    /// People look first, and say.
    #[default]
    Ask,
}

/// A comparison by voice.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Compare {
    /// Of what.
    pub what: String,
    /// The digest, or a variable with it: 64 hex digits.
    pub sha256: String,
    /// Who reads it aloud, from another source than the screen of the checker.
    pub reader: Who,
    /// Who types what is heard.
    pub checker: Who,
}

/// Copies.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Copy {
    /// Files and folders, relative to the site; `log` is the ceremony's own folder as it is then.
    pub files: Vec<PathBuf>,
    /// The media, by their names in `materials`.
    pub to: Vec<Word>,
}

/// Signatures.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Sign {
    /// What they attest with it.
    pub what: String,
    /// Who signs.
    pub who: Vec<Who>,
}

/// A choice.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Branch {
    /// What is asked.
    pub question: String,
    /// The steps of each choice.
    #[serde(deserialize_with = "yaml::unique_map")]
    pub choices: BTreeMap<Word, Vec<Step>>,
}

impl Action {
    /// Its field in a step.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Say(_) => "say",
            Self::Confirm(_) => "confirm",
            Self::Record(_) => "record",
            Self::Attend(_) => "attend",
            Self::Leave(_) => "leave",
            Self::Clock(_) => "clock",
            Self::Run(_) => "run",
            Self::Compare(_) => "compare",
            Self::Copy(_) => "copy",
            Self::Seal(_) => "seal",
            Self::Sign(_) => "sign",
            Self::Pause(_) => "pause",
            Self::Branch(_) => "branch",
        }
    }
}
