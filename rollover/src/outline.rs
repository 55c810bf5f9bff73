//! What of a plan is compared with another one: its steps by name, their times and waits. It is read from a plan's JSON too.

use std::collections::BTreeMap;
use std::fmt;

use key_metadata::Time;
use serde::Deserialize;

use crate::plan::Plan;

/// The outline of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// The zone.
    pub zone: String,
    /// The steps, in their order.
    pub steps: Vec<OutlineStep>,
}

/// A step of an outline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlineStep {
    /// As in `publish KSK new 1`, and which time where it comes more than once.
    pub name: String,
    /// When.
    pub at: Time,
    /// What it waits for, as in `Iret 1d4h`.
    pub waits: Vec<String>,
}

/// A difference between two plans.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case", tag = "difference")]
pub enum Difference {
    /// A step that only the first has.
    Gone {
        /// Its name.
        step: String,
        /// When it was.
        at: Time,
    },
    /// A step that only the second has.
    New {
        /// Its name.
        step: String,
        /// When it is.
        at: Time,
    },
    /// A step at another time, or with other waits.
    Changed {
        /// Its name.
        step: String,
        /// When it was.
        from: Time,
        /// When it is.
        to: Time,
        /// Its waits as they were, where they are others.
        old: Vec<String>,
        /// Its waits as they are, where they were others.
        new: Vec<String>,
    },
}

/// What of a plan's JSON counts here; the rest may be there.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Written {
    version: u32,
    zone: String,
    schedule: WrittenSchedule,
    steps: Vec<WrittenStep>,
}

#[derive(Deserialize)]
struct WrittenSchedule {
    causes: Vec<String>,
}

#[derive(Deserialize)]
struct WrittenStep {
    cause: usize,
    at: Time,
    waits: Vec<WrittenWaited>,
}

#[derive(Deserialize)]
struct WrittenWaited {
    wait: WrittenWait,
}

#[derive(Deserialize)]
struct WrittenWait {
    name: String,
    total: String,
}

/// What `plan --json` prints, and `plan --out` writes.
#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenPlans {
    Several { plans: Vec<Written> },
    One(Written),
}

/// Why a text holds no plans.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutlineError {
    /// Not the JSON that it must be.
    #[error("these are no plans as 'keyrite-rollover plan --json' prints them")]
    Json(#[from] serde_json::Error),
    /// Of another version.
    #[error("a plan of version {0}, and this tool reads 1")]
    Version(u32),
    /// A step with a cause that is not there.
    #[error("plan of {zone}: a step is of cause {cause}, and there are {causes}")]
    NoCause {
        /// The zone.
        zone: String,
        /// The cause's place.
        cause: usize,
        /// How many there are.
        causes: usize,
    },
}

impl Outline {
    /// Of a plan.
    pub fn of(plan: &Plan) -> Self {
        let steps = plan.steps.iter().map(|step| OutlineStep {
            name: plan.schedule.cause_name(step.cause).to_owned(),
            at: step.at,
            waits: step
                .waits
                .iter()
                .map(|waited| format!("{} {}", waited.wait.name, waited.wait.total()))
                .collect(),
        });
        Self {
            zone: plan.zone.to_string(),
            steps: steps.collect(),
        }
        .counted()
    }

    /// Of what `plan --json` printed, one for each zone, or `plan --out` wrote.
    pub fn read(text: &str) -> Result<Vec<Self>, OutlineError> {
        match serde_json::from_str(text)? {
            WrittenPlans::Several { plans } => plans.into_iter().map(Self::of_written).collect(),
            WrittenPlans::One(plan) => Ok(vec![Self::of_written(plan)?]),
        }
    }

    fn of_written(plan: Written) -> Result<Self, OutlineError> {
        if plan.version != 1 {
            return Err(OutlineError::Version(plan.version));
        }
        let causes = &plan.schedule.causes;
        let mut steps = Vec::new();
        for step in &plan.steps {
            let name = causes.get(step.cause).ok_or_else(|| OutlineError::NoCause {
                zone: plan.zone.clone(),
                cause: step.cause,
                causes: causes.len(),
            })?;
            let waits = step
                .waits
                .iter()
                .map(|waited| format!("{} {}", waited.wait.name, waited.wait.total));
            steps.push(OutlineStep {
                name: name.clone(),
                at: step.at,
                waits: waits.collect(),
            });
        }
        Ok(Self {
            zone: plan.zone,
            steps,
        }
        .counted())
    }

    /// Tells steps of the same name apart.
    fn counted(mut self) -> Self {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for step in &mut self.steps {
            let count = seen.entry(step.name.clone()).or_insert(0);
            *count += 1;
            if *count > 1 {
                step.name = format!("{} ({count})", step.name);
            }
        }
        self
    }

    /// What differs from this one to another, in the order of time.
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        let by_name = |outline: &Self| -> BTreeMap<String, OutlineStep> {
            outline
                .steps
                .iter()
                .map(|step| (step.name.clone(), step.clone()))
                .collect()
        };
        let (old, new) = (by_name(self), by_name(other));
        let mut found: Vec<(Time, Difference)> = Vec::new();
        for (name, step) in &old {
            match new.get(name) {
                None => found.push((
                    step.at,
                    Difference::Gone {
                        step: name.clone(),
                        at: step.at,
                    },
                )),
                Some(now) if now == step => {}
                Some(now) => {
                    let waits = now.waits != step.waits;
                    let told =
                        |waits_of: &OutlineStep| if waits { waits_of.waits.clone() } else { Vec::new() };
                    found.push((
                        now.at,
                        Difference::Changed {
                            step: name.clone(),
                            from: step.at,
                            to: now.at,
                            old: told(step),
                            new: told(now),
                        },
                    ));
                }
            }
        }
        for (name, step) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
            found.push((
                step.at,
                Difference::New {
                    step: name.clone(),
                    at: step.at,
                },
            ));
        }
        found.sort_by_key(|(at, _)| *at);
        found.into_iter().map(|(_, difference)| difference).collect()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone { step, at } => write!(f, "- {at}  {step}"),
            Self::New { step, at } => write!(f, "+ {at}  {step}"),
            Self::Changed {
                step,
                from,
                to,
                old,
                new,
            } => {
                write!(f, "~ {to}  {step}")?;
                match from.cmp(to) {
                    std::cmp::Ordering::Less => write!(f, ", {} later", to.since(*from))?,
                    std::cmp::Ordering::Greater => write!(f, ", {} earlier", from.since(*to))?,
                    std::cmp::Ordering::Equal => {}
                }
                if old != new {
                    write!(f, "; waits {} instead of {}", list(new), list(old))?;
                }
                Ok(())
            }
        }
    }
}

fn list(waits: &[String]) -> String {
    match waits {
        [] => "for nothing".to_owned(),
        waits => waits.join(" and "),
    }
}

impl key_metadata::Advice for OutlineError {
    fn hint(&self) -> Option<String> {
        Some("make it anew: keyrite-rollover plan --json".to_owned())
    }

    fn is_credential(&self) -> bool {
        false
    }
}
