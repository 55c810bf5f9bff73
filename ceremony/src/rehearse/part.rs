//! What the program that holds the ceremony is told in a rehearsal.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

use super::fault::PlacedFault;
use super::folder::StageFolder;
use crate::script::Word;

/// The file `part.json` of a rehearsal's folder. It is between two of our own processes, and has no secret in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Part {
    /// What is answered, by step.
    pub answers: BTreeMap<Word, Vec<Option<String>>>,
    /// Which tokens are lost, by step.
    pub losses: BTreeMap<Word, String>,
    /// What goes wrong, and where.
    pub fault: Option<PlacedFault>,
    /// Whether the ceremony was interrupted before.
    pub entrance: Entrance,
}

/// How a run of the program begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entrance {
    /// With the first step.
    First,
    /// Where the power failed.
    Resumed,
}

impl Part {
    /// Writes it.
    pub fn write(&self, stage: &StageFolder) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        fs::write(stage.part(), text)
    }

    /// Reads it.
    pub fn read(stage: &StageFolder) -> io::Result<Self> {
        serde_json::from_slice(&fs::read(stage.part())?).map_err(io::Error::other)
    }
}
