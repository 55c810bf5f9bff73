//! The checks of a TPM, each a verdict on what was seen. Their order is that of the procedure.

mod nature;
mod setup;

use std::collections::BTreeMap;

use key_metadata::site::SiteWord;

use crate::finding::{Finding, Verdict};
use crate::planner::Known;
use crate::state::{AuthState, Place, TpmState};

pub use nature::{Make, capabilities, hierarchies, identity, self_test};
pub use setup::{
    LockoutProbe, auth_values, bus_protection, clear, dictionary_attack, evidence, ownership, resume,
    storage_root_key,
};

/// The names of all checks, in their order.
pub const NAMES: [&str; 20] = [
    "self-test",
    "identity",
    "hierarchies",
    "ownership",
    "capabilities",
    "endorsement-key",
    "roca",
    "tpm-fail",
    "firmware-advisories",
    "firmware-known",
    "rng",
    "storage-root-key",
    "bus-protection",
    "auth-values",
    "dictionary-attack",
    "clear",
    "log-identity",
    "pcr-policy",
    "evidence",
    "resume",
];

/// The checks whose "no" a site may take on itself (`accepted` in site.yaml): they are about what the TPM is, not about how it is set up.
pub const ACCEPTABLE: [&str; 7] = [
    "identity",
    "hierarchies",
    "endorsement-key",
    "roca",
    "tpm-fail",
    "firmware-advisories",
    "firmware-known",
];

/// Turns what the site has accepted into a warning that says so.
pub fn accept(findings: &mut [Finding], accepted: &BTreeMap<SiteWord, String>) {
    for finding in findings {
        let taken = accepted
            .iter()
            .find(|(check, _)| check.to_string() == finding.check);
        if let Some((_, why)) = taken
            && finding.verdict.says_no()
            && ACCEPTABLE.contains(&finding.check.as_str())
        {
            finding
                .evidence
                .push_str(&format!("; accepted in site.yaml: {why}"));
            finding.verdict = Verdict::Warn;
            finding.remedy = None;
        }
    }
}

/// What can still be said of a TPM in failure mode: nothing but that.
pub fn failed(failure: &str) -> Vec<Finding> {
    let remedy = "power the machine off and on; if it stays so, the TPM is broken: restore the keys from their backups on another";
    let mut findings = vec![Finding::fail(
        "self-test",
        format!("the TPM is in failure mode: {failure}"),
        remedy,
    )];
    findings.extend(NAMES.into_iter().skip(1).map(|name| Finding {
        check: name.to_owned(),
        verdict: Verdict::Unknown,
        evidence: "a TPM in failure mode answers nothing".to_owned(),
        remedy: None,
    }));
    findings
}

/// What a TPM is, in words for people; the first is the most pressing.
pub fn conditions(state: &TpmState, known: &Known, probe: LockoutProbe) -> Vec<&'static str> {
    let mut conditions = Vec::new();
    if state.in_lockout {
        conditions.push("locked out");
    }
    if !state.in_lockout && matches!(probe, LockoutProbe::Blocked(_)) {
        conditions.push("its lockout hierarchy blocked");
    }
    if known.identity.is_none() && !setup::not_delivered(state, known).is_empty() {
        conditions.push("owned by someone else");
    }
    let auths = [state.owner_auth, state.endorsement_auth, state.lockout_auth];
    let fresh = auths.iter().all(|auth| *auth == AuthState::Empty) && state.storage_root_key == Place::Absent;
    let pinned = known
        .identity
        .as_ref()
        .map(|identity| identity.storage_root_key.to_string());
    if pinned.is_some() && state.storage_root_key.name() != pinned.as_deref() {
        conditions.push("cleared, or another TPM than the one that was provisioned");
    } else if known.interrupted {
        conditions.push("part-way through its provisioning");
    } else if fresh && known.identity.is_none() {
        conditions.push("fresh");
    } else if known.identity.is_some() && known.reported {
        conditions.push("provisioned");
    }
    if state.clear_disabled && known.identity.is_none() {
        conditions.push("its clearing disabled");
    }
    if conditions.is_empty() {
        conditions.push("in use, and not provisioned");
    }
    conditions
}
