//! `pcr approve`: a signature of the authority becomes an approval.

use std::path::PathBuf;

use clap::Args;
use cli::{Exit, Failure, Outcome, Output, ReportArguments};
use key_metadata::SiteFolder;
use key_metadata::store::read_bytes;
use serde::Serialize;
use tpm::{SignatureError, Tpm, pcr_policy_digest};

use super::TpmChoice;
use super::values::{ValueArguments, ValueReport, report};

/// The options of `pcr approve`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    tpm: TpmChoice,
    #[command(flatten)]
    values: ValueArguments,
    /// The authority's signature over what `pcr digest` wrote for the same values
    #[arg(long, value_name = "FILE")]
    signature: PathBuf,
    /// Check it, say what would be kept, and keep nothing
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
    approval: String,
}

impl Arguments {
    pub fn run(&self, folder: &SiteFolder, output: &mut Output) -> Outcome {
        let (name, tcti, access) = self.tpm.with_policy(folder)?;
        let signature = read_bytes(&self.signature)?;
        let state = self.values.state(tcti, &access)?;
        let digest = pcr_policy_digest(&state.values);
        let authority = access.authority();
        authority
            .check(digest, &signature)
            .map_err(|error| self.refused(&error, "nothing"))?;
        Tpm::connect(tcti)?
            .takes_approval(authority, digest, &signature)?
            .map_err(|error| self.refused(&error, "nothing to the TPM"))?;
        let path = access.approvals().path(digest);
        if !self.dry_run {
            access.approvals().write(digest, &signature)?;
        }
        if self.report.json {
            return output.json(&Report {
                version: 1,
                tpm: name.to_string(),
                values: report(&state.values),
                policy_digest: digest.to_string(),
                approval: path.display().to_string(),
            });
        }
        for line in state.lines() {
            output.line(line)?;
        }
        let done = if self.dry_run { "would approve" } else { "approved" };
        output.line(format!("{done} this state: {}", path.display()))
    }

    fn refused(&self, error: &SignatureError, what: &str) -> Failure {
        let failure =
            Failure::of(Exit::SaysNo, error).within(format!("{} approves {what}", self.signature.display()));
        failure.hint(
            "give the --value options that pcr digest had, and sign the file that it wrote with the authority's key"
                .to_owned(),
        )
    }
}
