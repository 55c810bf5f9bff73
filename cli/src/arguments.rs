//! Options that several tools have.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use key_metadata::{SiteFolder, TokenName, TpmHandle};
use secrecy::SecretString;

use crate::failure::Outcome;
use crate::pin::{pin_source, read_pin};

/// The site that a command works on.
#[derive(Args, Debug)]
pub struct SiteArguments {
    /// The site's folder, with its site.yaml
    #[arg(long, value_name = "FOLDER", default_value = ".", global = true)]
    pub site: PathBuf,
    /// Who runs this, for the record; the user id when absent
    #[arg(long, value_name = "NAME", global = true)]
    pub operator: Option<String>,
    /// Where the user PIN comes from: prompt, file:PATH, fd:NUMBER or tpm:HANDLE; as in site.yaml when absent
    // Not parsed by clap: its error would quote a PIN that was given by mistake.
    #[arg(long, value_name = "SOURCE", global = true)]
    pub pin: Option<OsString>,
}

impl SiteArguments {
    /// Opens the site.
    pub fn open(&self) -> Outcome<SiteFolder> {
        Ok(SiteFolder::open(&self.site)?)
    }

    /// The user PIN of a token: from `--pin`, else from where `site.yaml` says, else asked for. `unseal` asks the site's TPM.
    pub fn user_pin(
        &self,
        site: &SiteFolder,
        token: &TokenName,
        unseal: impl FnOnce(TpmHandle) -> Outcome<SecretString>,
    ) -> Outcome<SecretString> {
        let what = format!("the user PIN of token '{token}'");
        let of_site = site.site().tokens.get(token).and_then(|entry| entry.pin.as_ref());
        let (source, folder) = pin_source(("--pin", self.pin.as_deref()), of_site, &self.site)?;
        read_pin(&source, &what, folder, unseal)
    }
}

/// How a report is given.
#[derive(Args, Debug)]
pub struct ReportArguments {
    /// Print JSON, for machines
    #[arg(long)]
    pub json: bool,
}
