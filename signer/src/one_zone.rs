//! One zone: read, signed, checked, and only then put in the place of the last one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;

use cli::{Exit, Failure, Outcome, Progress, SiteArguments};
use dnssec::{
    CheckError, Checked, KeptSignatures, SignError, SignPlan, SiteTokens, Zone, ZoneKey, check, ds_at_parent,
    next_serial, serial_of, sign,
};
use key_metadata::store::{Lock, StoreError, replace};
use key_metadata::{
    Advice, KeyRecord, LastFailure, Policy, Release, SiteFolder, Span, Time, TokenName, ZoneKeys, ZoneName,
    ZoneState,
};

use crate::band::{self, Size};
use crate::figures::Figures;
use crate::pins::Pins;

/// Whom a signing tells what deserves a look, and how far it is.
pub trait Listener {
    /// Something deserves a look.
    fn warn(&self, zone: &ZoneName, text: String);
    /// A bar over so many pieces.
    fn progress(&self, what: &str, length: u64) -> Progress;
}

/// What is asked of a signing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// Every signature is made anew.
    pub full: bool,
    /// The zone may differ from the last one by more than the policy says.
    pub accept_change: bool,
}

/// A zone that took the place of the last one.
#[derive(Clone, Debug)]
pub struct Released {
    /// What is kept of it.
    pub release: Release,
    /// Signatures that were made.
    pub made: usize,
    /// Signatures of a run before.
    pub kept: usize,
    /// RRsets that are signed.
    pub rrsets: usize,
    /// NSEC or NSEC3 records.
    pub denials: usize,
    /// The keys that sign.
    pub keys: Vec<u16>,
    /// The tokens that hold them.
    pub tokens: Vec<TokenName>,
    /// How long it took.
    pub milliseconds: u128,
}

/// What a signing would be.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The serial.
    pub serial: u32,
    /// The keys that sign.
    pub keys: Vec<u16>,
}

/// Why a zone was not released.
#[derive(Clone, Debug)]
pub struct NotReleased {
    /// What failed and why.
    pub failure: Failure,
    /// The token that did not do its part, where it was one.
    pub token: Option<TokenName>,
}

impl From<Failure> for NotReleased {
    fn from(failure: Failure) -> Self {
        Self { failure, token: None }
    }
}

/// A site whose zones are signed, with its tokens, which stay open until this is dropped.
pub struct Signing<'a> {
    arguments: &'a SiteArguments,
    folder: &'a SiteFolder,
    pins: &'a mut Pins,
    tokens: SiteTokens<'a>,
    /// Tokens that are not asked again, and why.
    down: BTreeMap<TokenName, Failure>,
}

impl<'a> Signing<'a> {
    /// With no token open yet; those of `down` are not asked at all.
    pub fn new(
        arguments: &'a SiteArguments,
        folder: &'a SiteFolder,
        pins: &'a mut Pins,
        down: BTreeMap<TokenName, Failure>,
    ) -> Self {
        Self {
            arguments,
            folder,
            pins,
            tokens: SiteTokens::new(folder),
            down,
        }
    }

    /// What signing a zone would be. Nothing is written.
    pub fn plan(&self, name: &ZoneName, listener: &dyn Listener) -> Outcome<Planned> {
        let (_, policy) = self.folder.zone(name)?;
        let zone = read(self.folder, name, &policy, listener)?;
        let keys = self.folder.keys(name)?;
        let serial = serial(self.folder, &policy, &zone, name, cli::now())?;
        Ok(Planned {
            serial,
            keys: signing_tags(&keys),
        })
    }

