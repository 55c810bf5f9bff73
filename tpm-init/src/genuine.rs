//! Whether a TPM is what its maker certified (to come).
use cli::Outcome;
use tpm::{Info, Tpm};
use tpm_init::Finding;

use crate::look::Look;
use crate::target::Target;

pub struct Endorsement {
    pub finding: Finding,
}

pub fn endorsement_key(_target: &Target, _tpm: &Tpm, _found: &Look) -> Outcome<Endorsement> {
    Ok(Endorsement {
        finding: Finding::unknown("endorsement-key", "not looked at yet", "wait for a later version"),
    })
}
pub fn roca(_tpm: &Tpm, _e: &Endorsement) -> Outcome<Option<String>> {
    Ok(None)
}
pub fn firmware(_i: &Info, _r: Option<String>) -> Outcome<Vec<Finding>> {
    Ok(["roca", "tpm-fail", "firmware-advisories", "firmware-known"]
        .map(|n| Finding::unknown(n, "not looked at yet", "wait for a later version"))
        .to_vec())
}
