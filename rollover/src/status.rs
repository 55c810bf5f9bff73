//! Where a zone is in its plan: what is to be done now, what comes next, who is waited for, and whether a monitor must be told.

use key_metadata::{Span, Time};
use serde::Serialize;

use crate::plan::{Actor, Plan, PlannedStep, Runway};

/// What a monitor is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alarm {
    /// The runway is shorter than the limit.
    Runway,
    /// A step is not taken though its latest time is over.
    Overdue,
    /// What must be seen was not, though it is time; or the parent was never asked.
    Evidence,
}

/// Where a zone is.
#[derive(Clone, Debug)]
pub struct Status<'a> {
    /// The steps whose time has come, in their order.
    pub now: Vec<&'a PlannedStep>,
    /// The first one whose time has not.
    pub next: Option<&'a PlannedStep>,
    /// The nearest time by which somebody must have done something.
    pub latest: Option<(&'a PlannedStep, Time)>,
    /// The first step from which there is no way back.
    pub no_return: Option<&'a PlannedStep>,
    /// Until when the zone lives.
    pub runway: &'a Runway,
    /// What a monitor is told.
    pub alarms: Vec<Alarm>,
}

/// What a status is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The least runway.
    pub runway: Span,
    /// How late a step may be.
    pub grace: Span,
}

impl<'a> Status<'a> {
    /// Where the zone of a plan is.
    pub fn of(plan: &'a Plan, limits: Limits, measured: Measured) -> Self {
        let waiting: Vec<_> = plan.steps.iter().collect();
        let (due, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|step| step.at <= plan.now);
        let latest = plan
            .steps
            .iter()
            .filter_map(|step| step.latest.as_ref().map(|latest| (step, latest.at)))
            .min_by_key(|(_, at)| *at);
        let mut alarms = Vec::new();
        if plan.runway.left < limits.runway {
            alarms.push(Alarm::Runway);
        }
        let is_late = |step: &&PlannedStep| {
            let latest = step.latest.as_ref().map(|latest| latest.at).or(due_since(step));
            latest.is_some_and(|latest| latest.after(limits.grace) < plan.now)
        };
        if due
            .iter()
            .any(|step| step.actor != Actor::Observation && is_late(step))
        {
            alarms.push(Alarm::Overdue);
        }
        let unseen = due
            .iter()
            .any(|step| step.actor == Actor::Observation && is_late(step));
        if unseen || measured == Measured::Never {
            alarms.push(Alarm::Evidence);
        }
        Self {
            now: due,
            next: later.into_iter().next(),
            latest,
            no_return: plan.steps.iter().find(|step| step.no_return.is_some()),
            runway: &plan.runway,
            alarms,
        }
    }
}

/// Whether the parent's answers were ever seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// They were, at every server, or need not be.
    Enough,
    /// They were not, or not at every server at once.
    Never,
}

/// Since when a step is due: when its waits were over. One that waits for nothing is due when it is planned.
fn due_since(step: &PlannedStep) -> Option<Time> {
    step.waits.iter().map(|wait| wait.until).max()
}

impl std::fmt::Display for Alarm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Runway => "runway",
            Self::Overdue => "overdue",
            Self::Evidence => "evidence",
        })
    }
}