    /// Signs a zone, and puts it in the place of the last one.
    pub fn release(
        &mut self,
        name: &ZoneName,
        asked: Asked,
        listener: &dyn Listener,
    ) -> Result<Released, NotReleased> {
        let start = Instant::now();
        let folder = self.folder;
        let (_, policy) = folder.zone(name).map_err(Failure::from)?;
        let signed_path = folder.signed_path(name);
        let lock = folder.lock_signed(name).map_err(Failure::from)?;
        let zone = read(folder, name, &policy, listener)?;
        let records = folder.keys(name).map_err(Failure::from)?;
        let now = cli::now();
        let serial = serial(folder, &policy, &zone, name, now)?;
        let last_size = last_size(folder, name, (&policy, asked), now, listener);
        if let Some((last, percent)) = last_size {
            // How many octets they are is known when they are written.
            let records = zone.len() as u64;
            band::check(name, last, Size { records, ..last }, percent)?;
        }
        let (keys, tokens) = self.zone_keys(&records)?;
        let plan = SignPlan::new(&policy, serial, now);
        let unpublished: Vec<_> = records
            .keys()
            .iter()
            .filter(|key| key.signs_unpublished())
            .collect();
        let observations = folder.observations(name).map_err(Failure::from)?;
        let ds = ds_at_parent(name, records.keys(), &observations, now);
        let last = match asked.full {
            true => KeptSignatures::default(),
            false => last_signatures(folder, name, listener)?,
        };
        let attempt = |zone: Zone, last: &KeptSignatures| {
            let progress = listener.progress(&format!("signing {name}"), zone.len() as u64);
            let made = sign(zone, name, &keys, &plan, last, || progress.step())
                .map_err(|error| not_signed(error, &tokens))?;
            drop(progress);
            let checked = check(&made.text, name, &unpublished, ds.clone(), now);
            Ok::<_, NotReleased>((made, checked))
        };
        let (mut made, mut checked) = attempt(zone, &last).inspect_err(|not| self.note(not))?;
        if made.kept > 0
            && let Err(why) = &checked
            && !why.is_of_parent()
        {
            listener.warn(
                name,
                format!("zone {name} is signed anew, not with signatures that were kept: {why}"),
            );
            let zone = read(folder, name, &policy, listener)?;
            (made, checked) = attempt(zone, &KeptSignatures::default()).inspect_err(|not| self.note(not))?;
        }
        // The text that was checked is the text that is published.
        let Checked { rrsets, denials, .. } = checked.map_err(not_good)?;
        let figures =
            Figures::of(made.text.as_bytes(), now).map_err(|error| unreadable(&signed_path, &error))?;
        if let Some((last, percent)) = last_size {
            band::check(name, last, Size::from(&figures), percent)?;
        }
        replace(&signed_path, |out| out.write_all(made.text.as_bytes())).map_err(Failure::from)?;
        keep(folder, name, &made.keepable, listener);
        let release = release_of(&figures, serial, now);
        write_state(folder, name, &release, &lock, listener);
        Ok(Released {
            release,
            made: made.signatures,
            kept: made.kept,
            rrsets,
            denials,
            keys: signing_tags(&records),
            tokens,
            milliseconds: start.elapsed().as_millis(),
        })
    }

    /// The keys of a zone, those that sign with their private parts, and the tokens that hold these. A token is opened when the first key needs it.
    fn zone_keys(&mut self, records: &ZoneKeys) -> Result<(Vec<ZoneKey>, Vec<TokenName>), NotReleased> {
        let mut tokens = BTreeSet::new();
        let mut keys = Vec::new();
        for record in records.keys() {
            let signing = match record.signs() {
                true => {
                    let token = self.tokens.token_of(record).map_err(Failure::from)?.clone();
                    let found = self
                        .open(&token)
                        .and_then(|()| Ok(self.tokens.signing_key(record)?));
                    tokens.insert(token.clone());
                    Some(found.map_err(|failure| {
                        let token = Some(token)
                            .filter(|_| failure.exit() == Exit::Credential || failure.is_absence());
                        let not = NotReleased { failure, token };
                        self.note(&not);
                        not
                    })?)
                }
                false => None,
            };
            keys.push(ZoneKey {
                record: record.clone(),
                signing,
            });
        }
        Ok((keys, tokens.into_iter().collect()))
    }

    /// Opens a token, if it is not open yet.
    fn open(&mut self, token: &TokenName) -> Outcome {
        if let Some(failure) = self.down.get(token) {
            return Err(failure.clone());
        }
        let (arguments, folder, pins) = (self.arguments, self.folder, &mut *self.pins);
        self.tokens.open_with(token, |tokens| {
            pins.user_pin(arguments, folder, token, |handle| Ok(tokens.unseal(handle)?))
        })
    }

    /// A token that failed is not asked again: it would be as slow to fail, or lock.
    fn note(&mut self, not: &NotReleased) {
        if let Some(token) = &not.token {
            self.down
                .entry(token.clone())
                .or_insert_with(|| not.failure.clone());
        }
    }
}

