//! What the verbs that set a PIN have in common.

use clap::Args as ClapArgs;
use cli::{Outcome, Output, ReportArguments, SiteArguments};

use crate::token::Chosen;
use crate::token::chosen::{ChoiceArguments, LoginArguments, SoPinArguments};
use crate::token::new_pin::NewPinArguments;
use crate::token::report::Report;

/// Their options.
#[derive(ClapArgs)]
pub struct PinArguments {
    #[command(flatten)]
    choice: ChoiceArguments,
    #[command(flatten)]
    pub so_pin: SoPinArguments,
    #[command(flatten)]
    pub new: NewPinArguments,
    #[command(flatten)]
    pub login: LoginArguments,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    report: ReportArguments,
}

impl PinArguments {
    /// Sets a PIN of the chosen token, and tells what was done.
    pub fn run(
        &self,
        site: &SiteArguments,
        output: &mut Output,
        set: impl FnOnce(&Chosen<'_>, &Output) -> Outcome<Vec<String>>,
    ) -> Outcome {
        let folder = site.open()?;
        let chosen = Chosen::new(site, &folder, self.choice.token.as_ref())?;
        let done = set(&chosen, output)?;
        let mut report = Report::new();
        report.add(chosen.name, done, &self.report, output)?;
        report.end(&self.report, output)
    }
}
