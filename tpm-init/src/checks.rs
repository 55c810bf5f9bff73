//! The checks of a TPM, each a verdict on what was seen. Their order is that of the procedure.

use std::collections::BTreeMap;

use key_metadata::TpmIdentity;
use key_metadata::site::SiteWord;
use tpm::{Enabled, Lockout, Platform, Room, SelfTest};

use crate::finding::{Finding, Verdict};
use crate::plan::Known;
use crate::state::{AuthState, Place, Protection, TpmState};
use crate::step::HierarchyName;

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

/// 1: TPM2_SelfTest(full) and TPM2_GetTestResult.
pub fn self_test(test: &SelfTest) -> Finding {
    let details = test
        .details
        .as_ref()
        .filter(|details| !details.is_empty())
        .map_or(String::new(), |details| format!("; test result {details}"));
    match &test.failure {
        None => Finding::pass("self-test", format!("all its tests passed{details}")),
        Some(failure) => Finding::fail(
            "self-test",
            format!("{failure}{details}"),
            "power the machine off and on; if it fails again, use another TPM",
        ),
    }
}

/// Whether a TPM keeps its keys from the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    /// A chip, or a processor's firmware.
    Hardware,
    /// Software, or a hypervisor.
    Software,
}

/// 2: what it is. A software TPM is refused unless the site accepts it.
pub fn identity(state: &TpmState, make: Make) -> Finding {
    let revision = f64::from(state.revision) / 100.0;
    let what = format!(
        "{} {}, firmware {}, specification {revision:.2}",
        state.manufacturer, state.vendor, state.firmware
    );
    match make {
        Make::Hardware => Finding::pass("identity", what),
        Make::Software => Finding::fail(
            "identity",
            format!("{what}: a TPM in software, which keeps no key from this host"),
            "use a hardware TPM; for a rehearsal, accept it in site.yaml: setup: {accepted: {identity: who and why}}",
        ),
    }
}

/// 3: the hierarchies are enabled, and the platform's, which is the firmware's, is closed.
pub fn hierarchies(enabled: Enabled, platform: Platform, make: Make) -> Finding {
    let off = [(enabled.owner, "owner"), (enabled.endorsement, "endorsement")];
    if let Some((_, name)) = off.into_iter().find(|(on, _)| !on) {
        return Finding::fail(
            "hierarchies",
            format!("the {name} hierarchy is disabled"),
            "enable it in the firmware's set-up",
        );
    }
    match (platform, make) {
        (Platform::Disabled, _) => {
            Finding::pass("hierarchies", "owner and endorsement enabled, platform disabled")
        }
        (Platform::AuthSet, _) => Finding::pass(
            "hierarchies",
            "owner and endorsement enabled, the platform's auth is the firmware's",
        ),
        (Platform::AuthEmpty, Make::Hardware) => Finding::fail(
            "hierarchies",
            "the platform auth is empty: whoever is root here clears the TPM, and enables what is disabled",
            "update the machine's firmware, which should close the platform hierarchy at every start",
        ),
        (Platform::AuthEmpty, Make::Software) => Finding::warn(
            "hierarchies",
            "the platform auth is empty, as no firmware sets it for a TPM in software",
            "expect it of software; on hardware it would be a fail",
        ),
    }
}

/// What the site knows to be in the TPM, beside what is set up.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// The handles and indices that the site names: its own things, and its sealed PINs.
    pub places: Vec<String>,
}

/// Handles and indices that manufacturers fill: endorsement keys, and the certificates for them (TCG EK Credential Profile 2.x, 2.2.1).
fn manufacturers(handle: &str) -> bool {
    handle.starts_with("0x01c0") || ["0x81010001", "0x81010002", "0x81010016"].contains(&handle)
}

/// 4: whose it is, and what is in it.
pub fn ownership(state: &TpmState, known: &Known, expected: &Expected) -> Finding {
    let in_our_place = [
        &state.storage_root_key,
        &state.attestation_key,
        &state.log_index,
        &state.log_counter,
    ]
    .map(|place| match place {
        Place::Foreign { name } => Some(name),
        Place::Absent | Place::Ours { .. } | Place::Unproved { .. } => None,
    });
    let foreign: Vec<String> = state
        .persistent
        .iter()
        .chain(&state.nv)
        .filter(|kept| !manufacturers(&kept.handle))
        .filter(|kept| !expected.places.contains(&kept.handle) || in_our_place.contains(&Some(&kept.name)))
        .map(|kept| format!("{} {}, Name {}", kept.handle, kept.what, kept.name))
        .collect();
    let sets = [
        (state.owner_auth, HierarchyName::Owner),
        (state.endorsement_auth, HierarchyName::Endorsement),
        (state.lockout_auth, HierarchyName::Lockout),
    ];
    let others: Vec<String> = sets
        .into_iter()
        .filter(|(auth, hierarchy)| *auth == AuthState::Set && !known.delivered.contains(hierarchy))
        .map(|(_, hierarchy)| hierarchy.to_string())
        .collect();
    if !others.is_empty() {
        return Finding::fail(
            "ownership",
            format!(
                "owned by someone else: the {} auth is set, and not by this site",
                others.join(" and ")
            ),
            "give what is known to provision (--owner-auth and so on), or clear the TPM: provision --clear, or in the firmware's set-up",
        );
    }
    if !foreign.is_empty() {
        return Finding::warn(
            "ownership",
            format!("it also holds: {}", foreign.join("; ")),
            "see whose it is; nothing of it is removed but by provision --remove HANDLE",
        );
    }
    let whose = if known.delivered.is_empty() {
        "nobody's yet"
    } else {
        "this site's"
    };
    let count = state.persistent.len() + state.nv.len();
    Finding::pass(
        "ownership",
        format!("{whose}; {count} objects, none of them foreign"),
    )
}

