//! Looking at a TPM: what it is, and what is known of it.

use cli::{Exit, Failure, Outcome};
use key_metadata::{AuthDelivery, TpmHandle};
use sha2::{Digest, Sha256};
use tpm::{
    Anchor, AnchorState, AttestationKeyState, AuthValue, EkCertificate, EkTemplate, HierarchyError, Info,
    Lockout, PersistentKind, SrkError, SrkState, Tpm,
};
use tpm_init::planner::Known;
use tpm_init::state::{AuthState, Kept, Place, Protection, TpmState};
use tpm_init::step::HierarchyName;

use crate::target::{Auths, Target};

/// A TPM that was looked at.
pub struct Look {
    /// What it is.
    pub state: TpmState,
    /// What is known of it.
    pub known: Known,
    /// The auth values that are at hand; those of the owner and the endorsement hierarchy were proved.
    pub auths: Auths,
    /// The state of the dictionary-attack protection, with its counts.
    pub lockout: Lockout,
    /// What it says of itself.
    pub info: Info,
    /// The certificates of its endorsement keys.
    pub certificates: Vec<EkCertificate>,
    /// The moduli of RSA keys in it, by where they are.
    pub moduli: Vec<(String, Vec<u8>)>,
}

impl Look {
    /// Whether that certificate's key was used to prove the attestation key.
    pub fn is_certificate_proved(&self, certificate: &EkCertificate) -> bool {
        let digest = hex::encode(Sha256::digest(&certificate.der));
        let proved = self
            .known
            .identity
            .as_ref()
            .map(|identity| &identity.endorsement_key);
        proved.and_then(|key| key.certificate_sha256.as_ref()) == Some(&digest)
    }
}

/// Looks at a TPM, with the auth values that were given; changes nothing.
pub fn look(target: &Target, tpm: &Tpm, given: Auths) -> Outcome<Look> {
    let identity = target.folder.tpm_identity(&target.name)?;
    let objects = tpm.persistent_objects()?;
    let persistent: Vec<Kept> = objects
        .iter()
        .map(|object| Kept {
            handle: number(object.handle),
            name: object.name.to_string(),
            what: object.kind.to_string(),
        })
        .collect();
    let sealed = objects
        .iter()
        .filter(|object| object.kind == PersistentKind::SealedData);
    let mut known = Known {
        sealed: sealed
            .filter_map(|object| TpmHandle::try_from(object.handle).ok())
            .collect(),
        reported: target.path("report.json").exists(),
        interrupted: target.path("plan.json").exists(),
        ..Known::default()
    };
    // With the Name that is pinned, every session from here on is salted to that key alone.
    let srk_name = persistent
        .iter()
        .find(|kept| kept.handle == TpmHandle::SRK.to_string())
        .map(|kept| kept.name.clone());
    let pinned = identity
        .as_ref()
        .map(|identity| identity.storage_root_key.to_string());
    if pinned.is_some() && pinned == srk_name {
        tpm.pin(identity.as_ref())?;
    }
    known.identity = identity;
    // The one that its maker certified; without a certificate, the one that is made fastest.
    let certificates = tpm.ek_certificates()?;
    let certified = certificates
        .iter()
        .find_map(|found| EkTemplate::of_certificate(found.index));
    known.endorsement_key = certified
        .map_or(EkTemplate::P256, |template| template)
        .to_string();
    let lockout = tpm.lockout()?;
    let auths = auths(target, tpm, given, &lockout, &mut known)?;
    let owner_open = !lockout.owner_auth_set || auths.contains_key(&HierarchyName::Owner);
    let owner_auth = auths.get(&HierarchyName::Owner);
    let storage_root_key = match srk_name {
        None => {
            if owner_open {
                known.storage_root_key = Some(tpm.srk_to_be(owner_auth)?.to_string());
            }
            Place::Absent
        }
        Some(name) if pinned.as_ref() == Some(&name) => Place::Ours { name },
        Some(_) if owner_open => match tpm.srk_state(owner_auth)? {
            SrkState::Absent => Place::Absent,
            SrkState::Matches { name, .. } => Place::Ours {
                name: name.to_string(),
            },
            SrkState::Foreign { name, .. } => Place::Foreign {
                name: name.to_string(),
            },
        },
        Some(name) => match tpm.srk_name() {
            Ok(_) => Place::Unproved { name },
            Err(SrkError::Foreign { .. }) => Place::Foreign { name },
            Err(error) => return Err(error.into()),
        },
    };
    let anchor = |anchor, index| {
        Outcome::Ok(match tpm.anchor(anchor, index)? {
            AnchorState::Absent => Place::Absent,
            AnchorState::Ours { name, .. } => Place::Ours {
                name: name.to_string(),
            },
            AnchorState::Foreign { name } => Place::Foreign {
                name: name.to_string(),
            },
        })
    };
    let info = tpm.info()?;
    let nv = tpm.nv_entries()?;
    let state = TpmState {
        manufacturer: info.manufacturer.clone(),
        vendor: info.vendor.clone(),
        firmware: info.firmware.to_string(),
        revision: info.revision,
        owner_auth: AuthState::of(&lockout.owner_auth_set),
        endorsement_auth: AuthState::of(&lockout.endorsement_auth_set),
        lockout_auth: AuthState::of(&lockout.lockout_auth_set),
        in_lockout: lockout.in_lockout,
        clear_disabled: lockout.clear_disabled,
        protection: Protection {
            tries: lockout.max,
            forgiven_after: lockout.interval,
            lockout_blocked_for: lockout.recovery,
        },
        storage_root_key,
        attestation_key: match tpm.attestation_key(target.setup.attestation_key)? {
            AttestationKeyState::Absent => Place::Absent,
            AttestationKeyState::Ours(key) => Place::Ours {
                name: key.name().to_string(),
            },
            AttestationKeyState::Foreign { name, .. } => Place::Foreign {
                name: name.to_string(),
            },
        },
        log_index: anchor(Anchor::Log, target.setup.log_index)?,
        log_counter: anchor(Anchor::Counter, target.setup.log_counter)?,
        persistent,
        nv: nv
            .iter()
            .map(|entry| Kept {
                handle: number(entry.index),
                name: entry.name.to_string(),
                what: format!(
                    "an NV index of {} bytes, attributes {:#010x}",
                    entry.size, entry.attributes
                ),
            })
            .collect(),
    };
    Ok(Look {
        state,
        known,
        auths,
        lockout,
        info,
        certificates,
        moduli: objects
            .into_iter()
            .filter_map(|object| Some((number(object.handle), object.rsa_modulus?)))
            .collect(),
    })
}

