//! What was decided is kept in the site, so that `status` and `step` go by it.

use clap::Args;
use cli::{Exit, Failure, Outcome, Output, SiteArguments};
use key_metadata::{Digest, Intention, KeptGoal, SiteFolder, ZoneName};
use rollover::decided::keys_about;
use rollover::pictures::json;
use rollover::plan::Plan;

use crate::zone_of_site::ZoneOfSite;

/// The options of what can be kept.
#[derive(Args, Debug)]
pub struct Keep {
    /// Remember what is wanted, so that 'status' and 'step' go by it; takes --reason
    #[arg(long, requires = "reason")]
    pub keep: bool,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", value_parser = cli::reason)]
    reason: Option<String>,
    /// Say what would be kept or forgotten, and do neither
    #[arg(long)]
    dry_run: bool,
}

impl Keep {
    /// Keeps it beside what was kept before.
    pub fn beside(
        &self,
        folder: &SiteFolder,
        zone: &ZoneOfSite,
        wishes: &[KeptGoal],
        plan: &Plan,
        site: &SiteArguments,
        output: &Output,
    ) -> Outcome {
        if !self.keep {
            return Ok(());
        }
        let digest = digest(plan)?;
        let would = if self.dry_run { "would keep" } else { "kept" };
        for wish in wishes {
            output.say(format!("{}: {would}: {wish}, plan {digest}", zone.name));
        }
        if self.dry_run {
            return Ok(());
        }
        let lock = folder.lock_intentions(&zone.name)?;
        let mut kept = folder.intentions(&zone.name)?;
        kept.intentions.extend(wishes.iter().map(|wish| Intention {
            at: plan.now,
            operator: cli::operator(site.operator.as_deref()),
            tool: cli::tool!().0.to_owned(),
            reason: self.reason.clone().map_or_else(String::new, |reason| reason),
            goal: *wish,
            keys: keys_about(*wish, &zone.keys, plan.now),
            plan: digest,
        }));
        folder.write_intentions(&kept, &lock)?;
        Ok(())
    }

    /// Keeps it instead of what was kept before.
    pub fn instead(
        &self,
        folder: &SiteFolder,
        zone: &ZoneOfSite,
        wishes: &[KeptGoal],
        plan: &Plan,
        site: &SiteArguments,
        output: &Output,
    ) -> Outcome {
        if self.keep {
            self.forget(folder, &zone.name, output)?;
        }
        self.beside(folder, zone, wishes, plan, site, output)
    }

    /// Forgets what was kept.
    pub fn forget(&self, folder: &SiteFolder, zone: &ZoneName, output: &Output) -> Outcome {
        let lock = folder.lock_intentions(zone)?;
        let mut kept = folder.intentions(zone)?;
        if kept.intentions.is_empty() {
            return Ok(());
        }
        let would = if self.dry_run { "would forget" } else { "forgot" };
        for intention in kept.intentions.drain(..) {
            output.say(format!(
                "{zone}: {would}: {}, decided at {}",
                intention.goal, intention.at
            ));
        }
        if !self.dry_run {
            folder.write_intentions(&kept, &lock)?;
        }
        Ok(())
    }
}

/// SHA-256 of a plan's JSON, as `plan --out` writes it: what a kept decision names, and what a printed plan carries.
fn digest(plan: &Plan) -> Outcome<Digest> {
    let json = json(plan).map_err(|error| Failure::of(Exit::Failed, &error))?;
    Ok(Digest::of(json.as_bytes()))
}