/// The tags of the keys that sign.
fn signing_tags(keys: &ZoneKeys) -> Vec<u16> {
    let signing = keys.keys().iter().filter(|key| key.signs());
    signing.map(KeyRecord::key_tag).collect()
}

/// A failure to sign, and the token that it is of: what token an error is of is known only where there is one.
fn not_signed(error: SignError, tokens: &[TokenName]) -> NotReleased {
    let is_absence = match &error {
        SignError::Token { source, .. } => source.is_absence(),
        _ => false,
    };
    let failure = Failure::from(error);
    let failure = match is_absence {
        true => failure.of_absence(),
        false => failure,
    };
    let token = match tokens {
        [only] => Some(only.clone()),
        [] | [_, ..] => None,
    };
    NotReleased {
        token: token.filter(|_| failure.exit() == Exit::Credential || failure.is_absence()),
        failure,
    }
}

fn read(folder: &SiteFolder, name: &ZoneName, policy: &Policy, listener: &dyn Listener) -> Outcome<Zone> {
    let zone = Zone::read(&folder.unsigned_path(name), name)?;
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

/// The next serial; it rises from that of the last signed zone.
fn serial(folder: &SiteFolder, policy: &Policy, zone: &Zone, name: &ZoneName, now: Time) -> Outcome<u32> {
    let signed = folder.signed_path(name);
    let last = match fs::read(&signed) {
        Ok(text) => serial_of(&text, &signed, name),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(unreadable(&signed, &error)),
    };
    // A zone that was read has a SOA.
    let unsigned = zone.serial().map_or(0, |serial| serial);
    Ok(next_serial(policy.serial, unsigned, last, now)?)
}

/// The signatures of the last run, as far as they can be kept: that none can costs time, and nothing else.
fn last_signatures(folder: &SiteFolder, name: &ZoneName, listener: &dyn Listener) -> Outcome<KeptSignatures> {
    let path = folder.kept_path(name);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(KeptSignatures::default()),
        Err(error) => return Err(unreadable(&path, &error)),
    };
    Ok(KeptSignatures::of_bytes(&bytes).map_or_else(
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

/// Keeps signatures for the next run, where the policy has any kept. The zone is published already: a failure is told, and no more.
fn keep(folder: &SiteFolder, name: &ZoneName, keepable: &KeptSignatures, listener: &dyn Listener) {
    let path = folder.kept_path(name);
    let kept = match keepable.is_empty() {
        true => match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.to_string()),
            Ok(()) | Err(_) => Ok(()),
        },
        false => replace(&path, |out| out.write_all(&keepable.to_bytes())).map_err(|error| error.to_string()),
    };
    if let Err(error) = kept {
        listener.warn(
            name,
            format!(
                "{}: {error}; the next run makes every signature anew",
                path.display()
            ),
        );
    }
}

/// A check that says no: where it is of the parent alone, nothing here mends it.
fn not_good(error: CheckError) -> Failure {
    match error.is_of_parent() {
        true => Failure::of(Exit::SaysNo, &error).hint(error.hint()),
        false => error.into(),
    }
}

/// What a zone is held against, and by how many percent it may differ: where the policy says so, and nobody accepted more.
fn last_size(
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
fn first_serial(path: &Path, name: &ZoneName) -> Option<u32> {
    let mut line = Vec::new();
    // No SOA of ours is longer.
    let mut file = BufReader::new(fs::File::open(path).ok()?.take(1 << 16));
    file.read_until(b'\n', &mut line).ok()?;
    serial_of(&line, path, name)
}

/// What is kept of a zone with these figures.
fn release_of(figures: &Figures, serial: u32, signed: Time) -> Release {
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
fn write_state(
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
pub fn write_failure(folder: &SiteFolder, name: &ZoneName, failure: LastFailure) -> Outcome {
    let lock = match folder.lock_signed(name) {
        Ok(lock) => lock,
        Err(StoreError::Locked { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let mut state = match folder.state(name) {
        Ok(state) => state,
        Err(_) => ZoneState::new(name.clone()),
    };
    state.failure = Some(failure);
    Ok(folder.write_state(&state, &lock)?)
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::of(Exit::Failed, error).within(format!("cannot read {}", path.display()))
}