/// 5: what it can do, and room for what provisioning puts into it.
pub fn capabilities(lacks: &[&str], keys: &[String], room: Room, objects_to_come: u32) -> Finding {
    let mut missing: Vec<&str> = lacks.to_vec();
    for key in ["ECDSAP256SHA256", "RSASHA256"] {
        if !keys.iter().any(|offered| offered.starts_with(key)) {
            missing.push(key);
        }
    }
    if !missing.is_empty() {
        return Finding::fail(
            "capabilities",
            format!("it lacks {}", missing.join(", ")),
            "use another TPM",
        );
    }
    if room.transient < 3 {
        return Finding::fail(
            "capabilities",
            format!(
                "it holds {} transient objects at a time, and 3 are needed",
                room.transient
            ),
            "use another TPM",
        );
    }
    if objects_to_come > 0 && room.persistent_left < objects_to_come {
        return Finding::fail(
            "capabilities",
            format!(
                "its storage is full: by its own estimate there is room for {} persistent objects, and {objects_to_come} are to come",
                room.persistent_left
            ),
            "have removed what nobody needs: provision --remove HANDLE (see ownership)",
        );
    }
    Finding::pass(
        "capabilities",
        format!(
            "makes {}; room for {} persistent objects and {} counters",
            keys.join(", "),
            room.persistent_left,
            room.counters_left
        ),
    )
}

/// 12: the storage root key, and that it is the one that is pinned.
pub fn storage_root_key(place: &Place, identity: Option<&TpmIdentity>) -> Finding {
    let check = "storage-root-key";
    let pinned = identity.map(|identity| identity.storage_root_key.to_string());
    let provision = "keyrite-tpm-init provision";
    match (place, pinned) {
        (Place::Absent, None) => Finding::fail(check, "there is none at 0x81000001", provision),
        (Place::Absent, Some(pinned)) => Finding::fail(
            check,
            format!("there is none, but {pinned} is pinned: the TPM was cleared, or it is another one"),
            "connect the right TPM; if it was cleared, its keys are lost: provision --another-tpm, and restore the backups",
        ),
        (Place::Ours { name }, None) => Finding::unknown(
            check,
            format!("{name}, as this TPM makes it from a known template; it is not pinned yet"),
            provision,
        ),
        (Place::Ours { name }, Some(pinned)) if *name == pinned => {
            Finding::pass(check, format!("{name}, which is pinned"))
        }
        (Place::Ours { name } | Place::Unproved { name } | Place::Foreign { name }, Some(pinned)) => {
            Finding::fail(
                check,
                format!(
                    "{name}, but {pinned} is pinned: the TPM was cleared and set up again, or it is another one"
                ),
                "connect the right TPM; if it was cleared, its keys are lost: provision --another-tpm, and restore the backups",
            )
        }
        (Place::Unproved { name }, None) => Finding::unknown(
            check,
            format!(
                "{name} has the form of a storage root key; to make it again for comparison takes the owner auth"
            ),
            "give it: check --owner-auth SOURCE",
        ),
        (Place::Foreign { name }, None) => Finding::fail(
            check,
            format!("a foreign object is there, with the Name {name}"),
            "see whose it is, then: provision --remove 0x81000001",
        ),
    }
}

/// 13: sessions are salted to the pinned key, and encrypt what is secret.
pub fn bus_protection(salted: Result<(), String>, identity: Option<&TpmIdentity>) -> Finding {
    match (salted, identity) {
        (Ok(()), Some(_)) => Finding::pass(
            "bus-protection",
            "a session salted to the pinned storage root key gave random bytes, encrypted",
        ),
        (Ok(()), None) => Finding::unknown(
            "bus-protection",
            "sessions are salted, but to a key whose Name is not pinned: who answers in the TPM's place is not noticed",
            "keyrite-tpm-init provision",
        ),
        (Err(why), _) => Finding::fail("bus-protection", why, "see storage-root-key"),
    }
}

