//! `print`: the script as people hold it on paper.

use std::path::{Path, PathBuf};

use ceremony::print::{Form, print};
use clap::Args;
use cli::{Exit, Failure, Outcome, Output, SiteArguments};
use key_metadata::store::{read_text, replace};

/// The options of `print`.
#[derive(Args)]
pub struct Arguments {
    /// The script
    #[arg(value_name = "SCRIPT")]
    script: PathBuf,
    /// As HTML, to be printed from a browser, which is done too when neither is said
    #[arg(long, conflicts_with = "text")]
    html: bool,
    /// As plain text: 80 columns, 60 lines a page
    #[arg(long)]
    text: bool,
    /// The file to write; stdout when absent, or for -
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Arguments {
    pub fn run(&self, _site: &SiteArguments, output: &mut Output) -> Outcome {
        let form = if self.text { Form::Text } else { Form::Html };
        let text = read_text(&self.script)?;
        let paper = print(&text, form).map_err(|error| of_script(&self.script, &error))?;
        match &self.out {
            Some(path) if path != Path::new("-") => {
                Ok(replace(path, |file| file.write_all(paper.as_bytes()))?)
            }
            Some(_) | None => output.result(paper),
        }
    }
}

/// A script that is none.
pub fn of_script(script: &Path, error: &dyn std::error::Error) -> Failure {
    Failure::of(Exit::Failed, error)
        .within(format!("{} is no script", script.display()))
        .hint(format!("keyrite-ceremony check {}", script.display()))
}
