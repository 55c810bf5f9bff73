//! What a chart shows, and what of a plan goes into one.

use key_metadata::{Span, Time};

use crate::plan::{Actor, Plan, PlannedStep};
use crate::schedule::{KeyIndex, Schedule};
use crate::wording::phrase;

/// A chart: keys and what is published of them, from one time to another.
#[derive(Clone, Debug)]
pub struct Chart<'a> {
    /// What stands over it.
    pub title: String,
    /// What is planned, or was if [`Self::happened`] says otherwise.
    pub schedule: &'a Schedule,
    /// What happened, as it was recorded: until `now` it is drawn over what was planned. A key is the same as a planned one if it has its label.
    pub happened: Option<&'a Schedule>,
    /// Which keys it has.
    pub shown: Shown,
    /// Where it begins.
    pub from: Time,
    /// Where it ends.
    pub until: Time,
    /// The time for which it is drawn.
    pub now: Time,
    /// What is done when.
    pub marks: Vec<Mark>,
}

/// Which keys a chart has. One of which nothing is published in its time is left out in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Every key.
    All,
    /// These.
    Only(Vec<KeyIndex>),
}

/// Something at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When.
    pub at: Time,
    /// What, as in `give the DS of KSK 2371 to the parent`.
    pub label: String,
    /// Of what kind.
    pub kind: MarkKind,
    /// By which number it is known elsewhere: a step's in its plan.
    pub number: Option<usize>,
}

/// Of what kind a mark is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MarkKind {
    /// A person must do it.
    Person,
    /// Keyrite does it.
    Tool,
    /// It is seen, and recorded as evidence.
    Observation,
    /// There is no way back from here.
    NoReturn,
    /// Until then something must be done.
    Latest,
}

impl MarkKind {
    /// All of them, in the order in which they are drawn.
    pub const ALL: [Self; 5] = [
        Self::Person,
        Self::Tool,
        Self::Observation,
        Self::NoReturn,
        Self::Latest,
    ];

    /// What stands before such marks.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "you must",
            Self::Tool => "Keyrite does",
            Self::Observation => "to be seen",
            Self::NoReturn => "no way back",
            Self::Latest => "latest",
        }
    }

    /// Whether people have to know of each: it is told below the chart.
    pub const fn is_for_people(self) -> bool {
        match self {
            Self::Person | Self::NoReturn | Self::Latest => true,
            Self::Tool | Self::Observation => false,
        }
    }
}

impl Chart<'_> {
    /// The marks that people have to know of, in the order of time: those in the chart's time, and the deadlines of what is in it.
    pub(super) fn told(&self) -> Vec<&Mark> {
        let is_here = |mark: &Mark| (self.from..=self.until).contains(&mark.at);
        let is_of_one_here = |mark: &Mark| {
            let same = |other: &&Mark| other.number == mark.number && is_here(other);
            mark.kind == MarkKind::Latest
                && mark.number.is_some()
                && self.marks.iter().any(|other| same(&other))
        };
        let mut told: Vec<&Mark> = self
            .marks
            .iter()
            .filter(|mark| mark.kind.is_for_people() && (is_here(mark) || is_of_one_here(mark)))
            .collect();
        told.sort_by_key(|mark| (mark.at, mark.kind, mark.number));
        told
    }

    /// The marks of a kind that are in the chart's time, in the order of time.
    pub(super) fn marks_of(&self, kind: MarkKind) -> Vec<&Mark> {
        let is_here = |mark: &&Mark| mark.kind == kind && (self.from..=self.until).contains(&mark.at);
        let mut marks: Vec<&Mark> = self.marks.iter().filter(is_here).collect();
        marks.sort_by_key(|mark| (mark.at, mark.number));
        marks
    }
}

impl From<Actor> for MarkKind {
    fn from(actor: Actor) -> Self {
        match actor {
            Actor::Tool => Self::Tool,
            Actor::Person => Self::Person,
            Actor::Observation => Self::Observation,
        }
    }
}

impl<'a> Chart<'a> {
    /// The chart of a whole plan, from a little before it begins.
    pub fn of_plan(plan: &'a Plan, happened: Option<&'a Schedule>) -> Self {
        let first = plan.steps.iter().map(|step| step.at).min();
        let begins = first.map_or(plan.now, |first| first.min(plan.now));
        let from = begins.before(part(plan.until.since(begins), 30));
        Self {
            title: format!("{}: plan until {}", plan.zone, plan.until),
            schedule: &plan.schedule,
            happened,
            shown: Shown::All,
            from: from.max(plan.schedule.since.min(begins)),
            until: plan.until,
            now: plan.now,
            marks: plan.steps.iter().flat_map(|step| marks(plan, step)).collect(),
        }
    }

    /// The chart of one rollover of a plan, with the keys that go and those that come; nothing, where the plan has no such number.
    pub fn of_rollover(plan: &'a Plan, number: usize, happened: Option<&'a Schedule>) -> Option<Self> {
        let rollover = plan.rollovers.iter().find(|rollover| rollover.number == number)?;
        let steps = || plan.steps.iter().filter(|step| step.rollover == number);
        let marks: Vec<Mark> = steps().flat_map(|step| marks(plan, step)).collect();
        // Not the deadlines: one that is far off would leave no room for the rest.
        let (first, last) = (
            steps().map(|step| step.at).min()?,
            steps().map(|step| step.at).max()?,
        );
        let pad = part(last.since(first), 12);
        Some(Self {
            title: format!("{}, rollover {number}: {}", plan.zone, rollover.title),
            schedule: &plan.schedule,
            happened,
            shown: Shown::Only(rollover.from.iter().chain(&rollover.to).copied().collect()),
            from: first.before(pad),
            until: last.after(pad),
            now: plan.now,
            marks,
        })
    }
}

fn part(span: Span, of: u32) -> Span {
    Span::from_seconds((span.seconds() / of).max(1))
}

/// What a step puts on a chart.
fn marks(plan: &Plan, step: &PlannedStep) -> Vec<Mark> {
    let label = phrase(plan, step);
    let mark = |at, kind, label| Mark {
        at,
        label,
        kind,
        number: Some(step.number),
    };
    let mut marks = vec![mark(step.at, step.actor.into(), label.clone())];
    if let Some(why) = &step.no_return {
        marks.push(mark(step.at, MarkKind::NoReturn, why.clone()));
    }
    // What the tool does in time by itself is nobody's deadline.
    if let Some(latest) = step.latest.as_ref().filter(|_| step.actor != Actor::Tool) {
        marks.push(mark(
            latest.at,
            MarkKind::Latest,
            format!("{label}; after it {}", latest.why),
        ));
    }
    marks
}
