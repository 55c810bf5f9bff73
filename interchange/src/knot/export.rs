//! Commands that give `keymgr` a key.

use std::path::Path;

use key_metadata::{KeyRecord, KeyReference, Time, ZoneName};

use crate::command::Command;
use crate::error::ExportError;
use crate::quote::Quote;
use crate::report::{Lost, Reason};

/// `keymgr ZONE import-pkcs11`: the key stays in its token, which must be the one that the zone's keystore in knot.conf names.
///
/// `configuration` is knot.conf, where it is not in its usual place.
pub fn import_pkcs11(
    zone: &ZoneName,
    record: &KeyRecord,
    configuration: Option<&Path>,
) -> Result<Command, ExportError> {
    match &record.reference {
        KeyReference::Pkcs11(_) => {}
        KeyReference::File(token, name) => {
            return Err(ExportError::InFiles {
                token: token.clone(),
                name: name.clone(),
            });
        }
        KeyReference::Tpm(_) => {
            return Err(ExportError::NotInToken {
                tag: record.key_tag(),
                software: "Knot",
            });
        }
    }
    let word = |yes| if yes { "yes" } else { "no" };
    let mut argv = keymgr(zone, configuration)?;
    argv.extend([
        "import-pkcs11".to_owned(),
        record.cka_id().to_string(),
        format!("algorithm={}", record.algorithm().number()),
        format!("size={}", record.public_key.bits()),
        format!("ksk={}", word(record.role.signs_dnskey())),
        format!("zsk={}", word(record.role.signs_zone())),
    ]);
    let times = &record.times;
    let zone_signer = |time: Option<Time>| time.filter(|_| record.role.signs_zone());
    // Where it is told nothing, Knot takes publish and active to be now; the rest it takes to be never.
    let zero = || Some("0".to_owned());
    let named = [
        ("created", Some(times.generated), zero()),
        ("pre_active", zone_signer(times.pre_active), None),
        ("publish", times.published, zero()),
        ("ready", times.ready, zero()),
        ("active", times.active, zero()),
        ("retire_active", times.retire_active, None),
        ("retire", times.retired, zero()),
        ("post_active", times.post_active, None),
        ("revoke", times.revoked, zero()),
        ("remove", times.removed, zero()),
    ];
    for (name, time, never) in named {
        // Zero is no time for Knot, and it takes no negative ones.
        if let Some(time) = time.filter(|time| time.unix_seconds() <= 0) {
            return Err(ExportError::Time {
                time,
                software: "Knot",
            });
        }
        let time = time.map(|time| time.unix_seconds().to_string());
        argv.extend(time.or(never).map(|time| format!("{name}={time}")));
    }
    let without = [
        // Knot has none for a KSK whose DS comes before its DNSKEY.
        (
            "pre-active",
            times.pre_active.filter(|_| !record.role.signs_zone()),
        ),
        ("submitted", times.submitted),
        ("registered", times.registered),
        ("insecure", times.insecure),
        ("deregistered", times.deregistered),
        ("dead", times.dead),
    ];
    let lost = without.into_iter().filter_map(|(field, time)| {
        Some(Lost {
            file: zone.to_string().into(),
            line: None,
            field: format!("{field} of key {}", record.key_tag()),
            value: Quote::of(&time?.to_string()),
            why: Reason::NoPlaceThere,
        })
    });
    Ok(Command {
        argv,
        lost: lost.collect(),
    })
}

/// `keymgr ZONE import-bind`: reads BIND's key files, with the private key in the clear, into the keystore. `file` is one of them.
pub fn import_bind(
    zone: &ZoneName,
    file: &Path,
    configuration: Option<&Path>,
) -> Result<Command, ExportError> {
    of_file(zone, "import-bind", file, configuration)
}

/// `keymgr ZONE import-pub`: publishes the key of a `.key` file, and signs with others.
pub fn import_public(
    zone: &ZoneName,
    file: &Path,
    configuration: Option<&Path>,
) -> Result<Command, ExportError> {
    of_file(zone, "import-pub", file, configuration)
}

fn of_file(
    zone: &ZoneName,
    action: &str,
    file: &Path,
    configuration: Option<&Path>,
) -> Result<Command, ExportError> {
    let mut argv = keymgr(zone, configuration)?;
    argv.extend([action.to_owned(), text(file)?]);
    Ok(Command {
        argv,
        lost: Vec::new(),
    })
}

fn keymgr(zone: &ZoneName, configuration: Option<&Path>) -> Result<Vec<String>, ExportError> {
    let mut argv = vec!["keymgr".to_owned()];
    if let Some(configuration) = configuration {
        argv.extend(["-c".to_owned(), text(configuration)?]);
    }
    argv.push(zone.with_final_dot());
    Ok(argv)
}

fn text(path: &Path) -> Result<String, ExportError> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| ExportError::Text(Quote::of(&path.to_string_lossy()), "the path is not UTF-8"))
}
