//! `step`: the next step of a zone, taken or refused.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use clap::Args;
use cli::{ChangeArguments, Exit, Failure, Outcome, Output, ReportArguments, SiteArguments};
use key_metadata::evidence::{Evidence as Text, Sighting};
use key_metadata::store::Lock;
use key_metadata::{Action, KeyRecord, SiteFolder, ZoneName};
use rollover::plan::{Act, Actor, Plan, PlannedStep};
use rollover::planner::{Evidence, Stage};
use rollover::text::distance;
use rollover::wording::{names, who_and_what};
use rustix::io::FdFlags;
use serde_json::json;

use crate::status_verb::{plan_of, step_report};
use crate::zone_of_site::{ZoneOfSite, no_zone};

/// The options of `step`.
#[derive(Args)]
pub struct Arguments {
    /// The zone
    #[arg(long, value_name = "ZONE")]
    zone: ZoneName,
    /// Go on with a step that is a person's: the DS was given to the parent, the key is to be made or destroyed
    #[arg(long)]
    confirm: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    change: ChangeArguments,
    #[command(flatten)]
    report: ReportArguments,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        // From here on nobody else takes a step of the zone, or decides about it: each goes by what the one before has left.
        let _lock = self.lock(&folder)?;
        let recorded = self.record(&folder, site, output)?;
        let taken = self.go_on(&folder, &recorded, site, output);
        match recorded.is_empty() {
            true => taken,
            false => taken.map_err(Failure::part_way),
        }
    }

    fn lock(&self, folder: &SiteFolder) -> Outcome<Option<Lock>> {
        if self.dry_run {
            return Ok(None);
        }
        let keyctl = keyctl()?;
        if !keyctl.is_file() {
            let problem = format!("there is no {}", keyctl.display());
            return Err(Failure::new(Exit::Failed, problem)
                .hint("it does the steps, and must be beside keyrite-rollover: install both".to_owned()));
        }
        folder.zone(&self.zone).map_err(no_zone)?;
        let lock = folder.lock_intentions(&self.zone)?;
        // keyctl inherits it: should this process be killed, the next one waits for what that still does.
        rustix::io::fcntl_setfd(&lock, FdFlags::empty())
            .map_err(|error| Failure::of(Exit::Failed, &error).within("the lock cannot be handed on"))?;
        Ok(Some(lock))
    }

    /// Takes the step, or says why not.
    fn go_on(
        &self,
        folder: &SiteFolder,
        recorded: &[String],
        site: &SiteArguments,
        output: &mut Output,
    ) -> Outcome {
        let (_, plan) = plan_of(folder, &self.zone)?;
        let due: Vec<_> = next_of_each(&plan).collect();
        let Some(first) = due.first() else {
            return self.nothing(&plan, recorded, output);
        };
        // What nobody waits for goes first: one zone's rollovers do not hold each other up.
        let step = due.iter().find(|step| match step.actor {
            Actor::Tool => true,
            Actor::Person => self.confirm || !is_decided_by_people(step.act),
            Actor::Observation => false,
        });
        let Some(step) = step.copied() else {
            return Err(self.waits(&plan, first));
        };
        self.take(site, &plan, step, output)?;
        if self.report.json {
            return output.json(&json!({
                "version": 1,
                "zone": self.zone,
                "done": !self.dry_run,
                "recorded": recorded,
                "step": step_report(&plan, step),
            }));
        }
        if self.dry_run {
            return Ok(());
        }
        let next = self.next(folder, &plan, step, output);
        next.map_err(|failure| {
            failure
                .within(format!(
                    "{}: the step was taken, and what comes next is not known",
                    self.zone
                ))
                .part_way()
        })
    }

    /// Why a step is not taken.
    fn waits(&self, plan: &Plan, step: &PlannedStep) -> Failure {
        let (zone, what) = (&self.zone, who_and_what(plan, step));
        match step.actor {
            Actor::Observation => Failure::new(Exit::SaysNo, format!("{zone}: evidence is missing: {what}"))
                .because("only what every server of the parent answers counts")
                .hint(format!(
                    "look at the parent, then again: keyrite-rollover observe --zone {zone}"
                )),
            Actor::Person | Actor::Tool => {
                let command = step.command.as_deref().map_or("", |command| command);
                Failure::new(Exit::SaysNo, format!("{zone}: {what}")).hint(format!(
                    "when that is done, or to be done now: keyrite-rollover step --zone {zone} --confirm (it runs: {command})"
                ))
            }
        }
    }

    fn nothing(&self, plan: &Plan, recorded: &[String], output: &mut Output) -> Outcome {
        let next = plan.steps.first();
        if self.report.json {
            return output.json(&json!({
                "version": 1,
                "zone": self.zone,
                "done": false,
                "recorded": recorded,
                "next": next.map(|step| step_report(plan, step)),
            }));
        }
        output.line(match next {
            None => format!("{}: nothing is to be done", self.zone),
            Some(step) => format!(
                "{}: nothing is to be done before {} ({}): {}",
                self.zone,
                step.at,
                distance(plan.now, step.at),
                who_and_what(plan, step)
            ),
        })
    }

    /// Enters into the records what was seen at the parent and is not there yet.
    fn record(&self, folder: &SiteFolder, site: &SiteArguments, output: &Output) -> Outcome<Vec<String>> {
        let _lock = match self.dry_run {
            true => None,
            false => Some(folder.lock_keys(&self.zone)?),
        };
        let now = cli::now();
        let zone = ZoneOfSite::read(folder, &self.zone, now)?;
        let mut keys = zone.keys.clone();
        let mut recorded = Vec::new();
        for evidence in zone.evidence() {
            let Some(key) = keys.key(evidence.key).cloned() else {
                continue;
            };
            let Some(sighting) = missing(&key, evidence) else {
                continue;
            };
            let text = describe(&zone, &key, evidence)?;
            let change = self.change.change(Action::Accept, now, cli::tool!(), site);
            keys.enter_sighting(key.id, sighting, evidence.at, &text, change)?;
            let would = if self.dry_run { "would record" } else { "recorded" };
            output.say(format!(
                "{}: {would}: {} {}: {text}",
                self.zone,
                key.name(),
                evidence.stage.happened()
            ));
            recorded.push(text.to_string());
        }
        if let (Some(lock), false) = (&_lock, recorded.is_empty()) {
            folder.write_keys(&keys, lock)?;
        }
        Ok(recorded)
    }

    /// Has the sibling do it.
    fn take(&self, site: &SiteArguments, plan: &Plan, step: &PlannedStep, output: &Output) -> Outcome {
        let Some(command) = &step.command else {
            return Ok(());
        };
        output.say(format!("{}: {}", self.zone, who_and_what(plan, step)));
        let runs = if self.dry_run { "would run:" } else { "runs:" };
        output.say(format!("{runs} {command}"));
        let mut words = command.split_whitespace();
        let (Some(tool), false) = (words.next(), self.dry_run) else {
            return Ok(());
        };
        let mut process = Command::new(keyctl()?);
        if self.report.json {
            // What we print is JSON alone.
            process.stdout(io::stderr());
        }
        process.args(words).arg("--site").arg(&site.site);
        if let Some(operator) = &site.operator {
            process.arg("--operator").arg(operator);
        }
        if let Some(pin) = &site.pin {
            process.arg("--pin").arg(pin);
        }
        let reason = self.change.reason.as_ref();
        if let Some(reason) = reason.filter(|_| step.act != Act::Generate) {
            process.arg("--reason").arg(reason);
        }
        if let Some(ceremony) = &self.change.ceremony {
            process.arg("--ceremony").arg(ceremony.to_string());
        }
        let status = process.status().map_err(|error| {
            Failure::of(Exit::Failed, &error)
                .within(format!("{tool} cannot be run"))
                .hint("it must be the one that was installed with keyrite-rollover".to_owned())
        })?;
        match status.success() {
            true => Ok(()),
            false => Err(Failure::new(
                exit_of(status.code()),
                format!("{}: the step was not taken: {command}: {status}", self.zone),
            )
            .hint("its own message is above; when it is mended, run this again".to_owned())),
        }
    }

    /// What comes next, by the plan as it is now.
    fn next(&self, folder: &SiteFolder, before: &Plan, taken: &PlannedStep, output: &mut Output) -> Outcome {
        let out = taken
            .changes
            .iter()
            .filter(|(_, stage)| *stage == Stage::DsWithdrawn);
        let out: Vec<_> = out.map(|(key, _)| *key).collect();
        if !out.is_empty() {
            output.say(format!(
                "{}: now have the parent take out the DS of {}",
                self.zone,
                names(&before.schedule, &out)
            ));
        }
        let (_, plan) = plan_of(folder, &self.zone)?;
        if let Some(step) = plan.steps.first() {
            output.line(format!(
                "{}: next, at {} ({}): {}",
                self.zone,
                step.at,
                distance(plan.now, step.at),
                who_and_what(&plan, step)
            ))?;
        }
        Ok(())
    }
}

