//! `plan`: what is done with a zone's keys, proved.

use clap::Args;
use cli::{Exit, Failure, Outcome, Output, Progress, ReportArguments, SiteArguments, ZoneChoice};
use key_metadata::{KeptGoal, SiteFolder, Span, ZoneName};
use rollover::plan::Plan;

use crate::drawn::Pictures;
use crate::keep::Keep;
use crate::zone_of_site::{Trials, Wishes, ZoneOfSite, no_plan};

/// The options of `plan`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    zones: ZoneChoice,
    /// Plan the rollovers that begin within this time
    #[arg(long = "for", value_name = "SPAN", default_value = "365d")]
    span: Span,
    #[command(flatten)]
    wishes: Wishes,
    #[command(flatten)]
    trials: Trials,
    #[command(flatten)]
    keep: Keep,
    /// Forget what was kept: the policy alone counts again
    #[arg(long, conflicts_with = "keep")]
    forget: bool,
    #[command(flatten)]
    pictures: Pictures,
    #[command(flatten)]
    report: ReportArguments,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let zones = self.zones.zones(&folder)?;
        let wishes = self.wishes.goals()?;
        self.pictures.check(zones.len())?;
        if self.keep.keep && wishes.is_empty() {
            return Err(Failure::new(Exit::Usage, "there is nothing to keep")
                .hint("say what is wanted: --roll, --compromise, --lose, --algorithm or --insecure; the policy's rollovers need no keeping".to_owned()));
        }
        let progress = Progress::new("plans", zones.len() as u64);
        let (mut plans, mut failures) = (Vec::new(), Vec::new());
        for zone in &zones {
            match self.zone(&folder, zone, &wishes, site, output) {
                Ok((zone, plan)) => {
                    if !self.report.json {
                        progress.without(|| self.pictures.show(&plan, &zone, output))?;
                    }
                    plans.push(plan);
                }
                Err(failure) => failures.push(failure),
            }
            progress.step();
        }
        if self.report.json {
            output.json(&serde_json::json!({ "version": 1, "plans": plans }))?;
        }
        match output.last_of(failures) {
            None => Ok(()),
            Some(failure) => Err(failure),
        }
    }

    fn zone(
        &self,
        folder: &SiteFolder,
        name: &ZoneName,
        wishes: &[KeptGoal],
        site: &SiteArguments,
        output: &Output,
    ) -> Outcome<(ZoneOfSite, Plan)> {
        let now = cli::now();
        if self.forget {
            self.keep.forget(folder, name, output)?;
        }
        let lock = self.keep.lock(folder, name)?;
        let mut zone = ZoneOfSite::read(folder, name, now)?;
        if self.forget {
            // A dry run has forgotten nothing.
            zone = zone.alone();
        }
        let plan = zone
            .plan(wishes, &self.trials, now, now.after(self.span))
            .map_err(|error| no_plan(&zone, error))?;
        // The decision comes last: what is wanted with it is there, or nothing is decided.
        self.pictures.write(&plan, &zone)?;
        self.keep
            .beside(folder, &zone, wishes, &plan, site, (&lock, output))?;
        Ok((zone, plan))
    }
}
