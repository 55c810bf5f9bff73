//! A step of a ceremony.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::action::Action;
use super::name::{Who, Word};
use super::raw::RawStep;

/// A step.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "RawStep")]
pub struct Step {
    /// Its name, once in the script.
    pub id: Word,
    /// A heading, where the action does not speak for itself.
    pub title: Option<String>,
    /// Who acts: roles or seats, who must be present.
    pub by: Vec<Who>,
    /// What is to be seen when it went well.
    pub expect: Option<String>,
    /// What must be so before: facts that an earlier step gave.
    pub needs: Vec<Word>,
    /// What is so afterwards.
    pub gives: Vec<Word>,
    /// What is so no more.
    pub takes: Vec<Word>,
    /// Why it may be left out; absent where only an exception can.
    pub skip: Option<String>,
    /// How long it takes people, in minutes, where that is known better than by its kind.
    pub minutes: Option<u16>,
    /// What is done.
    pub action: Action,
}

/// Why a step is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// It does nothing.
    #[error(
        "step '{step}' does nothing: say, confirm, record, attend, leave, clock, run, compare, copy, seal, sign, pause or branch"
    )]
    Nothing {
        /// The step.
        step: Word,
    },
    /// It does two things.
    #[error("step '{step}' has '{one}' and '{other}'; a step does one thing")]
    Several {
        /// The step.
        step: Word,
        /// One.
        one: &'static str,
        /// Another.
        other: &'static str,
    },
}

impl JsonSchema for Step {
    fn schema_name() -> Cow<'static, str> {
        "Step".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        RawStep::json_schema(generator)
    }
}
