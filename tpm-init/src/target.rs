//! The TPM that a verb works on, and the auth values that its user gives.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::Args;
use cli::{Exit, Failure, Outcome, SiteArguments};
use key_metadata::{Recipient, SiteFolder, Tcti, TokenName, TpmHandle, TpmSetup};
use tpm::AuthValue;
use tpm_init::step::HierarchyName;

use crate::site_tpm::choose_tpm;

/// Which TPM of the site, and what is known of its auth values.
#[derive(Args)]
pub struct TargetArguments {
    /// The TPM's name in site.yaml; its only one when absent
    #[arg(long, value_name = "NAME")]
    tpm: Option<TokenName>,
    // None of these is parsed by clap: its error would quote a secret that was given by mistake.
    /// Where the owner auth comes from, if it is set: prompt, file:PATH or fd:NUMBER
    #[arg(long, value_name = "SOURCE")]
    owner_auth: Option<OsString>,
    /// Where the endorsement auth comes from, if it is set
    #[arg(long, value_name = "SOURCE")]
    endorsement_auth: Option<OsString>,
    /// Where the lockout auth comes from, if it is set; a wrong one blocks the TPM's lockout hierarchy
    #[arg(long, value_name = "SOURCE")]
    lockout_auth: Option<OsString>,
}

/// A TPM of a site.
pub struct Target {
    /// The site.
    pub folder: SiteFolder,
    /// The TPM's name in it.
    pub name: TokenName,
    /// Where it is.
    pub tcti: Tcti,
    /// How it is set up.
    pub setup: TpmSetup,
}

/// Auth values, by whose they are.
pub type Auths = BTreeMap<HierarchyName, AuthValue>;

impl TargetArguments {
    /// Opens the site, finds the TPM and reads the auth values.
    pub fn open(&self, site: &SiteArguments) -> Outcome<(Target, Auths)> {
        let folder = site.open()?;
        let (name, tcti) = choose_tpm(&folder, self.tpm.as_ref())?;
        let (name, tcti) = (name.clone(), tcti.clone());
        let mut given = Auths::new();
        for (hierarchy, option) in [
            (HierarchyName::Owner, &self.owner_auth),
            (HierarchyName::Endorsement, &self.endorsement_auth),
            (HierarchyName::Lockout, &self.lockout_auth),
        ] {
            if let Some(auth) = read_auth(hierarchy, option.as_deref())? {
                given.insert(hierarchy, auth);
            }
        }
        let setup = folder.site().tpm_setup(&name);
        let target = Target {
            folder,
            name,
            tcti,
            setup,
        };
        Ok((target, given))
    }
}

impl Target {
    /// A file about this TPM.
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.tpm_path(&self.name, file)
    }

    /// The handles and indices that the site names: what is there is not foreign.
    pub fn places(&self) -> Vec<String> {
        let pins = self.folder.site().sealed_pins().map(|handle| handle.to_string());
        self.setup
            .places()
            .chain(pins)
            .chain([TpmHandle::SRK.to_string()])
            .collect()
    }

    /// The custodians of the site, by name.
    pub fn custodians(&self) -> BTreeMap<String, Recipient> {
        let custodians = &self.folder.site().custodians;
        custodians
            .iter()
            .map(|(name, recipient)| (name.to_string(), recipient.clone()))
            .collect()
    }
}

/// A hierarchy's auth value, where its source was given.
pub fn read_auth(hierarchy: HierarchyName, option: Option<&OsStr>) -> Outcome<Option<AuthValue>> {
    let Some(value) = option else { return Ok(None) };
    let source = cli::parse_pin_source(&format!("--{hierarchy}-auth"), value)?;
    let secret = cli::read_pin(
        &source,
        &format!("the {hierarchy} auth"),
        Path::new(""),
        |handle| {
            let failure = Failure::new(
                Exit::Usage,
                format!("the {hierarchy} auth is not taken from {handle} by an option"),
            );
            Err(failure.hint(format!(
                "say in site.yaml where it is sealed: setup: {{{hierarchy}-auth: tpm:{handle}}}"
            )))
        },
    )?;
    Ok(Some(AuthValue::from_text(&secret)?))
}
