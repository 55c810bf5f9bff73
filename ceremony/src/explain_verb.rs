//! `explain`: what a script will bring, in advance.

use std::path::PathBuf;

use ceremony::explain::explain;
use clap::Args;
use cli::{Outcome, Output, ReportArguments, SiteArguments};
use key_metadata::store::read_text;

use crate::print_verb::of_script;

/// The options of `explain`.
#[derive(Args)]
pub struct Arguments {
    /// The script
    #[arg(value_name = "SCRIPT")]
    script: PathBuf,
    #[command(flatten)]
    report: ReportArguments,
}

impl Arguments {
    pub fn run(&self, _site: &SiteArguments, output: &mut Output) -> Outcome {
        let text = read_text(&self.script)?;
        let explanation = explain(&text).map_err(|error| of_script(&self.script, &error))?;
        if self.report.json {
            return output.json(&explanation);
        }
        output.result(explanation.to_string())
    }
}
