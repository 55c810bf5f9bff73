//! What a signed zone is made of: the unsigned zone, its serial, and what was signed before.

use std::fs;
use std::io;
use std::sync::Arc;

use cli::Outcome;
use dnssec::{KeptSignatures, SignedKeys, Zone, next_serial, serial_of};
use key_metadata::policy::KskSigns;
use key_metadata::{Policy, SiteFolder, Time, ZoneKeys, ZoneName};
use zone::Reading;

use super::last::{first_serial, unreadable};
use super::outcome::Listener;

/// The unsigned zone; what deserves a look in it is told.
pub(super) fn read(
    folder: &SiteFolder,
    name: &ZoneName,
    policy: &Policy,
    listener: &dyn Listener,
) -> Outcome<Zone> {
    let path = folder.unsigned_path(name);
    let length = fs::metadata(&path).map_or(0, |file| file.len());
    let reading = listener.progress(&format!("reading {name}"), length);
    let zone = Zone::read(&path, name, &mut |told| match told {
        Reading::File(file) => listener.opens(file),
        Reading::Octets(octets) => reading.steps(octets),
    })?;
    drop(reading);
    for warning in &zone.warnings {
        listener.warn(name, warning.clone());
    }
    if let Some((ttl, record)) = zone.largest_ttl().filter(|(ttl, _)| *ttl > policy.zone.max_ttl) {
        let policy_name = folder
            .site()
            .zones
            .get(name)
            .map(|entry| entry.policy.to_string());
        listener.warn(
            name,
            format!(
                "{record} has a TTL of {ttl}, and zone.max-ttl of policy '{}' is {}: keys would be removed while caches need them",
                policy_name.map_or_else(String::new, |policy| policy),
                policy.zone.max_ttl
            ),
        );
    }
    Ok(zone)
}

/// The next serial, which rises from that of the last signed zone, and that one.
pub(super) fn serial(
    folder: &SiteFolder,
    policy: &Policy,
    zone: &Zone,
    name: &ZoneName,
    now: Time,
) -> Outcome<(u32, Option<u32>)> {
    let signed = folder.signed_path(name);
    let last = match first_serial(&signed, name) {
        Some(serial) => Some(serial),
        // Another tool may have written its SOA in several lines, or later.
        None => match fs::read(&signed) {
            Ok(text) => serial_of(&text, &signed, name),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(unreadable(&signed, &error)),
        },
    };
    // A zone that was read has a SOA.
    let unsigned = zone.serial().map_or(0, |serial| serial);
    Ok((next_serial(policy.serial, unsigned, last, now)?, last))
}

/// The DNSKEY RRset that comes signed, where the policy's KSK is kept apart.
pub(super) fn signed_keys(
    folder: &SiteFolder,
    name: &ZoneName,
    policy: &Policy,
    keys: &ZoneKeys,
    now: Time,
) -> Outcome<Option<Arc<SignedKeys>>> {
    match policy.ksk_signs {
        KskSigns::Online => Ok(None),
        KskSigns::Offline => {
            let files = folder.signed_keys_path(name);
            Ok(Some(Arc::new(SignedKeys::choose(
                &files,
                name,
                keys.keys(),
                now,
            )?)))
        }
    }
}

/// The signatures of the last run, as far as they can be kept: that none can costs time, and nothing else.
pub(super) fn last_signatures(
    folder: &SiteFolder,
    name: &ZoneName,
    listener: &dyn Listener,
) -> Outcome<KeptSignatures> {
    let path = folder.kept_path(name);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(KeptSignatures::default()),
        Err(error) => return Err(unreadable(&path, &error)),
    };
    Ok(KeptSignatures::of_bytes(bytes).map_or_else(
        |error| {
            listener.warn(
                name,
                format!("{}: {error}; every signature is made anew", path.display()),
            );
            KeptSignatures::default()
        },
        |last| last,
    ))
}