/// 14: every hierarchy has an auth value, which somebody was given.
pub fn auth_values(state: &TpmState, known: &Known) -> Finding {
    let sets = [
        (state.owner_auth, HierarchyName::Owner),
        (state.endorsement_auth, HierarchyName::Endorsement),
        (state.lockout_auth, HierarchyName::Lockout),
    ];
    let empty: Vec<String> = sets
        .into_iter()
        .filter(|(auth, _)| *auth == AuthState::Empty)
        .map(|(_, hierarchy)| hierarchy.to_string())
        .collect();
    if !empty.is_empty() {
        return Finding::fail(
            "auth-values",
            format!(
                "the {} auth is empty: anybody who reaches the TPM has it",
                empty.join(", ")
            ),
            "keyrite-tpm-init provision",
        );
    }
    let nobodys: Vec<String> = sets
        .into_iter()
        .filter(|(_, hierarchy)| !known.delivered.contains(hierarchy))
        .map(|(_, hierarchy)| hierarchy.to_string())
        .collect();
    if !nobodys.is_empty() {
        return Finding::unknown(
            "auth-values",
            format!(
                "all are set, but this site was not given the {} auth",
                nobodys.join(", ")
            ),
            "see ownership",
        );
    }
    let proved: Vec<String> = known.auths.iter().map(ToString::to_string).collect();
    let how = if proved.is_empty() {
        "none of them was tried".to_owned()
    } else {
        format!("at hand: {}", proved.join(", "))
    };
    Finding::pass("auth-values", format!("all are set, and were delivered; {how}"))
}

/// What is known of the lockout hierarchy, which no capability bit shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockoutProbe {
    /// It authorised something that changes nothing.
    Open,
    /// It refuses even the right auth value: a wrong one was given. For that many seconds from then on.
    Blocked(u32),
    /// Its auth value is not known, so it was not tried.
    NotTried,
}

/// 15: the dictionary-attack protection.
pub fn dictionary_attack(state: &TpmState, lockout: &Lockout, probe: LockoutProbe) -> Finding {
    let check = "dictionary-attack";
    let Protection {
        tries,
        forgiven_after,
        ..
    } = state.protection;
    if state.in_lockout {
        return Finding::fail(
            check,
            format!(
                "locked: {} wrong tries were counted, and {tries} are allowed; one is forgiven every {forgiven_after} s",
                lockout.counter
            ),
            "find out who tried; then wait with the power on, or have the lockout auth lift it: provision --lockout-auth SOURCE",
        );
    }
    if let LockoutProbe::Blocked(seconds) = probe {
        let wait = if seconds == 0 {
            "until the next start".to_owned()
        } else {
            format!("for {seconds} s from then, with the power on")
        };
        return Finding::fail(
            check,
            format!(
                "a wrong lockout auth was given: the lockout hierarchy refuses even the right one {wait}; no capability bit shows it"
            ),
            "try nothing with the lockout auth until then; find out who tried",
        );
    }
    if state.protection != Protection::OURS {
        let remedy = format!("keyrite-tpm-init provision sets: {}", Protection::OURS);
        return Finding::fail(check, state.protection.to_string(), remedy);
    }
    let probed = match probe {
        LockoutProbe::Open | LockoutProbe::Blocked(_) => "the lockout hierarchy answers",
        LockoutProbe::NotTried => {
            "whether a wrong lockout auth has blocked its hierarchy shows in no bit, and is not tried without it"
        }
    };
    let counted = format!("{} counted of {}; {probed}", lockout.counter, state.protection);
    if lockout.counter == 0 {
        Finding::pass(check, counted)
    } else {
        Finding::warn(
            check,
            counted,
            "find out who tried, or whether the machine was stopped without an orderly shutdown",
        )
    }
}

/// 16: TPM2_Clear takes physical presence.
pub fn clear(state: &TpmState) -> Finding {
    if state.clear_disabled {
        return Finding::pass("clear", "TPM2_Clear is disabled but for physical presence");
    }
    Finding::fail(
        "clear",
        "TPM2_Clear is enabled: the lockout auth, or whoever finds it empty, destroys all keys",
        "keyrite-tpm-init provision; afterwards the way back is the firmware's set-up, at the machine itself",
    )
}

/// 19: there is a report to compare with.
pub fn evidence(known: &Known) -> Finding {
    if known.reported {
        Finding::pass(
            "evidence",
            "there is a report of the provisioning: keyrite-tpm-init verify compares with it",
        )
    } else {
        Finding::fail(
            "evidence",
            "there is no report of a provisioning",
            "keyrite-tpm-init provision",
        )
    }
}

/// 20: no run was stopped part-way.
pub fn resume(known: &Known) -> Finding {
    if known.interrupted {
        return Finding::fail(
            "resume",
            "a provisioning was stopped part-way",
            "run it again: keyrite-tpm-init provision completes it",
        );
    }
    Finding::pass("resume", "no provisioning was stopped part-way")
}

/// What a TPM is, in words for people; the first is the most pressing.
pub fn conditions(state: &TpmState, known: &Known, findings: &[Finding]) -> Vec<&'static str> {
    let mut conditions = Vec::new();
    let said = |check: &str, text: &str| {
        findings
            .iter()
            .any(|finding| finding.check == check && finding.evidence.contains(text))
    };
    if state.in_lockout {
        conditions.push("locked out");
    }
    if said("dictionary-attack", "a wrong lockout auth was given") {
        conditions.push("its lockout hierarchy blocked");
    }
    if said("ownership", "owned by someone else") {
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