/// Of each rollover the next step, where it is due.
fn next_of_each(plan: &Plan) -> impl Iterator<Item = &PlannedStep> {
    let mut begun = BTreeSet::new();
    plan.steps
        .iter()
        .filter(move |step| begun.insert(step.rollover) && step.at <= plan.now)
}

/// What nobody but a person can know or decide.
const fn is_decided_by_people(act: Act) -> bool {
    match act {
        Act::Generate | Act::Submit | Act::Destroy | Act::GoInsecure => true,
        Act::PreActivate
        | Act::Publish
        | Act::SeeDs
        | Act::Activate
        | Act::Retire
        | Act::AskForNoDs
        | Act::SeeNoDs
        | Act::Withdraw
        | Act::Revoke
        | Act::Remove => false,
    }
}

/// The sighting that the record of a key lacks.
fn missing(key: &KeyRecord, evidence: Evidence) -> Option<Sighting> {
    match evidence.stage {
        Stage::Registered if key.times.registered.is_none() => Some(Sighting::Registered),
        Stage::DsGone if key.times.deregistered.is_none() => Some(Sighting::Deregistered),
        Stage::Generated
        | Stage::PreActive
        | Stage::Published
        | Stage::Submitted
        | Stage::Registered
        | Stage::Active
        | Stage::Retired
        | Stage::DsWithdrawn
        | Stage::DsGone
        | Stage::PostActive
        | Stage::Revoked
        | Stage::Removed
        | Stage::Destroyed => None,
    }
}

