//! `provision`: the storage root key, under which everything else in the TPM is kept.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::Args;
use cli::{Exit, Failure, Outcome, Output, ReportArguments, SiteArguments};
use key_metadata::TokenName;
use serde::Serialize;
use tpm::{AuthValue, Srk, SrkError, SrkState, Tpm};

use crate::site_tpm::choose_tpm;

/// The options of `provision`.
#[derive(Args)]
pub struct Arguments {
    /// The TPM's name in site.yaml; its only one when absent
    #[arg(long, value_name = "NAME")]
    tpm: Option<TokenName>,
    /// Where the owner's authorisation comes from: prompt, file:PATH or fd:NUMBER; needed where it is set
    // Not parsed by clap: its error would quote a secret that was given by mistake.
    #[arg(long, value_name = "SOURCE")]
    owner_auth: Option<OsString>,
    /// Say what would be done, and do nothing
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
    manufacturer: String,
    vendor: String,
    firmware: String,
    software: bool,
    storage_root_key: &'static str,
    handle: &'static str,
    name: Option<String>,
}

const HANDLE: &str = "0x81000001";

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let (name, tcti) = choose_tpm(&folder, self.tpm.as_ref())?;
        let owner_auth = owner_auth(self.owner_auth.as_deref())?;
        let tpm = Tpm::connect(tcti)?;
        let info = tpm.info()?;
        let (done, srk_name) = if self.dry_run {
            match tpm.srk_state(owner_auth.as_ref())? {
                SrkState::Absent => ("would make", None),
                SrkState::Matches { name, .. } => ("is there", Some(name)),
                SrkState::Foreign { name, expected } => {
                    return Err(SrkError::Foreign {
                        tcti: tcti.clone(),
                        name,
                        expected: Some(expected),
                    }
                    .into());
                }
            }
        } else {
            match tpm.ensure_srk(owner_auth.as_ref())? {
                Srk::Created { name } => ("made", Some(name)),
                Srk::Matched { name, .. } => ("is there", Some(name)),
            }
        };
        let report = Report {
            version: 1,
            tpm: name.to_string(),
            manufacturer: info.manufacturer.clone(),
            vendor: info.vendor.clone(),
            firmware: info.firmware.to_string(),
            software: info.is_software(),
            storage_root_key: done,
            handle: HANDLE,
            name: srk_name.map(|name| name.to_string()),
        };
        if self.report.json {
            return output.json(&report);
        }
        let kind = if report.software {
            ", in software: it keeps no key from this host"
        } else {
            ""
        };
        output.line(format!(
            "TPM '{name}': {} {}, firmware {}{kind}",
            report.manufacturer, report.vendor, report.firmware
        ))?;
        output.line(match done {
            "is there" => format!("storage root key {HANDLE} is there, as the TCG template makes it"),
            other => format!("{other} the storage root key {HANDLE}"),
        })?;
        match report.name {
            Some(name) => output.line(format!("its Name: {name}")),
            None => Ok(()),
        }
    }
}

/// The owner's authorisation, where its source was given.
pub fn owner_auth(option: Option<&OsStr>) -> Outcome<Option<AuthValue>> {
    let Some(value) = option else { return Ok(None) };
    let source = cli::parse_pin_source("--owner-auth", value)?;
    let secret = cli::read_pin(
        &source,
        "the TPM owner's authorisation",
        Path::new(""),
        |handle| {
            Err(Failure::new(
                Exit::Usage,
                format!("the owner's authorisation cannot be sealed at {handle} of the TPM that it opens"),
            ))
        },
    )?;
    Ok(Some(AuthValue::from_text(&secret)?))
}
