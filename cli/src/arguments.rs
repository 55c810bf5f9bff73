//! Options that several tools have.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use key_metadata::{PinSource, SiteFolder, TokenName, TpmHandle};
use secrecy::SecretString;

use crate::failure::Outcome;
use crate::pin::{parse_pin_source, read_pin};

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
        let (source, folder) = match (
            &self.pin,
            site.site().tokens.get(token).and_then(|entry| entry.pin.clone()),
        ) {
            (Some(option), _) => (parse_pin_source("--pin", option)?, Path::new("")),
            (None, Some(source)) => (source, self.site.as_path()),
            (None, None) => (PinSource::Prompt, Path::new("")),
        };
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