/// Who saw what where, for the history.
fn describe(zone: &ZoneOfSite, key: &KeyRecord, evidence: Evidence) -> Outcome<Text> {
    let seen = zone
        .observations
        .all()
        .iter()
        .find(|observation| observation.at == evidence.at);
    let (who, servers) = seen.map_or(("somebody", 0), |observation| {
        let servers = observation.parent.as_ref().map_or(0, key_metadata::Asked::len);
        (observation.operator.as_str(), servers)
    });
    let has = match evidence.stage {
        Stage::DsGone => "no server of the parent",
        _ => "every server of the parent",
    };
    let text = format!(
        "{who} saw the DS of {} at {has} ({servers} asked) at {}",
        key.name(),
        evidence.at
    );
    text.parse::<Text>()
        .map_err(|error| Failure::of(Exit::Failed, &error))
}

/// What does the steps.
fn keyctl() -> Outcome<PathBuf> {
    Ok(cli::siblings()?.join("keyrite-keyctl"))
}

/// The exit code of a sibling, as our own; one that was killed may have done something.
const fn exit_of(code: Option<i32>) -> Exit {
    match code {
        Some(2) => Exit::Usage,
        Some(3) => Exit::SaysNo,
        Some(4) => Exit::Credential,
        Some(5) | None => Exit::PartWay,
        Some(_) => Exit::Failed,
    }
}
