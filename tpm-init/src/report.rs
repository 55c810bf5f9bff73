//! The report of a provisioning: what the TPM was, what was done, what it is, and what the checks said.

use std::collections::{BTreeMap, BTreeSet};

use key_metadata::Time;
use serde::{Deserialize, Serialize};

use crate::finding::Finding;
use crate::random_test::FirstBlocks;
use crate::state::{Kept, Place, TpmState};
use crate::step::{Delivery, HierarchyName, Step};

/// `tpm/<name>/report.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Report {
    /// Always 1.
    pub version: u32,
    /// The TPM's name in `site.yaml`.
    pub tpm: String,
    /// When it was written.
    pub written: Time,
    /// By whom.
    pub operator: String,
    /// The tool, and its version.
    pub tool: String,
    /// What the TPM was.
    pub before: TpmState,
    /// What was done, in this order.
    pub steps: Vec<Step>,
    /// What the TPM is.
    pub after: TpmState,
    /// Who has which auth value.
    pub auths: BTreeMap<HierarchyName, Delivery>,
    /// What the checks said afterwards.
    pub findings: Vec<Finding>,
    /// SHA-256 of the files beside it that the TPM cannot be managed without: its identity, and the auth values for the custodians.
    pub files: BTreeMap<String, String>,
    /// Digests of the first blocks of the generator's output, which no later output may repeat.
    pub random: FirstBlocks,
}

/// How the TPM differs from what the report says it became, each difference named `drift`. What the site sealed or wrote since, at places
/// of its own, is none.
pub fn drift(
    report: &Report,
    now: &TpmState,
    places: &[String],
    files: &BTreeMap<String, String>,
) -> Vec<Finding> {
    let after = &report.after;
    let mut found = Vec::new();
    let mut differ = |what: &str, then: String, now: String| {
        if then != now {
            found.push(Finding::fail(
                "drift",
                format!("{what} was {then}, and is {now}"),
                "find out who changed it and why; then provision again, or use another TPM",
            ));
        }
    };
    let digest = |digest: Option<&String>| digest.map_or_else(|| "absent".to_owned(), ToOwned::to_owned);
    let names: BTreeSet<_> = report.files.keys().chain(files.keys()).collect();
    for name in names {
        differ(
            &format!("the SHA-256 of {name}"),
            digest(report.files.get(name)),
            digest(files.get(name)),
        );
    }
    let maker = |state: &TpmState| format!("{} {}", state.manufacturer, state.vendor);
    differ("the TPM", maker(after), maker(now));
    differ("the firmware", after.firmware.clone(), now.firmware.clone());
    for (what, then, now) in [
        ("the owner auth", after.owner_auth, now.owner_auth),
        (
            "the endorsement auth",
            after.endorsement_auth,
            now.endorsement_auth,
        ),
        ("the lockout auth", after.lockout_auth, now.lockout_auth),
    ] {
        differ(what, then.to_string(), now.to_string());
    }
    let switch = |on: bool| if on { "on" } else { "off" }.to_owned();
    differ("the lockout", switch(after.in_lockout), switch(now.in_lockout));
    let clearing = |state: &TpmState| switch(!state.clear_disabled);
    differ("TPM2_Clear", clearing(after), clearing(now));
    differ(
        "the dictionary-attack protection",
        after.protection.to_string(),
        now.protection.to_string(),
    );
    for (what, then, now) in [
        (
            "the storage root key",
            &after.storage_root_key,
            &now.storage_root_key,
        ),
        (
            "the attestation key",
            &after.attestation_key,
            &now.attestation_key,
        ),
    ] {
        differ(what, name(then), name(now));
    }
    // A log index gets another Name when it is first written; that it is still ours is what counts.
    for (what, then, now) in [
        ("the log index", &after.log_index, &now.log_index),
        ("the log counter", &after.log_counter, &now.log_counter),
    ] {
        differ(what, whose(then), whose(now));
    }
    let all = |state: &TpmState| -> BTreeMap<String, Kept> {
        let kept = state.persistent.iter().chain(&state.nv);
        kept.filter(|kept| !places.contains(&kept.handle))
            .map(|kept| (kept.handle.clone(), kept.clone()))
            .collect()
    };
    let (then, now) = (all(after), all(now));
    let text = |kept: Option<&Kept>| {
        kept.map_or_else(
            || "absent".to_owned(),
            |kept| format!("{}, Name {}", kept.what, kept.name),
        )
    };
    let handles: BTreeSet<_> = then.keys().chain(now.keys()).collect();
    for handle in handles {
        differ(
            &format!("what is at {handle}"),
            text(then.get(handle)),
            text(now.get(handle)),
        );
    }
    found
}

fn name(place: &Place) -> String {
    place
        .name()
        .map_or_else(|| "absent".to_owned(), ToOwned::to_owned)
}

fn whose(place: &Place) -> String {
    match place {
        Place::Absent => "absent",
        Place::Ours { .. } | Place::Unproved { .. } => "ours",
        Place::Foreign { .. } => "foreign",
    }
    .to_owned()
}

#[cfg(test)]
#[path = "tests/report.rs"]
mod tests;
