//! What was decided is kept in the site, so that `status` and `step` go by it.

use clap::Args;
use cli::{Exit, Failure, Outcome, Output, SiteArguments};
use key_metadata::store::Lock;
use key_metadata::{Digest, Intention, Intentions, KeptGoal, SiteFolder, ZoneName};
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
    /// Keeps others from deciding for the zone until the lock is dropped; nothing, where nothing is to be kept.
    pub fn lock(&self, folder: &SiteFolder, zone: &ZoneName) -> Outcome<Option<Lock>> {
        match self.keep && !self.dry_run {
            true => Ok(Some(folder.lock_intentions(zone)?)),
            false => Ok(None),
        }
    }

    /// Keeps it beside what was kept before. The lock is the one of [`Self::lock`].
    pub fn beside(
        &self,
        folder: &SiteFolder,
        zone: &ZoneOfSite,
        wishes: &[KeptGoal],
        plan: &Plan,
        site: &SiteArguments,
        (lock, output): (&Option<Lock>, &Output),
    ) -> Outcome {
        if !self.keep {
            return Ok(());
        }
        let kept = &zone.intentions;
        let new = self.unkept(zone, kept, wishes, plan, site)?;
        let known = wishes.len().saturating_sub(new.len());
        let mut all = kept.clone();
        all.intentions.extend(new.iter().cloned());
        if let (Some(lock), false) = (lock, new.is_empty()) {
            folder.write_intentions(&all, lock)?;
        }
        self.tell(zone, &new, output);
        if known > 0 {
            output.say(format!("{}: decided before, and kept: {known}", zone.name));
        }
        Ok(())
    }

    /// Keeps it instead of what was kept before, in one write: at no time is nothing decided.
    pub fn instead(
        &self,
        folder: &SiteFolder,
        zone: &ZoneOfSite,
        wishes: &[KeptGoal],
        plan: &Plan,
        site: &SiteArguments,
        (lock, output): (&Option<Lock>, &Output),
    ) -> Outcome {
        if !self.keep {
            return Ok(());
        }
        let mut all = Intentions::new(zone.name.clone());
        all.intentions = self.unkept(zone, &all, wishes, plan, site)?;
        if let Some(lock) = lock {
            folder.write_intentions(&all, lock)?;
        }
        self.tell_forgotten(&zone.name, &zone.intentions, output);
        self.tell(zone, &all.intentions, output);
        Ok(())
    }

    /// Forgets what was kept.
    pub fn forget(&self, folder: &SiteFolder, zone: &ZoneName, output: &Output) -> Outcome {
        let lock = match self.dry_run {
            true => None,
            false => Some(folder.lock_intentions(zone)?),
        };
        let kept = folder.intentions(zone)?;
        if let (Some(lock), false) = (&lock, kept.intentions.is_empty()) {
            folder.write_intentions(&Intentions::new(zone.clone()), lock)?;
        }
        self.tell_forgotten(zone, &kept, output);
        Ok(())
    }

    /// The wishes that are not kept yet: the same about the same keys is one decision, however often it is given.
    fn unkept(
        &self,
        zone: &ZoneOfSite,
        kept: &Intentions,
        wishes: &[KeptGoal],
        plan: &Plan,
        site: &SiteArguments,
    ) -> Outcome<Vec<Intention>> {
        let digest = digest(plan)?;
        let mut new: Vec<Intention> = Vec::new();
        for wish in wishes {
            let keys = keys_about(*wish, &zone.keys, plan.now);
            if keys.is_empty() && needs_keys(*wish) {
                let problem = format!(
                    "{}: there is nothing to keep: no key is in use that '{wish}' is about",
                    zone.name
                );
                let hint = format!(
                    "let it be in use first: keyrite-rollover next --zone {}",
                    zone.name
                );
                return Err(Failure::new(Exit::SaysNo, problem).hint(hint));
            }
            let is_it = |other: &&Intention| other.goal == *wish && other.keys == keys;
            if kept.intentions.iter().chain(&new).any(|other| is_it(&other)) {
                continue;
            }
            new.push(Intention {
                at: plan.now,
                operator: cli::operator(site.operator.as_deref()),
                tool: cli::tool!().0.to_owned(),
                reason: self.reason.clone().map_or_else(String::new, |reason| reason),
                goal: *wish,
                keys,
                plan: digest,
            });
        }
        Ok(new)
    }

    fn tell(&self, zone: &ZoneOfSite, new: &[Intention], output: &Output) {
        let would = if self.dry_run { "would keep" } else { "kept" };
        for intention in new {
            output.say(format!(
                "{}: {would}: {}, plan {}",
                zone.name, intention.goal, intention.plan
            ));
        }
    }

    fn tell_forgotten(&self, zone: &ZoneName, kept: &Intentions, output: &Output) {
        let would = if self.dry_run { "would forget" } else { "forgot" };
        for intention in &kept.intentions {
            output.say(format!(
                "{zone}: {would}: {}, decided at {}",
                intention.goal, intention.at
            ));
        }
    }
}

/// Whether what is wanted is about keys that are in use, and without any is never done.
const fn needs_keys(wish: KeptGoal) -> bool {
    match wish {
        KeptGoal::Roll { .. } | KeptGoal::Compromised { .. } | KeptGoal::Lost { .. } => true,
        KeptGoal::Algorithm { .. } | KeptGoal::Insecure | KeptGoal::Abandon => false,
    }
}

/// SHA-256 of a plan's JSON, as `plan --out` writes it: what a kept decision names, and what a printed plan carries.
fn digest(plan: &Plan) -> Outcome<Digest> {
    let json = json(plan).map_err(|error| Failure::of(Exit::Failed, &error))?;
    Ok(Digest::of(json.as_bytes()))
}
