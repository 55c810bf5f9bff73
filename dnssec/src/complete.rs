//! Whether the keys of a zone sign all of it.

use std::collections::BTreeSet;

use key_metadata::{KeyAlgorithm, KeyRecord, KeyState, Role, ZoneName};

use crate::sign_error::SignError;
use crate::signing_key::ZoneKey;

/// Every algorithm of the DNSKEY RRset signs that RRset and the rest of the zone.
pub(crate) fn check_complete(zone: &ZoneName, keys: &[ZoneKey]) -> Result<(), SignError> {
    // One that came into the zone together with its signatures does its part before it takes over, as a zone's first CSK.
    let in_use = |key: &ZoneKey| match key.record.state {
        KeyState::Active | KeyState::RetireActive => true,
        state => state.in_zone() && key.record.signs_zone(),
    };
    if !keys.iter().any(in_use) {
        let was_signed = keys.iter().any(|key| key.record.times.active.is_some());
        let is_left = keys.iter().any(|key| key.record.state.in_zone());
        return Err(match was_signed && !is_left {
            true => SignError::SignedNoMore(zone.clone()),
            false => SignError::NoKeys(zone.clone()),
        });
    }
    let in_zone = keys.iter().filter(|key| key.record.state.in_zone());
    let algorithms: BTreeSet<KeyAlgorithm> = in_zone.map(|key| key.record.algorithm()).collect();
    for algorithm in algorithms {
        let of_it = || keys.iter().filter(|key| key.record.algorithm() == algorithm);
        for (role, does) in [
            (Role::Ksk, of_it().any(|key| key.record.signs_dnskey())),
            (
                Role::Zsk,
                of_it().any(|key| key.record.signs_zone() && key.record.state.in_zone()),
            ),
        ] {
            if !does {
                return Err(SignError::Incomplete {
                    zone: zone.clone(),
                    algorithm,
                    role,
                    remedy: completion(zone, role, of_it().map(|key| &key.record)),
                });
            }
        }
    }
    Ok(())
}

/// What completes an algorithm of which `keys` are all, and none of them does the part of `role`: one that comes in is to follow the others, or
/// the others one that went, or one is to be made.
fn completion<'a>(zone: &ZoneName, role: Role, keys: impl Iterator<Item = &'a KeyRecord> + Clone) -> String {
    let does = |key: &KeyRecord| match role {
        Role::Ksk => key.role.signs_dnskey(),
        Role::Zsk | Role::Csk => key.role.signs_zone(),
    };
    let step =
        |step: &str, key: &KeyRecord| format!("keyrite-keyctl {step} --zone {zone} --key {}", key.key_tag());
    let of = |states: &[KeyState]| keys.clone().find(|key| does(key) && states.contains(&key.state));
    if let Some(key) = of(&[KeyState::PreActive]) {
        return step("publish", key);
    }
    let went = of(&[KeyState::PostActive, KeyState::Retired, KeyState::Removed]);
    if let (Some(_), Some(left)) = (went, keys.clone().find(|key| key.state.in_zone() && !does(key))) {
        let leaves = if left.signs_zone() { "withdraw" } else { "remove" };
        return step(leaves, left);
    }
    if let Some(key) = of(&[KeyState::Generated]) {
        return step("publish", key);
    }
    format!("keyrite-keyctl generate --zone {zone} --role {role} --activate").to_lowercase()
}
