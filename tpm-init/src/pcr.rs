//! `pcr`: the PCR policy of a TPM, and approvals of the machine's states.

mod approve;
mod digest;
mod show;
mod simulate;
mod values;

use clap::{Args, Subcommand};
use cli::{Exit, Failure, Outcome, Output, SiteArguments};
use key_metadata::{SiteFolder, Tcti, TokenName};
use tpm::PcrAccess;

use crate::site_tpm::choose_tpm;

/// The verbs of `pcr`.
#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Show what is in the PCRs, and whether it is approved
    Show(show::Arguments),
    /// Write what the authority signs to approve a state of the machine, the present one or one to come
    Digest(digest::Arguments),
    /// Check a signature of the authority, and keep it in the site as an approval
    Approve(approve::Arguments),
    /// Prove on this TPM that sealed data survive an update: with a throwaway authority and PCR 16, which is reset
    Simulate(simulate::Arguments),
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        match &self.verb {
            Verb::Show(verb) => verb.run(&folder, output),
            Verb::Digest(verb) => verb.run(&folder, output),
            Verb::Approve(verb) => verb.run(&folder, output),
            Verb::Simulate(verb) => verb.run(&folder, output),
        }
    }
}

/// Which TPM.
#[derive(Args)]
struct TpmChoice {
    /// The TPM's name in site.yaml; its only one when absent
    #[arg(long, value_name = "NAME")]
    tpm: Option<TokenName>,
}

impl TpmChoice {
    fn choose<'a>(&self, folder: &'a SiteFolder) -> Outcome<(&'a TokenName, &'a Tcti)> {
        choose_tpm(folder, self.tpm.as_ref())
    }

    /// The same, and its PCR policy, which it must have.
    fn with_policy<'a>(&self, folder: &'a SiteFolder) -> Outcome<(&'a TokenName, &'a Tcti, PcrAccess)> {
        let (name, tcti) = self.choose(folder)?;
        match PcrAccess::of_site(folder, name)? {
            Some(access) => Ok((name, tcti, access)),
            None => Err(
                Failure::new(Exit::Usage, format!("TPM '{name}' has no PCR policy")).hint(format!(
                    "give it one in site.yaml: tokens.{name}.setup.pcr-policy: {{authority: FILE.pem, pcrs: [7]}}"
                )),
            ),
        }
    }
}
