//! `pcr simulate`: an update that is none.

use clap::Args;
use cli::{Outcome, Output, ReportArguments};
use key_metadata::SiteFolder;
use serde::Serialize;
use tpm::Tpm;

use super::TpmChoice;

/// The options of `pcr simulate`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    tpm: TpmChoice,
    #[command(flatten)]
    report: ReportArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    version: u32,
    tpm: String,
    pcr: u8,
    before: String,
    after: String,
}

impl Arguments {
    pub fn run(&self, folder: &SiteFolder, output: &mut Output) -> Outcome {
        let (name, tcti) = self.tpm.choose(folder)?;
        let simulation = Tpm::connect(tcti)?.simulate_update()?;
        if self.report.json {
            return output.json(&Report {
                version: 1,
                tpm: name.to_string(),
                pcr: key_metadata::PcrNumber::DEBUG.into(),
                before: simulation.before.to_string(),
                after: simulation.after.to_string(),
            });
        }
        for line in [
            "sealed data came back while PCR 16 was as approved",
            "PCR 16 was extended: the approval of its old value opened nothing",
            "sealed data came back by the approval of the new value, which was signed before",
            "PCR 16 is reset, and nothing is left in the TPM",
        ] {
            output.line(format!("TPM '{name}': {line}"))?;
        }
        Ok(())
    }
}