fn number(handle: u32) -> String {
    format!("{handle:#010x}")
}

/// The auth values at hand: those that were given, and those that are sealed in the TPM. A lockout auth is not tried: a wrong one would
/// block the hierarchy.
fn auths(
    target: &Target,
    tpm: &Tpm,
    mut given: Auths,
    lockout: &Lockout,
    known: &mut Known,
) -> Outcome<Auths> {
    let mut auths = Auths::new();
    for (hierarchy, delivery, set) in [
        (
            HierarchyName::Owner,
            target.setup.owner_auth,
            lockout.owner_auth_set,
        ),
        (
            HierarchyName::Endorsement,
            target.setup.endorsement_auth,
            lockout.endorsement_auth_set,
        ),
        (
            HierarchyName::Lockout,
            target.setup.lockout_auth,
            lockout.lockout_auth_set,
        ),
    ] {
        let given = given.remove(&hierarchy);
        if !set {
            // What was given is of before: a run that was killed had emptied it.
            continue;
        }
        let proved = |auth: AuthValue| -> Outcome<Option<AuthValue>> {
            if hierarchy == HierarchyName::Lockout {
                return Ok(Some(auth));
            }
            match tpm.check_auth(hierarchy.hierarchy(), Some(&auth)) {
                Ok(()) => Ok(Some(auth)),
                Err(HierarchyError::Refused { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            }
        };
        let sealed = match delivery {
            AuthDelivery::Custodians => {
                if target.path(&format!("{hierarchy}-auth.age")).exists() {
                    known.delivered.insert(hierarchy);
                }
                None
            }
            AuthDelivery::Sealed(handle) if known.sealed.contains(&handle) => {
                let sealed = proved(tpm.unseal_auth(handle)?)?;
                if sealed.is_some() {
                    known.delivered.insert(hierarchy);
                }
                sealed
            }
            AuthDelivery::Sealed(_) => None,
        };
        let auth = match (given, sealed) {
            (None, sealed) => sealed,
            (Some(given), sealed) => match proved(given)? {
                Some(auth) => Some(auth),
                // The same command, run again after it was killed behind the step that replaced this auth value.
                None if known.delivered.contains(&hierarchy) => sealed,
                None => {
                    let error = HierarchyError::Refused {
                        tcti: target.tcti.clone(),
                        hierarchy: hierarchy.hierarchy(),
                    };
                    return Err(error.into());
                }
            },
        };
        if let Some(auth) = auth {
            known.auths.insert(hierarchy);
            auths.insert(hierarchy, auth);
        }
    }
    Ok(auths)
}

/// The failure that a TPM with obstacles is.
pub fn obstructed(name: &str, obstacles: &[tpm_init::obstacle::Obstacle]) -> Failure {
    use key_metadata::Advice;
    let exit = if obstacles.iter().any(Advice::is_credential) {
        Exit::Credential
    } else {
        Exit::Failed
    };
    let text = format!("the TPM '{name}' cannot be provisioned as it is");
    let failure = obstacles
        .iter()
        .fold(Failure::new(exit, text), |failure, obstacle| {
            failure.because(obstacle.to_string())
        });
    failure.hint(obstacles.first().and_then(Advice::hint))
}
