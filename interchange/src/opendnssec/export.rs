//! Commands that give the enforcer a key.

use std::path::Path;

use key_metadata::{KeyRecord, KeyReference, KeyState, Role, Time, ZoneName};

use crate::command::Command;
use crate::error::ExportError;
use crate::quote::Quote;
use crate::report::{Lost, Reason};

/// `ods-enforcer key import`: the key stays in its token, which conf.xml lists as `repository`.
///
/// The zone's policy must have a key of the same role, algorithm, size and repository. The inception time is that of the key's state, in
/// UTC, since the enforcer counts TTLs from there; it takes it for its local time. `socket` is the enforcer's, where it is not the usual one.
pub fn key_import(
    zone: &ZoneName,
    record: &KeyRecord,
    repository: &str,
    socket: Option<&Path>,
) -> Result<Command, ExportError> {
    let tag = record.key_tag();
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
                tag,
                software: "OpenDNSSEC",
            });
        }
    }
    let state = match record.state {
        KeyState::Generated => "generate",
        KeyState::Published => "publish",
        KeyState::Ready => "ready",
        KeyState::Active => "active",
        KeyState::Retired | KeyState::Dead => "retire",
        // It takes 'revoke' as a word, and then shows the key as retired and hidden.
        // It has no word for a key of which only the signatures or the DS are there, nor for one that signs on without its DS.
        state @ (KeyState::PreActive
        | KeyState::RetireActive
        | KeyState::PostActive
        | KeyState::Removed
        | KeyState::Revoked
        | KeyState::Destroyed) => {
            return Err(ExportError::State {
                tag,
                state,
                software: "OpenDNSSEC",
            });
        }
    };
    let inception = record
        .times
        .of(record.state)
        .map_or(record.times.generated, |time| time);
    // The enforcer keeps 32 bits.
    if !(0..=i64::from(u32::MAX)).contains(&inception.unix_seconds()) {
        return Err(ExportError::Time {
            time: inception,
            software: "OpenDNSSEC",
        });
    }
    let mut argv = vec!["ods-enforcer".to_owned()];
    if let Some(socket) = socket {
        let path = socket.to_str().ok_or_else(|| {
            ExportError::Text(Quote::of(&socket.to_string_lossy()), "the path is not UTF-8")
        })?;
        argv.extend(["-s".to_owned(), path.to_owned()]);
    }
    // The enforcer gets one line, which it splits at blanks.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+:".contains(&byte);
    if repository.is_empty() || repository.starts_with('-') || !repository.bytes().all(plain) {
        return Err(ExportError::Text(
            Quote::of(repository),
            "the enforcer splits its commands at blanks and quotes",
        ));
    }
    let options = [
        ("--zone", zone.to_string()),
        ("--cka_id", record.cka_id().to_string()),
        ("--repository", repository.to_owned()),
        ("--bits", record.public_key.bits().to_string()),
        ("--algorithm", record.algorithm().number().to_string()),
        ("--keystate", state.to_owned()),
        ("--keytype", record.role.to_string()),
        (
            "--inception_time",
            inception.to_utc().format("%Y-%m-%d-%H:%M:%S").to_string(),
        ),
    ];
    argv.extend(["key", "import"].map(str::to_owned));
    argv.extend(
        options
            .into_iter()
            .flat_map(|(name, value)| [name.to_owned(), value]),
    );
    Ok(Command {
        argv,
        lost: other_times(zone, record, inception),
    })
}

fn other_times(zone: &ZoneName, record: &KeyRecord, told: Time) -> Vec<Lost> {
    let times = &record.times;
    let all = [
        ("generated", Some(times.generated)),
        ("pre-active", times.pre_active),
        ("published", times.published),
        ("ready", times.ready),
        ("submitted", times.submitted),
        ("registered", times.registered),
        ("active", times.active),
        ("retired", times.retired),
        ("dead", times.dead),
    ];
    let lost = |(field, time): (&str, Option<Time>)| {
        let time = time.filter(|time| *time != told)?;
        Some(Lost {
            file: zone.to_string().into(),
            line: None,
            field: format!("{field} of key {}", record.key_tag()),
            value: Quote::of(&time.to_string()),
            why: Reason::NoPlaceThere,
        })
    };
    // It imports a CSK without a DS and shows it as mixed from then on.
    let ds = (record.role == Role::Csk).then(|| Lost {
        file: zone.to_string().into(),
        line: None,
        field: format!("DS of key {}", record.key_tag()),
        value: Quote::of(&record.state.to_string()),
        why: Reason::NoPlaceThere,
    });
    all.into_iter().filter_map(lost).chain(ds).collect()
}
