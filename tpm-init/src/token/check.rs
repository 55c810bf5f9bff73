//! `token check`: the findings about one token.

use clap::Args as ClapArgs;
use cli::{Exit, Failure, Outcome, Output, ReportArguments, SiteArguments, table};
use serde::Serialize;
use tpm_init::Finding;

use crate::token::Chosen;
use crate::token::chosen::ChoiceArguments;
use crate::token_check::{findings, pin_refused};

/// The options of `token check`.
#[derive(ClapArgs)]
pub struct Arguments {
    #[command(flatten)]
    choice: ChoiceArguments,
    #[command(flatten)]
    report: ReportArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    version: u32,
    token: String,
    findings: Vec<Finding>,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let name = Chosen::new(site, &folder, self.choice.token.as_ref())?.name;
        let findings = findings(site, &folder, name)?;
        let no = findings
            .iter()
            .filter(|finding| finding.verdict.says_no())
            .count();
        let all = findings.len();
        let exit = match pin_refused(&findings) {
            true => Exit::Credential,
            false => Exit::SaysNo,
        };
        if self.report.json {
            let token = name.to_string();
            output.json(&Report {
                version: 1,
                token,
                findings,
            })?;
        } else {
            output.result(table(
                ["check", "verdict", "evidence"],
                findings.iter().flat_map(rows),
            ))?;
        }
        match no {
            0 => Ok(()),
            _ => Err(Failure::new(
                exit,
                format!("{no} of {all} checks of token '{name}' say no"),
            )),
        }
    }
}

/// A finding's row, and one with what to do about it.
fn rows(finding: &Finding) -> impl Iterator<Item = [String; 3]> {
    let row = [
        finding.check.clone(),
        finding.verdict.to_string(),
        finding.evidence.clone(),
    ];
    let remedy = finding
        .remedy
        .as_ref()
        .map(|remedy| [String::new(), String::new(), format!("hint: {remedy}")]);
    std::iter::once(row).chain(remedy)
}
