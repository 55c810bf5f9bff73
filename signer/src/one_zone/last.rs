//! What was released of a zone last, and what failed since.

use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use cli::{Exit, Failure, Outcome};
use dnssec::serial_of;
use key_metadata::store::{Lock, StoreError};
use key_metadata::{LastFailure, Policy, Release, SiteFolder, Span, Time, ZoneName, ZoneState};

use super::outcome::{Asked, Listener};
use crate::band::Size;
use crate::figures::Figures;

/// What is kept of the last release, if it is of the signed zone that is there.
pub fn released(folder: &SiteFolder, name: &ZoneName) -> Option<Release> {
    let path = folder.signed_path(name);
    let octets = fs::metadata(&path).ok()?.len();
    // Without it, or where it was changed, the signed zone tells all of it.
    let release = folder.state(name).ok()?.release?;
    let serial = first_serial(&path, name)?;
    (release.octets == octets && release.serial == serial).then_some(release)
}

/// What was last released of a zone: as it was kept, or else as the signed zone itself tells, which is read for it.
pub fn last_release(folder: &SiteFolder, name: &ZoneName, now: Time) -> Outcome<Option<Release>> {
    if let Some(release) = released(folder, name) {
        return Ok(Some(release));
    }
    let path = folder.signed_path(name);
    let read = || -> io::Result<_> {
        let figures = Figures::of_file(&path, now)?;
        let Some(figures) = figures else {
            return Ok(None);
        };
        let replaced = fs::metadata(&path)?.mtime();
        let ago = now.unix_seconds().saturating_sub(replaced);
        let signed = now.before(Span::from_seconds(u32::try_from(ago).map_or(0, |ago| ago)));
        Ok(Some((figures, signed)))
    };
    let Some((figures, signed)) = read().map_err(|error| unreadable(&path, &error))? else {
        return Ok(None);
    };
    let serial = first_serial(&path, name).ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            format!("{}: its first line is no SOA record of {name}", path.display()),
        )
    })?;
    Ok(Some(release_of(&figures, serial, signed)))
}

/// The serial in the first line of a signed zone.
pub(super) fn first_serial(path: &Path, name: &ZoneName) -> Option<u32> {
    let mut line = Vec::new();
    // No SOA of ours is longer.
    let mut file = BufReader::new(fs::File::open(path).ok()?.take(1 << 16));
    file.read_until(b'\n', &mut line).ok()?;
    serial_of(&line, path, name)
}

/// What is kept of a zone with these figures.
pub(super) fn release_of(figures: &Figures, serial: u32, signed: Time) -> Release {
    Release {
        signed,
        serial,
        // A zone that was checked has signatures.
        first_expiration: figures.first_expiration.map_or(signed, |first| first),
        signatures: figures.signatures,
        records: figures.records,
        record_octets: figures.record_octets,
        octets: figures.octets,
    }
}

/// Writes what was released. The zone is published already: a failure is told, and no more.
pub(super) fn write_state(
    folder: &SiteFolder,
    name: &ZoneName,
    release: &Release,
    lock: &Lock,
    listener: &dyn Listener,
) {
    let mut state = ZoneState::new(name.clone());
    state.release = Some(release.clone());
    if let Err(error) = folder.write_state(&state, lock) {
        listener.warn(
            name,
            format!(
                "{}; status reads the whole zone instead",
                Failure::from(error).in_a_line()
            ),
        );
    }
}

/// Writes what failed beside what was last released. Where somebody else is at work on the zone, that one writes.
pub fn write_failure(folder: &SiteFolder, name: &ZoneName, failure: &Failure) -> Outcome {
    let lock = match folder.lock_signed(name) {
        Ok(lock) => lock,
        Err(StoreError::Locked { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let mut state = match folder.state(name) {
        Ok(state) => state,
        Err(_) => ZoneState::new(name.clone()),
    };
    state.failure = Some(LastFailure {
        at: cli::now(),
        error: failure.in_a_line(),
    });
    Ok(folder.write_state(&state, &lock)?)
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::of(Exit::Failed, error).within(format!("cannot read {}", path.display()))
}

/// What a zone is held against, and by how many percent it may differ: where the policy says so, and nobody accepted more.
pub(super) fn last_size(
    folder: &SiteFolder,
    name: &ZoneName,
    (policy, asked): (&Policy, Asked),
    now: Time,
    listener: &dyn Listener,
) -> Option<(Size, u8)> {
    let percent = policy.safety.largest_change.filter(|_| !asked.accept_change)?;
    match last_release(folder, name, now) {
        Ok(last) => Some((Size::from(&last?), percent)),
        // What is there is no signed zone, and takes none's place.
        Err(failure) => {
            let why = failure.in_a_line();
            listener.warn(
                name,
                format!("zone {name} is held against no last release: {why}"),
            );
            None
        }
    }
}
