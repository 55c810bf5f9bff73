//! The pictures of a plan, on the terminal and in files.

use std::path::{Path, PathBuf};

use clap::Args;
use cli::{Exit, Failure, Outcome, Output};
use key_metadata::store::replace;
use rollover::pictures::{Chart, Glyphs, coloured, ics, json, sheet, svg};
use rollover::plan::Plan;
use rollover::text;

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
        let files = [&self.svg, &self.ics, &self.sheet, &self.out]
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
    pub fn show(&self, plan: &Plan, output: &mut Output) -> Outcome {
        if !self.gantt {
            return output.result(text::plan(plan));
        }
        let glyphs = if self.ascii {
            Glyphs::Ascii
        } else {
            Glyphs::Unicode
        };
        let columns = self.columns.or(cli::columns()).map_or(100, |columns| columns);
        output.coloured(coloured(&self.chart(plan)?, usize::from(columns), glyphs))
    }

    fn chart<'a>(&self, plan: &'a Plan) -> Outcome<Chart<'a>> {
        let Some(number) = self.rollover else {
            return Ok(Chart::of_plan(plan, None));
        };
        Chart::of_rollover(plan, number, None).ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                format!(
                    "the plan has no rollover {number}; there are {}",
                    plan.rollovers.len()
                ),
            )
        })
    }

    /// The files.
    pub fn write(&self, plan: &Plan) -> Outcome {
        if let Some(path) = &self.svg {
            put(path, &svg(&self.chart(plan)?))?;
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
