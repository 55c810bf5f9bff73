//! `status` and `next`: where a zone is in its plan.

use clap::{Args, ValueEnum};
use cli::{Exit, Failure, Outcome, Output, ReportArguments, SiteArguments, ZoneChoice};
use key_metadata::{KeyRecord, SiteFolder, Span, ZoneName};
use rollover::decided::open;
use rollover::plan::{Actor, Plan, PlannedStep};
use rollover::status::{Alarm, Limits, Measured, Status};
use rollover::text::{self, distance};
use rollover::wording::who_and_what;
use serde_json::{Value, json};

use crate::zone_of_site::{Trials, ZoneOfSite, no_plan};

/// The options of `status`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    zones: ZoneChoice,
    /// The runway under which a monitor is told
    #[arg(long, value_name = "SPAN", default_value = "3d")]
    runway: Span,
    /// How late a step may be before a monitor is told
    #[arg(long, value_name = "SPAN", default_value = "1d")]
    grace: Span,
    /// Exit with 3 for this alarm only, once for each; for every one when absent
    #[arg(long, value_name = "ALARM")]
    alarm: Vec<AlarmName>,
    #[command(flatten)]
    report: ReportArguments,
}

/// An alarm by its name.
#[derive(Clone, Copy, ValueEnum)]
enum AlarmName {
    Runway,
    Overdue,
    Evidence,
}

/// The options of `next`.
#[derive(Args)]
pub struct NextArguments {
    #[command(flatten)]
    zones: ZoneChoice,
    #[command(flatten)]
    report: ReportArguments,
}

/// The plan of a zone as it is now, far enough ahead that its next step is in it.
pub fn plan_of(folder: &SiteFolder, zone: &ZoneName) -> Outcome<(ZoneOfSite, Plan)> {
    let now = cli::now();
    let zone = ZoneOfSite::read(folder, zone, now)?;
    let lifetimes = [
        &zone.policy.keys.ksk,
        &zone.policy.keys.zsk,
        &zone.policy.keys.csk,
    ];
    // Whatever was rolled last, one of the others is rolled before this is over; to prove the years after it takes ten times as long.
    let shortest = lifetimes.into_iter().flatten().map(|key| key.lifetime).min();
    let until = shortest.map_or(now, |shortest| now.after(shortest));
    let plan = zone
        .plan(&[], &Trials::default(), now, until)
        .map_err(|error| no_plan(&zone, error))?;
    Ok((zone, plan))
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let (mut reports, mut failures) = (Vec::new(), Vec::new());
        for zone in self.zones.zones(&folder)? {
            match self.zone(&folder, &zone, output) {
                Ok((report, alarms)) => {
                    reports.push(report);
                    let told: Vec<_> = alarms.into_iter().filter(|alarm| self.is_asked(*alarm)).collect();
                    if !told.is_empty() {
                        let names: Vec<_> = told.iter().map(ToString::to_string).collect();
                        failures.push(
                            Failure::new(Exit::SaysNo, format!("{zone}: {}", names.join(", ")))
                                .hint(hint(&told, &zone)),
                        );
                    }
                }
                Err(failure) => failures.push(failure),
            }
        }
        if self.report.json {
            output.json(&json!({ "version": 1, "zones": reports }))?;
        }
        match output.last_of(failures) {
            None => Ok(()),
            Some(failure) => Err(failure),
        }
    }

    fn is_asked(&self, alarm: Alarm) -> bool {
        self.alarm.is_empty()
            || self.alarm.iter().any(|name| {
                alarm
                    == match name {
                        AlarmName::Runway => Alarm::Runway,
                        AlarmName::Overdue => Alarm::Overdue,
                        AlarmName::Evidence => Alarm::Evidence,
                    }
            })
    }

    fn zone(
        &self,
        folder: &SiteFolder,
        name: &ZoneName,
        output: &mut Output,
    ) -> Outcome<(Value, Vec<Alarm>)> {
        let (zone, plan) = plan_of(folder, name)?;
        // A zone of which no DS was ever given to the parent needs no look at it.
        let has_ds = zone.keys.keys().iter().any(KeyRecord::had_ds);
        let measured = match zone.observations.newest_of_parent() {
            None if has_ds => Measured::Never,
            Some(_) | None => Measured::Enough,
        };
        let limits = Limits {
            runway: self.runway,
            grace: self.grace,
        };
        let status = Status::of(&plan, limits, measured);
        if !self.report.json {
            output.result(screen(&zone, &plan, &status))?;
        }
        Ok((report(&plan, &status), status.alarms.clone()))
    }
}

