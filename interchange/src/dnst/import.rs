//! A state and the public keys that it names.

use std::path::{Path, PathBuf};

use key_metadata::{KeyState, Role};
use percent_encoding::percent_decode_str;

use super::LARGEST_STATE;
use super::state::{Flags, Key, KeySet, Kind};
use crate::bind::{KeyFile, LARGEST_KEY_FILE};
use crate::error::{FieldError, Place, ReadError};
use crate::files;
use crate::key::{ForeignKey, PrivatePart};
use crate::quote::Quote;
use crate::records::{self, Dnskey, Index};
use crate::report::{Import, Losses, Lost, Reason};
use crate::states::RecordStates;
use crate::times::{Event, Times};

/// Reads a state file, and the `.key` files that it names by `file:` URIs. Paths that are not absolute are from the state file's folder.
pub fn read(file: &Path) -> Result<Import, ReadError> {
    let (text, _) = files::read(file, LARGEST_STATE)?;
    let (set, mut lost) = KeySet::parse(file, &text)?;
    let folder = file.parent().map_or(Path::new(""), |folder| folder);
    let mut records = Vec::new();
    for (index, (public, _)) in set.keys.iter().enumerate() {
        let Some(path) = path_of(public).map_err(|source| ReadError::Field {
            place: Place::at(file, None, format!("keys[{index}]")),
            source,
        })?
        else {
            continue;
        };
        let path = folder.join(path);
        let (text, _) = files::read(&path, LARGEST_KEY_FILE)?;
        let (key, mut more): (KeyFile, Vec<Lost>) = KeyFile::parse(&path, &text)?;
        lost.append(&mut more);
        records.push(key.dnskey);
    }
    let mut import = import(set, file, &records)?;
    lost.append(&mut import.lost);
    import.lost = lost;
    Ok(import)
}

/// The keys of a state, each with the record of the same zone, algorithm and tag: among `records`, else in the state's own DNSKEY RRset.
pub fn import(set: KeySet, file: &Path, records: &[Dnskey]) -> Result<Import, ReadError> {
    let mut losses = Losses::of(file);
    let mut all = records.to_vec();
    for record in &set.dnskey_rrset {
        // The RRset has its signatures with it.
        match records::read(file, record) {
            Ok((keys, _)) => all.extend(keys),
            Err(_) => losses.add(None, "dnskey_rrset", Quote::of(record), Reason::NoPlace)?,
        }
    }
    let all = Index::of(&all);
    for (roll, state) in &set.rolls {
        losses.add(
            None,
            "rollstates",
            Quote::of(&format!("{roll:?} {state:?}")),
            Reason::NoPlace,
        )?;
    }
    let mut import = Import::default();
    for (_, key) in set.keys {
        let (role, other) = match key.kind {
            Kind::Ksk(_) => (Role::Ksk, None),
            Kind::Zsk(_) => (Role::Zsk, None),
            Kind::Csk(..) => (Role::Csk, None),
            Kind::Include(_) => (Role::Ksk, Some(Role::Zsk)),
        };
        let find = |role| {
            all.find(&set.zone, key.algorithm, role, key.tag)
                .map(|record| (role, record))
        };
        let (role, record) = match (find(role), other.map(find)) {
            (Err(_), Some(Ok(found))) => found,
            (found, _) => found?,
        };
        let mut lose = |field: &str, value: &str| {
            losses.add(
                None,
                &format!("{field} of key {}", key.tag),
                Quote::of(value),
                Reason::NoPlace,
            )
        };
        if key.decoupled {
            lose("decoupled", "true")?;
        }
        let state = match state(&key.kind) {
            Ok(state) => state,
            Err(state) => {
                lose("keytype", &format!("{:?}", key.kind))?;
                state
            }
        };
        import.keys.push(ForeignKey {
            zone: set.zone.clone(),
            role,
            public_key: record.public_key.clone(),
            revocation: record.revocation,
            ttl: record.ttl,
            times: times(&key),
            state: Some(state),
            records: RecordStates::default(),
            lifetime: None,
            predecessor: None,
            successor: None,
            private: private(&key, file)?,
            source: file.to_owned(),
        });
    }
    import.lost = losses.lost;
    Ok(import)
}

