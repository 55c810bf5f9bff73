//! `pcr digest`: what the authority signs.

use std::path::PathBuf;

use clap::Args;
use cli::{Outcome, Output, ReportArguments, shell_word};
use key_metadata::SiteFolder;
use key_metadata::store::replace;
use serde::Serialize;
use tpm::{pcr_policy_digest, to_be_approved};

use super::TpmChoice;
use super::values::{ValueArguments, ValueReport, report};

/// The options of `pcr digest`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    tpm: TpmChoice,
    #[command(flatten)]
    values: ValueArguments,
    /// The file for what the authority signs: the policy digest and a fixed text, 43 bytes
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Say what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    report: ReportArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report {
    version: u32,
    tpm: String,
    values: Vec<ValueReport>,
    policy_digest: String,
    file: String,
    sign: String,
}

impl Arguments {
    pub fn run(&self, folder: &SiteFolder, output: &mut Output) -> Outcome {
        let (name, tcti, access) = self.tpm.with_policy(folder)?;
        let state = self.values.state(tcti, &access)?;
        let digest = pcr_policy_digest(&state.values);
        let bytes = to_be_approved(digest);
        if !self.dry_run {
            replace(&self.out, |out| out.write_all(&bytes))?;
        }
        let file = shell_word(&self.out.display().to_string());
        let report = Report {
            version: 1,
            tpm: name.to_string(),
            values: report(&state.values),
            policy_digest: digest.to_string(),
            file: self.out.display().to_string(),
            sign: format!("openssl dgst -sha256 -sign KEY -out {file}.sig {file}"),
        };
        if self.report.json {
            return output.json(&report);
        }
        for line in state.lines() {
            output.line(line)?;
        }
        output.line(format!("policy digest: {digest}"))?;
        let wrote = if self.dry_run { "would write" } else { "wrote" };
        output.line(format!(
            "{wrote} {} bytes to {}; the authority signs them with its key, on its own machine:",
            bytes.len(),
            report.file
        ))?;
        output.line(format!("  {}", report.sign))
    }
}
