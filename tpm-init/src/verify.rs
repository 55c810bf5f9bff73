//! `verify`: everything again, against the report of the provisioning; changes nothing.

use clap::Args;
use cli::{Exit, Failure, Outcome, Output, ReportArguments, SiteArguments};
use tpm_init::report::drift;

use crate::check::everything;
use crate::provision::{digests, read_report};
use crate::target::TargetArguments;

/// The options of `verify`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    target: TargetArguments,
    #[command(flatten)]
    report: ReportArguments,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let (target, given) = self.target.open(site)?;
        let Some(report) = read_report(&target)? else {
            let text = format!(
                "there is no report of a provisioning: {}",
                target.path("report.json").display()
            );
            return Err(
                Failure::new(Exit::Failed, text).hint("keyrite-tpm-init provision writes one".to_owned())
            );
        };
        let of = format!("TPM '{}', against the report of {}", target.name, report.written);
        let mut checked = everything(&target, given)?;
        if let Some(state) = &checked.state {
            checked
                .findings
                .extend(drift(&report, state, &target.places(), &digests(&target)?));
        }
        checked.tell(&of, &self.report, output)
    }
}
