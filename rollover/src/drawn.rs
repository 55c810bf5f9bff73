//! The pictures of a plan, on the terminal and in files.

use std::path::{Path, PathBuf};

use clap::Args;
use cli::{Exit, Failure, Outcome, Output};
use key_metadata::store::{read_text, replace};
use rollover::pictures::{Chart, Glyphs, Shown, coloured, ics, json, sheet, svg};
use rollover::plan::Plan;
use rollover::planned::Planned;
use rollover::text;

use crate::zone_of_site::ZoneOfSite;

/// Where pictures go.
#[derive(Args, Debug, Default)]
pub struct Pictures {
    /// Show the chart instead of the steps
    #[arg(long)]
    gantt: bool,
    /// Draw the chart with ASCII only
    #[arg(long, requires = "gantt")]
    ascii: bool,
    /// Draw the chart this wide, in columns; as the terminal is when absent, or 100
    #[arg(long, value_name = "COLUMNS", requires = "gantt")]
    columns: Option<u16>,
    /// Draw this rollover alone, by its place in the plan
    #[arg(long, value_name = "NUMBER")]
    rollover: Option<usize>,
    /// Draw what happened over this plan, which --out wrote before, instead of what is planned now
    #[arg(long, value_name = "FILE", conflicts_with = "rollover")]
    over: Option<PathBuf>,
    /// Write the chart as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write a calendar with alarms
    #[arg(long, value_name = "FILE")]
    ics: Option<PathBuf>,
    /// Write the plan as JSON: the bytes whose SHA-256 the sheet and a kept decision name
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write a sheet to be printed, with blanks to sign in, as HTML
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,
}

impl Pictures {
    /// A file holds one zone.
    pub fn check(&self, zones: usize) -> Outcome {
        if self.over.is_some() && self.svg.is_none() && !self.gantt {
            return Err(Failure::new(Exit::Usage, "nothing is drawn over the plan")
                .hint("add --gantt or --svg FILE".to_owned()));
        }
        let files = [&self.svg, &self.ics, &self.sheet, &self.out, &self.over]
            .into_iter()
            .flatten()
            .count();
        if files > 0 && zones != 1 {
            return Err(Failure::new(
                Exit::Usage,
                format!("a picture is of one zone, and these are {zones}"),
            )
            .hint("name the zone: --zone ZONE".to_owned()));
        }
        Ok(())
    }

    /// The steps, or the chart.
    pub fn show(&self, plan: &Plan, zone: &ZoneOfSite, output: &mut Output) -> Outcome {
        if !self.gantt {
            return output.result(text::plan(plan));
        }
        let glyphs = if self.ascii {
            Glyphs::Ascii
        } else {
            Glyphs::Unicode
        };
        let columns = self.columns.or(cli::columns()).map_or(100, |columns| columns);
        self.chart(plan, zone, |chart| {
            output.coloured(coloured(chart, usize::from(columns), glyphs))
        })
    }

    /// The chart that is asked for.
    fn chart(&self, plan: &Plan, zone: &ZoneOfSite, draw: impl FnOnce(&Chart<'_>) -> Outcome) -> Outcome {
        if let Some(path) = &self.over {
            let text = read_text(path)?;
            let planned = Planned::read(&text, &zone.keys).map_err(|error| {
                Failure::from(error).within(format!("{} cannot be drawn over", path.display()))
            })?;
            let (happened, _) = zone.recorded(plan.now);
            return draw(&Chart {
                title: format!("{}: what happened, over the plan of {}", plan.zone, planned.now),
                schedule: &planned.schedule,
                happened: Some(&happened),
                shown: Shown::All,
                from: planned.schedule.since,
                until: planned.until.max(plan.now),
                now: plan.now,
                marks: Vec::new(),
            });
        }
        let chart = match self.rollover {
            None => Chart::of_plan(plan, None),
            Some(number) => Chart::of_rollover(plan, number, None).ok_or_else(|| {
                Failure::new(
                    Exit::Usage,
                    format!(
                        "the plan has no rollover {number}; there are {}",
                        plan.rollovers.len()
                    ),
                )
            })?,
        };
        draw(&chart)
    }

    /// The files.
    pub fn write(&self, plan: &Plan, zone: &ZoneOfSite) -> Outcome {
        if let Some(path) = &self.svg {
            self.chart(plan, zone, |chart| put(path, &svg(chart)))?;
        }
        if let Some(path) = &self.ics {
            put(path, &ics(plan))?;
        }
        if let Some(path) = &self.out {
            put(
                path,
                &json(plan).map_err(|error| Failure::of(Exit::Failed, &error))?,
            )?;
        }
        if let Some(path) = &self.sheet {
            let page = sheet(plan).map_err(|error| Failure::of(Exit::Failed, &error))?;
            put(path, &page)?;
        }
        Ok(())
    }
}

fn put(path: &Path, text: &str) -> Outcome {
    Ok(replace(path, |file| file.write_all(text.as_bytes()))?)
}
