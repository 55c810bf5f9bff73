//! The script of a ceremony: one YAML file, which says all that will be said and done, by whom and in what order.

mod action;
mod name;
mod plan;
mod raw;
mod step;
mod variables;

use std::collections::BTreeMap;

use key_metadata::site::SiteWord;
use key_metadata::yaml::{self, YamlError};
use key_metadata::{Digest, TokenName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use action::{Action, Again, Artefact, Branch, Compare, Confirm, Copy, Record, Run, Sign};
pub use name::{NameError, Origin, OriginError, Role, Seat, Who, Word};
pub use plan::{Guard, Planned};
pub use step::{Step, StepError};
pub use variables::{BUILT_IN, Variables, VariablesError, names_in, quoted};

/// Whether a ceremony counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Kind {
    /// It does.
    Production,
    /// It is practice: nothing that it makes is fit for use.
    Rehearsal,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Production => "PRODUCTION",
            Self::Rehearsal => "REHEARSAL",
        })
    }
}

/// A script, as its file has it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Script {
    /// Always 1.
    pub version: key_metadata::version::Version1,
    /// The name of the log, the first line of its checkpoints; what follows the last slash is the ceremony's id.
    pub log: Origin,
    /// What it is called.
    pub title: String,
    /// What it is for.
    pub purpose: String,
    /// Whether it counts.
    pub kind: Kind,
    /// The id of the ceremony before this one in the same site; `none` for the first.
    pub previous: Word,
    /// The TPM of site.yaml that anchors the log; without one the log is unanchored.
    #[serde(default)]
    pub tpm: Option<TokenName>,
    /// The PKCS#11 token of site.yaml with the log's own key.
    #[serde(default)]
    pub log_key: Option<TokenName>,
    /// Values that the steps name as `${name}`.
    #[serde(default, deserialize_with = "yaml::unique_map")]
    pub variables: BTreeMap<Word, String>,
    /// Who takes part.
    #[serde(deserialize_with = "yaml::unique_map")]
    pub roles: BTreeMap<Role, RoleEntry>,
    /// How many of which role must be present at every step; together at least two.
    #[serde(deserialize_with = "yaml::unique_map")]
    pub quorum: BTreeMap<Role, u8>,
    /// Who signs each checkpoint.
    #[serde(deserialize_with = "yaml::unique_map")]
    pub seals: BTreeMap<Role, u8>,
    /// Who signs the last one; as `seals` when absent.
    #[serde(default, deserialize_with = "yaml::unique_map")]
    pub last_seal: BTreeMap<Role, u8>,
    /// Programs that are no tool of the suite, by absolute path.
    #[serde(default, deserialize_with = "yaml::unique_map")]
    pub programs: BTreeMap<SiteWord, Program>,
    /// What must be at hand.
    #[serde(default, deserialize_with = "yaml::unique_map")]
    pub materials: BTreeMap<Word, Material>,
    /// What is done, in order.
    pub acts: Vec<Act>,
    /// What is done when the ceremony is broken off.
    #[serde(default)]
    pub safe_state: Vec<Step>,
}

/// A role.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RoleEntry {
    /// How many people have it: its seats are `officer-1`, `officer-2`.
    pub people: u8,
    /// What they do.
    pub what: String,
}

/// A program that a step may run.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Program {
    /// Where it is.
    pub path: std::path::PathBuf,
    /// What it must be.
    #[serde(default)]
    pub sha256: Option<Digest>,
}

/// A thing that the ceremony needs.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Material {
    /// What it is.
    pub kind: MaterialKind,
    /// What people call it.
    pub what: String,
    /// The number of the tamper-evident bag that it comes in, if it is known now.
    #[serde(default)]
    pub bag: Option<String>,
    /// Where a medium is when it is in its drive; relative to the site.
    #[serde(default)]
    pub path: Option<std::path::PathBuf>,
}

/// The kinds of materials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MaterialKind {
    /// What files are copied to.
    Medium,
    /// A token or the machine that has it.
    Token,
    /// A tamper-evident bag.
    Bag,
    /// Anything else.
    Other,
}

/// A part of a ceremony.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Act {
    /// Its name.
    pub id: Word,
    /// Its heading.
    pub title: String,
    /// How many of which role must be present at each of its steps, where that is more than the script's.
    #[serde(default, deserialize_with = "yaml::unique_map")]
    pub quorum: BTreeMap<Role, u8>,
    /// What is done.
    pub steps: Vec<Step>,
}

impl Script {
    /// Reads the text of a script. That it can be followed, [`crate::check`] says.
    pub fn from_yaml(text: &str) -> Result<Self, YamlError> {
        yaml::parse(text)
    }

    /// The ceremony's id, and the name of its folder.
    pub fn id(&self) -> &str {
        self.log.id()
    }

    /// Whether a ceremony before this one is named.
    pub fn previous(&self) -> Option<&Word> {
        Some(&self.previous).filter(|previous| previous.as_str() != "none")
    }

    /// Who signs a checkpoint.
    pub fn signers(&self, which: Which) -> &BTreeMap<Role, u8> {
        match which {
            Which::Last if !self.last_seal.is_empty() => &self.last_seal,
            Which::Last | Which::Earlier => &self.seals,
        }
    }

    /// The seats of a role, in order.
    pub fn seats_of(&self, role: &Role) -> Vec<Seat> {
        let people = self.roles.get(role).map_or(0, |entry| entry.people);
        (1..=people)
            .map(|number| Seat::new(role.clone(), number))
            .collect()
    }

    /// The seats that a word stands for: those of a role, or one.
    pub fn seats(&self, who: &Who) -> Vec<Seat> {
        match who.as_role() {
            Some(role) if self.roles.contains_key(&role) => self.seats_of(&role),
            Some(_) | None => who.as_seat().into_iter().collect(),
        }
    }
}

/// Which of a ceremony's checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// One on the way.
    Earlier,
    /// The last one.
    Last,
}
