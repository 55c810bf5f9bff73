//! A step as it is written: one of many fields says what is done.

use schemars::JsonSchema;
use serde::Deserialize;

use super::action::{Action, Branch, Compare, Confirm, Copy, Record, Run, Sign};
use super::name::{Who, Word};
use super::step::{Step, StepError};

/// A step, of which exactly one field from `say` on is there.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RawStep {
    id: Word,
    #[serde(default)]
    title: Option<String>,
    by: Vec<Who>,
    #[serde(default)]
    expect: Option<String>,
    #[serde(default)]
    needs: Vec<Word>,
    #[serde(default)]
    gives: Vec<Word>,
    #[serde(default)]
    takes: Vec<Word>,
    #[serde(default)]
    skip: Option<String>,
    #[serde(default)]
    minutes: Option<u16>,
    #[serde(default)]
    say: Option<String>,
    #[serde(default)]
    confirm: Option<Confirm>,
    #[serde(default)]
    record: Option<Record>,
    #[serde(default)]
    attend: Option<Vec<Who>>,
    #[serde(default)]
    leave: Option<Vec<Who>>,
    #[serde(default)]
    clock: Option<String>,
    #[serde(default)]
    run: Option<Run>,
    #[serde(default)]
    compare: Option<Compare>,
    #[serde(default)]
    copy: Option<Copy>,
    #[serde(default)]
    seal: Option<String>,
    #[serde(default)]
    sign: Option<Sign>,
    #[serde(default)]
    pause: Option<String>,
    #[serde(default)]
    branch: Option<Branch>,
}

impl TryFrom<RawStep> for Step {
    type Error = StepError;

    fn try_from(raw: RawStep) -> Result<Self, StepError> {
        let actions = [
            raw.say.map(Action::Say),
            raw.confirm.map(Action::Confirm),
            raw.record.map(Action::Record),
            raw.attend.map(Action::Attend),
            raw.leave.map(Action::Leave),
            raw.clock.map(Action::Clock),
            raw.run.map(Action::Run),
            raw.compare.map(Action::Compare),
            raw.copy.map(Action::Copy),
            raw.seal.map(Action::Seal),
            raw.sign.map(Action::Sign),
            raw.pause.map(Action::Pause),
            raw.branch.map(Action::Branch),
        ];
        let mut actions: Vec<Action> = actions.into_iter().flatten().collect();
        let action = match (actions.pop(), actions.pop()) {
            (Some(only), None) => only,
            (Some(one), Some(other)) => {
                return Err(StepError::Several {
                    step: raw.id,
                    one: other.name(),
                    other: one.name(),
                });
            }
            (None, _) => return Err(StepError::Nothing { step: raw.id }),
        };
        Ok(Self {
            id: raw.id,
            title: raw.title,
            by: raw.by,
            expect: raw.expect,
            needs: raw.needs,
            gives: raw.gives,
            takes: raw.takes,
            skip: raw.skip,
            minutes: raw.minutes,
            action,
        })
    }
}
