//! One key of its two or three files, which must agree.

use std::path::Path;

use key_metadata::{PublicKey, Role, SoftwareKey, SoftwareSecret};

use super::key_file::KeyFile;
use super::metadata::TIMES;
use super::name::KeyFileName;
use super::private_file::{PrivateFile, PrivateKey};
use super::state_file::StateFile;
use crate::error::{Place, ReadError};
use crate::key::{ForeignKey, PrivatePart};
use crate::quote::Quote;
use crate::report::{Losses, Lost, Reason};
use crate::times::Times;

/// Puts the files of a key together. `paths` are those of `.key`, `.private` and `.state`.
pub(super) fn pair(
    name: &KeyFileName,
    paths: [&Path; 3],
    key: KeyFile,
    private: Option<PrivateFile>,
    state: Option<StateFile>,
) -> Result<(ForeignKey, Vec<Lost>), ReadError> {
    let [key_path, private_path, state_path] = paths;
    let dnskey = key.dnskey;
    agree_with_name(key_path, name, &KeyFileName::of(&dnskey))?;
    let mut role = dnskey.role;
    if let Some(state) = &state {
        role = agree_with_state(state_path, state, role, &dnskey.public_key, name)?;
    }
    let algorithm = dnskey.public_key.algorithm();
    let mut losses = Losses::of(key_path);
    let mut in_private = Losses::of(private_path);
    let times = merge(
        (&key.times, &mut losses, &key.lines),
        private.as_ref().map(|private| (&private.times, &mut in_private)),
        state.as_ref().map(|state| &state.times),
    )?;
    let mut lifetime = state.as_ref().and_then(|state| state.lifetime);
    let mut succession = state
        .as_ref()
        .map_or([None, None], |state| [state.predecessor, state.successor]);
    let private_part = match private {
        None => PrivatePart::None,
        Some(private) => {
            if private.algorithm != algorithm {
                return Err(contradiction(
                    private_path,
                    "Algorithm",
                    private.algorithm.number(),
                    "the DNSKEY record",
                    algorithm.number(),
                ));
            }
            lifetime = lifetime.or(private.lifetime);
            for (slot, written) in succession.iter_mut().zip(private.succession) {
                *slot = slot.or(written);
            }
            part(private_path, private, &dnskey.public_key, &mut in_private)?
        }
    };
    losses.lost.append(&mut in_private.lost);
    let [predecessor, successor] = succession;
    let foreign = ForeignKey {
        zone: dnskey.zone,
        role,
        public_key: dnskey.public_key,
        revocation: dnskey.revocation,
        ttl: dnskey.ttl,
        times,
        state: None,
        records: state.map_or_else(Default::default, |state| state.records),
        lifetime,
        predecessor,
        successor,
        private: private_part,
        source: key_path.to_owned(),
    };
    Ok((foreign, losses.lost))
}

fn contradiction(
    file: &Path,
    field: &str,
    written: impl ToString,
    by: &'static str,
    computed: impl ToString,
) -> ReadError {
    ReadError::Contradiction {
        place: Place::at(file, None, field),
        written: Quote::of(&written.to_string()),
        by,
        computed: computed.to_string(),
    }
}

fn agree_with_name(file: &Path, name: &KeyFileName, found: &KeyFileName) -> Result<(), ReadError> {
    let refused = |field, written: String, computed: String| {
        Err(contradiction(file, field, written, "the DNSKEY record", computed))
    };
    if name.zone != found.zone {
        return refused(
            "the zone in the file's name",
            name.zone.to_string(),
            found.zone.to_string(),
        );
    }
    if name.algorithm != found.algorithm {
        return refused(
            "the algorithm in the file's name",
            name.algorithm.to_string(),
            found.algorithm.to_string(),
        );
    }
    if name.tag != found.tag {
        return refused(
            "the key tag in the file's name",
            name.tag.to_string(),
            found.tag.to_string(),
        );
    }
    Ok(())
}

