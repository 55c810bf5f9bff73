//! The checks of how a TPM is set up.

use key_metadata::TpmIdentity;
use tpm::Lockout;

use crate::finding::Finding;
use crate::planner::Known;
use crate::state::{AuthState, Place, Protection, TpmState};
use crate::step::HierarchyName;

/// Handles and indices that manufacturers fill: endorsement keys, and the certificates for them (TCG EK Credential Profile 2.x, 2.2.1).
fn manufacturers(handle: &str) -> bool {
    handle.starts_with("0x01c0") || ["0x81010001", "0x81010002", "0x81010016"].contains(&handle)
}

/// The hierarchies whose auth value is set, and which nobody of this site was given.
pub(super) fn not_delivered(state: &TpmState, known: &Known) -> Vec<String> {
    let sets = [
        (state.owner_auth, HierarchyName::Owner),
        (state.endorsement_auth, HierarchyName::Endorsement),
        (state.lockout_auth, HierarchyName::Lockout),
    ];
    sets.into_iter()
        .filter(|(auth, hierarchy)| *auth == AuthState::Set && !known.delivered.contains(hierarchy))
        .map(|(_, hierarchy)| hierarchy.to_string())
        .collect()
}

/// 4: whose it is, and what is in it; `places` are the handles and indices that the site names.
pub fn ownership(state: &TpmState, known: &Known, places: &[String]) -> Finding {
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
        .filter(|kept| !places.contains(&kept.handle) || in_our_place.contains(&Some(&kept.name)))
        .map(|kept| format!("{} {}, Name {}", kept.handle, kept.what, kept.name))
        .collect();
    let others = not_delivered(state, known);
    if !others.is_empty() && known.identity.is_some() {
        return Finding::fail(
            "ownership",
            format!(
                "the {} auth is set, and what delivered it is gone from the site",
                others.join(" and ")
            ),
            "restore the TPM's folder from the site's version control; or have who knows the auth value provision again",
        );
    }
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
            "sessions are salted, but to a key whose Name is not the pinned one: who answers in the TPM's place is not noticed",
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
    let nobodys = not_delivered(state, known);
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
