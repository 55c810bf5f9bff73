//! `pcr show`: what is in the PCRs, whether it is approved, and what is sealed under the policy.

use clap::Args;
use cli::{Outcome, Output, ReportArguments};
use key_metadata::{PcrPolicy, SiteFolder};
use serde::Serialize;
use tpm::{ApprovalError, Guard, PcrAccess, Tpm, pcr_policy_digest};

use super::TpmChoice;
use super::values::{ValueReport, report};

/// The options of `pcr show`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    tpm: TpmChoice,
    #[command(flatten)]
    report: ReportArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report {
    version: u32,
    tpm: String,
    policy: Option<PolicyReport>,
    pins: Vec<PinReport>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct PolicyReport {
    authority: String,
    authority_kind: &'static str,
    authority_name: String,
    values: Vec<ValueReport>,
    policy_digest: String,
    approval: String,
    approved: Approved,
}

/// Whether the present state is approved.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Approved {
    Yes,
    Missing,
    Refused,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct PinReport {
    handle: String,
    sealed: Sealed,
}

/// How a PIN of the site is sealed.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Sealed {
    Nothing,
    TpmOnly,
    PcrPolicy,
    OtherPolicy,
}

impl Arguments {
    pub fn run(&self, folder: &SiteFolder, output: &mut Output) -> Outcome {
        let (name, tcti) = self.tpm.choose(folder)?;
        let access = PcrAccess::of_site(folder, name)?;
        let tpm = Tpm::connect(tcti)?;
        let setup = folder.site().tpm_setup(name).pcr_policy;
        let policy = match (&setup, &access) {
            (Some(setup), Some(access)) => Some(policy(&tpm, setup, access)?),
            (None, _) | (_, None) => None,
        };
        let mut pins = Vec::new();
        for handle in folder.site().sealed_pins() {
            pins.push(PinReport {
                handle: handle.to_string(),
                sealed: Sealed::of(tpm.guard(handle)?, access.as_ref()),
            });
        }
        let report = Report {
            version: 1,
            tpm: name.to_string(),
            policy,
            pins,
        };
        if self.report.json {
            return output.json(&report);
        }
        match &report.policy {
            Some(policy) => policy.lines(&report.tpm, output)?,
            None => output.line(format!(
                "TPM '{name}': no PCR policy; new PINs are bound to the TPM only"
            ))?,
        }
        for pin in &report.pins {
            output.line(format!("PIN at {}: {}", pin.handle, pin.sealed.text()))?;
        }
        Ok(())
    }
}

fn policy(tpm: &Tpm, setup: &PcrPolicy, access: &PcrAccess) -> Outcome<PolicyReport> {
    let values = tpm.pcr_values(access.pcrs())?;
    let digest = pcr_policy_digest(&values);
    let approved = match tpm.check_approval(access) {
        Ok(()) => Approved::Yes,
        Err(ApprovalError::Missing { .. }) => Approved::Missing,
        Err(ApprovalError::Refused { .. }) => Approved::Refused,
        Err(error) => return Err(error.into()),
    };
    Ok(PolicyReport {
        authority: setup.authority.display().to_string(),
        authority_kind: access.authority().kind(),
        authority_name: access.authority().name().to_string(),
        values: report(&values),
        policy_digest: digest.to_string(),
        approval: access.approvals().path(digest).display().to_string(),
        approved,
    })
}

impl PolicyReport {
    fn lines(&self, tpm: &str, output: &mut Output) -> Outcome {
        output.line(format!(
            "TPM '{tpm}': new PINs are sealed under a PCR policy, whose authority is {} ({})",
            self.authority, self.authority_kind
        ))?;
        for ValueReport { pcr, value } in &self.values {
            output.line(format!("PCR {pcr}: {value}"))?;
        }
        output.line(format!("policy digest: {}", self.policy_digest))?;
        let file = &self.approval;
        output.line(match self.approved {
            Approved::Yes => format!("approved by {file}"),
            Approved::Missing => format!("not approved: there is no {file}"),
            Approved::Refused => {
                format!("not approved: {file} is not the authority's signature for this state")
            }
        })
    }
}

impl Sealed {
    fn of(guard: Option<Guard>, access: Option<&PcrAccess>) -> Self {
        match (guard, access) {
            (None, _) => Self::Nothing,
            (Some(Guard::Lockout | Guard::Unseal), _) => Self::TpmOnly,
            (Some(Guard::Policy(digest)), Some(access)) if digest == access.authority().policy_digest() => {
                Self::PcrPolicy
            }
            (Some(Guard::Policy(_)), _) => Self::OtherPolicy,
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Nothing => "nothing of Keyrite's is sealed there",
            Self::TpmOnly => "bound to the TPM only, as it was sealed",
            Self::PcrPolicy => "under the policy",
            Self::OtherPolicy => "under another policy than the site's",
        }
    }
}