fn agree_with_state(
    file: &Path,
    state: &StateFile,
    role: Role,
    key: &PublicKey,
    name: &KeyFileName,
) -> Result<Role, ReadError> {
    let by = "the DNSKEY record";
    if state.algorithm != key.algorithm() {
        return Err(contradiction(
            file,
            "Algorithm",
            state.algorithm.number(),
            by,
            key.algorithm().number(),
        ));
    }
    if state.length != key.bits() {
        return Err(contradiction(file, "Length", state.length, by, key.bits()));
    }
    if let Some((zone, tag)) = &state.title {
        if *zone != name.zone {
            return Err(contradiction(file, "the zone", zone, by, &name.zone));
        }
        // A key that is revoked keeps its old tag here.
        if ![name.tag, key.key_tag(role)].contains(tag) {
            return Err(contradiction(file, "the key tag", tag, by, name.tag));
        }
    }
    match (state.role, role) {
        (None, _) => Ok(role),
        (Some(Role::Zsk), Role::Zsk) => Ok(Role::Zsk),
        (Some(told @ (Role::Ksk | Role::Csk)), Role::Ksk | Role::Csk) => Ok(told),
        (Some(told), _) => Err(contradiction(file, "KSK and ZSK", told, by, role)),
    }
}

/// The times that count, and the ones that are overruled.
fn merge(
    (in_key, in_key_lost, lines): (&Times, &mut Losses, &[(crate::times::Event, usize)]),
    mut in_private: Option<(&Times, &mut Losses)>,
    in_state: Option<&Times>,
) -> Result<Times, ReadError> {
    let mut merged = Times::default();
    for name in &TIMES {
        let event = name.event;
        let (comment, told) = (in_key.get(event), in_state.and_then(|times| times.get(event)));
        let private = in_private.as_ref().and_then(|(times, _)| times.get(event));
        let counts = told.or(private).or(comment);
        let Some(counts) = counts else { continue };
        merged.set(event, counts);
        if let (Some(time), Some((_, lost))) = (private.filter(|time| *time != counts), in_private.as_mut()) {
            lost.add(
                None,
                name.in_private,
                Quote::of(&time.to_string()),
                Reason::Overruled,
            )?;
        }
        if let Some(time) = comment.filter(|time| *time != counts) {
            let line = lines
                .iter()
                .find(|(known, _)| *known == event)
                .map(|(_, line)| *line);
            in_key_lost.add(
                line,
                name.in_private,
                Quote::of(&time.to_string()),
                Reason::Overruled,
            )?;
        }
    }
    Ok(merged)
}

fn part(
    file: &Path,
    private: PrivateFile,
    public_key: &PublicKey,
    losses: &mut Losses,
) -> Result<PrivatePart, ReadError> {
    let other = || ReadError::OtherPrivateKey {
        place: Place::at(file, Some(private.line), "private key"),
    };
    let secret = match private.key {
        PrivateKey::External | PrivateKey::NotTaken => return Ok(PrivatePart::None),
        PrivateKey::Token { key, engine, rsa } => {
            if let Some([modulus, exponent]) = rsa
                && PublicKey::rsa(public_key.algorithm(), &modulus, &exponent).as_ref() != Ok(public_key)
            {
                return Err(other());
            }
            if let Some(engine) = engine.filter(|engine| engine != "pkcs11") {
                losses.add(None, "Engine", Quote::of(&engine), Reason::NoPlace)?;
            }
            return Ok(PrivatePart::Token(key));
        }
        PrivateKey::Rsa(integers) => {
            let found = PublicKey::rsa(public_key.algorithm(), &integers.modulus, &integers.exponent);
            if found.as_ref() != Ok(public_key) {
                return Err(other());
            }
            SoftwareSecret::Rsa(integers.secret)
        }
        PrivateKey::Scalar(scalar) => {
            let secret = SoftwareSecret::Scalar(scalar);
            if !secret.is_of(public_key) {
                return Err(other());
            }
            secret
        }
    };
    Ok(PrivatePart::Software(SoftwareKey {
        public_key: public_key.clone(),
        secret,
    }))
}
