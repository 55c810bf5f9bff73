//! `diff`, `what-if` and `undo`: a plan held against another one.

use std::path::PathBuf;

use clap::Args;
use cli::{Exit, Failure, Outcome, Output, ReportArguments, SiteArguments};
use key_metadata::store::read_text;
use key_metadata::{Advice, KeptGoal, Span, ZoneName};
use rollover::outline::{Difference, Outline};
use rollover::text;
use serde_json::json;

use crate::keep::Keep;
use crate::zone_of_site::{Trials, Wishes, ZoneOfSite, no_plan};

/// The options of `diff`.
#[derive(Args)]
pub struct DiffArguments {
    /// What 'plan --json' printed before, or 'plan --out' wrote
    old: PathBuf,
    /// What it printed after
    new: PathBuf,
    #[command(flatten)]
    report: ReportArguments,
}

/// The options of `what-if`.
#[derive(Args)]
pub struct WhatIfArguments {
    /// The zone
    #[arg(long, value_name = "ZONE")]
    zone: ZoneName,
    /// Compare the rollovers that begin within this time
    #[arg(long = "for", value_name = "SPAN", default_value = "365d")]
    span: Span,
    #[command(flatten)]
    wishes: Wishes,
    #[command(flatten)]
    trials: Trials,
    #[command(flatten)]
    report: ReportArguments,
}

/// The options of `undo`.
#[derive(Args)]
pub struct UndoArguments {
    /// The zone
    #[arg(long, value_name = "ZONE")]
    zone: ZoneName,
    #[command(flatten)]
    keep: Keep,
    #[command(flatten)]
    report: ReportArguments,
}

fn told(differences: &[(String, Vec<Difference>)], report: &ReportArguments, output: &mut Output) -> Outcome {
    if report.json {
        let zones: Vec<_> = differences
            .iter()
            .map(|(zone, differences)| json!({ "zone": zone, "differences": differences }))
            .collect();
        return output.json(&json!({ "version": 1, "zones": zones }));
    }
    for (zone, differences) in differences {
        output.line(format!(
            "{zone}: {}",
            match differences.len() {
                0 => "no difference".to_owned(),
                1 => "1 difference".to_owned(),
                many => format!("{many} differences"),
            }
        ))?;
        for difference in differences {
            output.line(format!("  {difference}"))?;
        }
    }
    Ok(())
}

impl DiffArguments {
    pub fn run(&self, output: &mut Output) -> Outcome {
        let read = |path: &PathBuf| -> Outcome<Vec<Outline>> {
            let text = read_text(path)?;
            Outline::read(&text).map_err(|error| {
                Failure::from(error).within(format!("{} cannot be compared", path.display()))
            })
        };
        let (old, new) = (read(&self.old)?, read(&self.new)?);
        let mut all = Vec::new();
        for one in &old {
            let empty = Outline {
                zone: one.zone.clone(),
                steps: Vec::new(),
            };
            let other = new
                .iter()
                .find(|other| other.zone == one.zone)
                .map_or(&empty, |other| other);
            all.push((one.zone.clone(), one.differences(other)));
        }
        for other in new
            .iter()
            .filter(|other| !old.iter().any(|one| one.zone == other.zone))
        {
            let empty = Outline {
                zone: other.zone.clone(),
                steps: Vec::new(),
            };
            all.push((other.zone.clone(), empty.differences(other)));
        }
        told(&all, &self.report, output)
    }
}

impl WhatIfArguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let now = cli::now();
        let zone = ZoneOfSite::read(&folder, &self.zone, now)?;
        let until = now.after(self.span);
        let as_it_is = zone
            .plan(&[], &Trials::default(), now, until)
            .map_err(|error| no_plan(&zone, error))?;
        let what_if = zone
            .plan(&self.wishes.goals()?, &self.trials, now, until)
            .map_err(|error| no_plan(&zone, error).within("what is asked for is not safe"))?;
        let differences = Outline::of(&as_it_is).differences(&Outline::of(&what_if));
        told(&[(zone.name.to_string(), differences)], &self.report, output)?;
        let proof = &what_if.proof;
        output.say(format!(
            "proved safe for {} over {} mixes of RRsets",
            proof.validators, proof.mixes
        ));
        Ok(())
    }
}

impl UndoArguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let now = cli::now();
        let lock = self.keep.lock(&folder, &self.zone)?;
        let zone = ZoneOfSite::read(&folder, &self.zone, now)?;
        let goals = [KeptGoal::Abandon];
        let plan = zone
            .alone()
            .plan(&goals, &Trials::default(), now, now)
            .map_err(|error| match error {
                rollover::planner::PlanError::NothingToAbandon { .. } => {
                    Failure::of(Exit::SaysNo, &error).hint(error.hint())
                }
                error => no_plan(&zone, error),
            })?;
        self.keep
            .instead(&folder, &zone, &goals, &plan, site, (&lock, output))?;
        if self.report.json {
            return output.json(&json!({ "version": 1, "plans": [plan] }));
        }
        output.result(text::plan(&plan))
    }
}