/// The path of a `file:` URI or of a path; `None` of another URI.
fn path_of(reference: &str) -> Result<Option<PathBuf>, FieldError> {
    const FORM: FieldError = FieldError::Form("file:///PATH");
    if let Some(rest) = reference.strip_prefix("file://") {
        if !rest.starts_with('/') {
            return Err(FORM);
        }
        let path = percent_decode_str(rest).decode_utf8().map_err(|_| FORM)?;
        return match path.contains('\0') {
            true => Err(FORM),
            false => Ok(Some(PathBuf::from(path.into_owned()))),
        };
    }
    if reference.contains("://") {
        return Ok(None);
    }
    match reference.is_empty() || reference.contains('\0') {
        true => Err(FORM),
        false => Ok(Some(reference.into())),
    }
}

fn private(key: &Key, file: &Path) -> Result<PrivatePart, ReadError> {
    let Some(reference) = &key.private else {
        return Ok(PrivatePart::None);
    };
    let path = path_of(reference).map_err(|source| ReadError::Field {
        place: Place::at(file, None, format!("privref of key {}", key.tag)),
        source,
    })?;
    Ok(match path {
        Some(path) => PrivatePart::File(path),
        None => PrivatePart::Kmip(reference.clone()),
    })
}

fn times(key: &Key) -> Times {
    let stamps = &key.stamps;
    let all = [
        (Event::Generated, stamps.creation),
        (Event::Published, stamps.published),
        (Event::Visible, stamps.visible),
        (Event::DsSeen, stamps.ds_visible),
        (Event::SignaturesVisible, stamps.rrsig_visible),
        (Event::Removed, stamps.withdrawn),
    ];
    all.into_iter()
        .filter_map(|(event, stamp)| Some((event, stamp?.time()?)))
        .collect()
}

/// Our word for a key's flags; the error is the nearest where there is none.
fn state(kind: &Kind) -> Result<KeyState, KeyState> {
    match kind {
        Kind::Ksk(flags) => of_flags(*flags, flags.at_parent),
        Kind::Zsk(flags) | Kind::Include(flags) => of_flags(*flags, flags.signer),
        // Of a CSK only the signatures can be there without its DNSKEY, and it signs on while its DS is on its way out.
        Kind::Csk(ksk, zsk) if zsk.signer && !ksk.at_parent && (ksk.old == zsk.old) && !zsk.present => {
            of_flags(*zsk, zsk.signer)
        }
        Kind::Csk(ksk, zsk) if zsk.signer && !ksk.at_parent && ksk.old && zsk.old => {
            Ok(KeyState::RetireActive)
        }
        Kind::Csk(ksk, zsk) => {
            let (as_ksk, as_zsk) = (of_flags(*ksk, ksk.at_parent), of_flags(*zsk, zsk.signer));
            // Of two states, the one that promises least of a key in the zone.
            let least = if ksk.present || zsk.present {
                KeyState::Published
            } else {
                KeyState::Generated
            };
            if as_ksk == as_zsk { as_ksk } else { Err(least) }
        }
    }
}

/// A ZSK is in use while it signs, a KSK while its DS is to be at the parent: it signs the DNSKEY RRset from its first day.
const fn of_flags(flags: Flags, in_use: bool) -> Result<KeyState, KeyState> {
    match (flags.old, in_use, flags.present) {
        (false, true, true) => Ok(KeyState::Active),
        (false, true, false) => Ok(KeyState::PreActive),
        // Its successor is on the way.
        (true, true, true) => Err(KeyState::Active),
        (true, true, false) => Ok(KeyState::PostActive),
        (false, false, true) => Ok(KeyState::Published),
        (false, false, false) => Ok(KeyState::Generated),
        (true, false, true) => Ok(KeyState::Retired),
        (true, false, false) => Ok(KeyState::Removed),
    }
}
