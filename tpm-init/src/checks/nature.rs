//! The checks of what a TPM is, whatever is set up in it.

use tpm::{Enabled, Platform, Room, SelfTest};

use crate::finding::Finding;
use crate::state::TpmState;

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
