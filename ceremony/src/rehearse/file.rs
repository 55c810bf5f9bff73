//! The file of a rehearsal: what is there before it begins, and what people answer.

use std::collections::BTreeMap;

use key_metadata::version::Version1;
use key_metadata::yaml::{self, YamlError};
use key_metadata::{Advice, ZoneName};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::script::{Script, Word};

/// A rehearsal's file: docs/formats/ceremony-answers.md.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RehearsalFile {
    /// Always 1.
    pub version: Version1,
    /// The zones of the rehearsal's site, besides the one that the script has in its variable `zone`.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub zones: Vec<ZoneName>,
    /// Commands of the suite that are run before the ceremony, for what its script takes as given.
    #[serde(default)]
    pub prepare: Vec<Vec<String>>,
    /// Tokens that are lost, by the label, each at the step that is about its loss: there it is wiped, for real.
    #[serde(default, deserialize_with = "yaml::unique_map")]
    pub losses: BTreeMap<Word, String>,
    /// What is answered, by the step that asks, in the order of its questions; null for one that is made up as without a file.
    #[serde(default, deserialize_with = "yaml::unique_map")]
    pub answers: BTreeMap<Word, Vec<Option<String>>>,
}

/// Why a rehearsal's file does not fit its script.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The text.
    #[error("the answers cannot be read")]
    Yaml(#[source] YamlError),
    /// A step that the script does not have.
    #[error("the file is about step '{step}', and the script has no such step")]
    UnknownStep {
        /// The name.
        step: Word,
    },
    /// No command.
    #[error("prepare: command {number} is empty")]
    NoCommand {
        /// Which, from 1.
        number: usize,
    },
}

impl RehearsalFile {
    /// The file for whom there is none: everything is made up.
    pub fn empty() -> Self {
        Self {
            version: Version1,
            zones: Vec::new(),
            prepare: Vec::new(),
            losses: BTreeMap::new(),
            answers: BTreeMap::new(),
        }
    }

    /// Reads the text of a file for that script.
    pub fn from_yaml(text: &str, script: &Script) -> Result<Self, FileError> {
        let file: Self = yaml::parse(text).map_err(FileError::Yaml)?;
        let (plan, safe_state) = (script.plan(), script.safe_state_plan());
        let known = |step: &Word| {
            plan.iter()
                .chain(&safe_state)
                .any(|planned| planned.step.id == *step)
        };
        let mut named = file.answers.keys().chain(file.losses.keys());
        if let Some(step) = named.find(|step| !known(step)) {
            return Err(FileError::UnknownStep { step: step.clone() });
        }
        if let Some(at) = file.prepare.iter().position(Vec::is_empty) {
            return Err(FileError::NoCommand { number: at + 1 });
        }
        Ok(file)
    }
}

impl Advice for FileError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Yaml(_) | Self::NoCommand { .. } => None,
            Self::UnknownStep { .. } => {
                Some("answers and losses are under the id of the step that they belong to".to_owned())
            }
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Yaml(_) | Self::UnknownStep { .. } | Self::NoCommand { .. } => false,
        }
    }
}