fn hint(alarms: &[Alarm], zone: &ZoneName) -> String {
    let hints: Vec<_> = alarms
        .iter()
        .map(|alarm| match alarm {
            Alarm::Runway => format!("sign the zone: keyrite-signer sign --zone {zone}"),
            Alarm::Overdue => format!("take the step: keyrite-rollover step --zone {zone}"),
            Alarm::Evidence => format!("look at the parent: keyrite-rollover observe --zone {zone}"),
        })
        .collect();
    hints.join("; ")
}

/// Everything on one screen.
fn screen(zone: &ZoneOfSite, plan: &Plan, status: &Status<'_>) -> String {
    let mut lines = vec![format!("{} at {}, policy {}", plan.zone, plan.now, plan.policy)];
    let mut line = |name: &str, text: String| lines.push(format!("  {name:<16}{text}"));
    for intention in open(&zone.intentions, &zone.keys, plan.now) {
        line(
            "decided",
            format!(
                "{} ({}, {})",
                intention.goal, intention.operator, intention.reason
            ),
        );
    }
    match status.now.as_slice() {
        [] => line("now", "nothing is to be done".to_owned()),
        due => {
            for step in due {
                line("now", who_and_what(plan, step));
                if let Some(command) = &step.command {
                    line("", format!("$ {command}"));
                }
            }
        }
    }
    match status.next {
        None => line("next", "nothing".to_owned()),
        Some(step) => line(
            "next",
            format!(
                "{} ({}): {}",
                step.at,
                distance(plan.now, step.at),
                who_and_what(plan, step)
            ),
        ),
    }
    line("blocked on", blocked(status));
    if let Some((step, at)) = status.latest {
        let what = who_and_what(plan, step);
        line(
            "latest safe",
            format!("{at} ({}): {what}", distance(plan.now, at)),
        );
    }
    if let Some(step) = status.no_return {
        let why = step.no_return.as_deref().map_or("", |why| why);
        line(
            "no return after",
            format!("{} ({}): {why}", step.at, who_and_what(plan, step)),
        );
    }
    line(
        "runway",
        format!(
            "{} until {}: {}",
            status.runway.left, status.runway.until, status.runway.why
        ),
    );
    line(
        "proved",
        format!(
            "for {} over {} mixes of RRsets",
            plan.proof.validators, plan.proof.mixes
        ),
    );
    lines.push(String::new());
    lines.join("\n")
}

/// Who the zone waits for.
fn blocked(status: &Status<'_>) -> String {
    match (status.now.first(), status.next) {
        (None, None) => "nobody".to_owned(),
        (None, Some(step)) => format!("time, until {}", step.at),
        (Some(step), _) => match step.actor {
            Actor::Tool => "'keyrite-rollover step'".to_owned(),
            Actor::Person => "you".to_owned(),
            Actor::Observation => "the parent: what it has must be seen".to_owned(),
        },
    }
}

/// A step as JSON, with its sentence.
pub fn step_report(plan: &Plan, step: &PlannedStep) -> Value {
    json!({
        "number": step.number,
        "at": step.at,
        "actor": step.actor,
        "act": step.act,
        "what": who_and_what(plan, step),
        "command": step.command,
        "latest": step.latest,
        "no-return": step.no_return,
    })
}

fn report(plan: &Plan, status: &Status<'_>) -> Value {
    json!({
        "zone": plan.zone,
        "at": plan.now,
        "now": status.now.iter().map(|step| step_report(plan, step)).collect::<Vec<_>>(),
        "next": status.next.map(|step| step_report(plan, step)),
        "blocked-on": blocked(status),
        "latest-safe": status.latest.map(|(_, at)| at),
        "no-return": status.no_return.map(|step| step.at),
        "runway": status.runway,
        "alarms": status.alarms,
    })
}

impl NextArguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let mut reports = Vec::new();
        for zone in self.zones.zones(&folder)? {
            let (_, plan) = plan_of(&folder, &zone)?;
            let due: Vec<_> = plan.steps.iter().filter(|step| step.at <= plan.now).collect();
            let shown: Vec<_> = match due.as_slice() {
                [] => plan.steps.iter().take(1).collect(),
                due => due.to_vec(),
            };
            if !self.report.json {
                if shown.is_empty() {
                    output.line(format!("{zone}: nothing is to be done"))?;
                }
                for step in &shown {
                    output.result(text::step(&plan, step))?;
                }
            }
            reports.push(json!({
                "zone": zone,
                "steps": shown.iter().map(|step| step_report(&plan, step)).collect::<Vec<_>>(),
            }));
        }
        if self.report.json {
            output.json(&json!({ "version": 1, "zones": reports }))?;
        }
        Ok(())
    }
}
