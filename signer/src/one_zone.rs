//! One zone: read, signed, checked, and only then put in the place of the last one.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use cli::{Exit, Failure, Outcome, Progress, SiteArguments};
use dnssec::{
    CheckError, Checked, KeptSignatures, QueuedKey, SignError, SignPlan, SignedKeys, SignedZone, SiteTokens,
    Zone, ZoneKey, ds_at_parent, next_serial, serial_of, sign,
};
use key_metadata::policy::{KskSigns, SerialPolicy};
use key_metadata::store::{Lock, StoreError, replace};
use key_metadata::{
    Advice, KeyRecord, LastFailure, Policy, Release, SiteFolder, Span, Time, TokenName, ZoneKeys, ZoneName,
    ZoneState,
};
use zone::Reading;

use crate::band::{self, Size};
use crate::down::Down;
use crate::figures::{Counted, Figures};
use crate::pins::Pins;
use crate::same::Same;
use crate::verify::count;

/// So many delegations that cannot be followed are told.
const MOST_TOLD: usize = 5;

/// Whom a signing tells what deserves a look, and how far it is, from any thread.
pub trait Listener: Sync {
    /// Something deserves a look.
    fn warn(&self, zone: &ZoneName, text: String);
    /// A bar over so many pieces.
    fn progress(&self, what: &str, length: u64) -> Progress;
    /// A file is about to be read, of which the zone is made.
    fn opens(&self, _file: &Path) {}
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
    /// When it was signed, or found as it is to be.
    pub at: Time,
    /// Whether anything changed; otherwise the signed zone was left as it was.
    pub is_new: bool,
    /// Whether its name server is to hear of it: something changed, or something failed last time.
    pub is_to_be_told: bool,
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
    /// The tokens that hold them and did their part, and how many signatures each made.
    pub tokens: BTreeMap<TokenName, usize>,
    /// Those that did not, while others that hold their keys did.
    pub missed: Vec<MissedToken>,
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

/// A token whose work others did.
#[derive(Clone, Debug)]
pub struct MissedToken {
    /// Its name.
    pub token: TokenName,
    /// Why it did not do it.
    pub failure: Failure,
}

impl MissedToken {
    /// What is told of it.
    pub fn text(&self) -> String {
        format!(
            "token '{}' did not sign, and others that hold its keys did: {}",
            self.token,
            self.failure.in_a_line()
        )
    }
}

impl Released {
    /// How many signatures there are, those of `made` by whom that says.
    pub fn signatures(&self, by: &str) -> String {
        let made = count(self.made, "signature");
        match self.kept {
            0 => format!("{made}{by}"),
            kept => format!("{made}{by} and {kept} of before"),
        }
    }

    /// That nothing was due.
    pub fn unchanged(&self) -> String {
        format!("nothing is due, serial {} stays", self.release.serial)
    }
}

impl NotReleased {
    /// With the token, where it is one that is not there or refused.
    fn of_token(failure: Failure, token: Option<TokenName>) -> Self {
        Self {
            token: token.filter(|_| failure.exit() == Exit::Credential || failure.is_absence()),
            failure,
        }
    }

    /// Tells too why others could not do the work.
    fn beside(mut self, missed: &[MissedToken]) -> Self {
        for MissedToken { token, failure } in missed {
            let why = format!("token '{token}' does not sign: {}", failure.in_a_line());
            self.failure = self.failure.because(why);
        }
        self
    }

    fn note(&self, down: &Down) {
        if let Some(token) = &self.token {
            down.note(token, &self.failure);
        }
    }
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
    down: Arc<Down>,
}

/// A zone whose keys are at hand.
pub struct Prepared<'a> {
    folder: &'a SiteFolder,
    down: Arc<Down>,
    name: ZoneName,
    policy: Policy,
    records: ZoneKeys,
    keys: Vec<ZoneKey>,
    tokens: KeyTokens,
    missed: Vec<MissedToken>,
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
            down: Arc::new(Down::new(down)),
        }
    }

    /// What signing a zone would be. Nothing is written.
    pub fn plan(&self, name: &ZoneName, listener: &dyn Listener) -> Outcome<Planned> {
        let (_, policy) = self.folder.zone(name)?;
        let zone = read(self.folder, name, &policy, listener)?;
        let keys = self.folder.keys(name)?;
        let (serial, _) = serial(self.folder, &policy, &zone, name, cli::now())?;
        Ok(Planned {
            serial,
            keys: signing_tags(&keys, &policy),
        })
    }

    /// Whether a token failed since this was made: then it is not asked again, and others had better start anew.
    pub fn has_failed(&self) -> bool {
        self.down.has_more()
    }

    /// Finds the keys of a zone, and opens the tokens of those that sign.
    pub fn prepare(&mut self, name: &ZoneName) -> Result<Prepared<'a>, NotReleased> {
        let (_, policy) = self.folder.zone(name).map_err(Failure::from)?;
        let records = self.folder.keys(name).map_err(Failure::from)?;
        let mut prepared = Prepared {
            folder: self.folder,
            down: Arc::clone(&self.down),
            name: name.clone(),
            policy,
            records,
            keys: Vec::new(),
            tokens: KeyTokens::new(),
            missed: Vec::new(),
        };
        self.find_keys(&mut prepared)?;
        Ok(prepared)
    }

    /// The keys of a zone, those that sign with their private parts. A token is opened when the first key needs it.
    fn find_keys(&mut self, zone: &mut Prepared) -> Result<(), NotReleased> {
        for record in zone.records.keys() {
            let signing = match record.signs_with_signer(zone.policy.ksk_signs) {
                true => {
                    let (key, holders) = self.find_key(record, &mut zone.missed)?;
                    zone.tokens.push((record.present_key_tag(), holders));
                    Some(key)
                }
                false => None,
            };
            zone.keys.push(ZoneKey {
                record: record.clone(),
                signing,
            });
        }
        Ok(())
    }

    /// A key in all tokens that hold it, of which one at least is at hand.
    fn find_key(
        &mut self,
        record: &KeyRecord,
        missed: &mut Vec<MissedToken>,
    ) -> Result<(QueuedKey, Vec<TokenName>), NotReleased> {
        let home = self.tokens.token_of(record).map_err(Failure::from)?.clone();
        let found = self
            .open(&home)
            .and_then(|()| Ok(self.tokens.queued_key(record)?));
        let mut all = Vec::from_iter([(home.clone(), found)]);
        for replica in self.folder.site().replicas(&home) {
            let found = self.open(replica).and_then(|()| {
                let found = self.tokens.queued_replica(replica, record)?;
                found.ok_or_else(|| {
                    let (role, tag) = (record.role, record.key_tag());
                    Failure::new(
                        Exit::Failed,
                        format!("token '{replica}' is a replica of '{home}', and has no {role} {tag}"),
                    )
                    .hint(Some(
                        "restore the key there, or take the replica out of site.yaml".to_owned(),
                    ))
                })
            });
            all.push((replica.clone(), found));
        }
        let (mut key, mut holders, mut failed) = (None::<QueuedKey>, Vec::new(), Vec::new());
        for (token, found) in all {
            match found {
                Ok(found) => {
                    holders.push(token);
                    key = Some(match key {
                        Some(key) => key.and(found),
                        None => found,
                    });
                }
                Err(failure) => {
                    NotReleased::of_token(failure.clone(), Some(token.clone())).note(&self.down);
                    failed.push(MissedToken { token, failure });
                }
            }
        }
        match key {
            Some(key) => {
                for token in failed {
                    if missed.iter().all(|missed| missed.token != token.token) {
                        missed.push(token);
                    }
                }
                Ok((key, holders))
            }
            // The first is its home, which there always is.
            None => Err(failed.into_iter().next().map_or_else(
                || Failure::new(Exit::Failed, "no token holds the key").into(),
                |home| NotReleased::of_token(home.failure, Some(home.token)),
            )),
        }
    }

    /// Opens a token, if it is not open yet.
    fn open(&mut self, token: &TokenName) -> Outcome {
        if let Some(failure) = self.down.why(token) {
            return Err(failure);
        }
        let (arguments, folder, pins) = (self.arguments, self.folder, &mut *self.pins);
        self.tokens.open_with(token, |tokens| {
            pins.user_pin(arguments, folder, token, |handle| Ok(tokens.unseal(handle)?))
        })
    }
}

impl Prepared<'_> {
    /// Signs a zone, and puts it in the place of the last one.
    pub fn release(self, asked: Asked, listener: &dyn Listener) -> Result<Released, NotReleased> {
        let start = Instant::now();
        let Prepared {
            folder,
            down,
            ref name,
            policy,
            records,
            keys,
            tokens,
            mut missed,
        } = self;
        let signed_path = folder.signed_path(name);
        let lock = folder.lock_signed(name).map_err(Failure::from)?;
        let zone = read(folder, name, &policy, listener)?;
        let now = cli::now();
        let (serial, last_serial) = serial(folder, &policy, &zone, name, now)?;
        let last_size = last_size(folder, name, (&policy, asked), now, listener);
        if let Some((last, percent)) = last_size {
            // How many octets they are is known when they are written.
            let records = zone.len() as u64;
            band::check(name, last, Size { records, ..last }, percent)?;
        }
        let signed_keys = signed_keys(folder, name, &policy, &records, now)?;
        let plan = SignPlan {
            // A serial that is kept is the unsigned zone's, whatever else changed.
            last_serial: last_serial.filter(|_| policy.serial != SerialPolicy::Keep),
            signed_keys,
            ..SignPlan::new(&policy, serial, now)
        };
        let observations = folder.observations(name).map_err(Failure::from)?;
        let job = Job {
            name,
            keys,
            tokens,
            unpublished: records
                .keys()
                .iter()
                .filter(|key| key.signs_unpublished())
                .collect(),
            ds: ds_at_parent(name, records.keys(), &observations, now),
            now,
            folder,
            listener,
        };
        let last = match asked.full {
            true => KeptSignatures::default(),
            false => last_signatures(folder, name, listener)?,
        };
        let mut made = job
            .sign(zone, &plan, &last)
            .inspect_err(|not| not.note(&down))
            .map_err(|not| not.beside(&missed))?;
        let is_as_before = made.0.signatures == 0 && is_text_of(&made.0, &signed_path)?;
        if !is_as_before && made.0.serial != serial {
            let plan = SignPlan {
                last_serial: None,
                ..plan
            };
            made = job
                .sign(job.read()?, &plan, &last)
                .inspect_err(|not| not.note(&down))?;
        }
        let (mut made, checked) = made;
        for token in job.missed(&mut made) {
            down.note(&token.token, &token.failure);
            missed.push(token);
        }
        job.tell_delegations(&checked);
        let state = folder.state(name).ok();
        let had_failed = state.as_ref().is_some_and(|state| state.failure.is_some());
        let before = match is_as_before {
            true => last_release(folder, name, now)?,
            false => None,
        };
        let is_new = before.is_none();
        let release = match before {
            Some(release) => release,
            None => {
                let figures = put(&made, &signed_path, now, |figures| match last_size {
                    Some((last, percent)) => band::check(name, last, Size::from(figures), percent),
                    None => Ok(()),
                })?;
                keep(folder, name, &made, listener);
                release_of(&figures, made.serial, now)
            }
        };
        if is_new || had_failed {
            write_state(folder, name, &release, &lock, listener);
        }
        Ok(Released {
            release,
            at: now,
            is_new,
            is_to_be_told: is_new || had_failed,
            made: made.signatures,
            kept: made.kept,
            rrsets: checked.rrsets,
            denials: checked.denials,
            keys: signing_tags(&records, &policy),
            tokens: job.shares(&made, &missed),
            missed,
            milliseconds: start.elapsed().as_millis(),
        })
    }
}

/// What a zone is signed and checked with.
struct Job<'a> {
    name: &'a ZoneName,
    keys: Vec<ZoneKey>,
    tokens: KeyTokens,
    unpublished: Vec<&'a KeyRecord>,
    ds: Vec<Vec<u8>>,
    now: Time,
    folder: &'a SiteFolder,
    listener: &'a dyn Listener,
}

impl Job<'_> {
    /// The unsigned zone once more.
    fn read(&self) -> Outcome<Zone> {
        Ok(Zone::read(
            &self.folder.unsigned_path(self.name),
            self.name,
            &mut |_| {},
        )?)
    }

    /// Signs a zone and checks it: where signatures that were kept do not hold, anew.
    fn sign(
        &self,
        zone: Zone,
        plan: &SignPlan,
        last: &KeptSignatures,
    ) -> Result<(SignedZone, Checked), NotReleased> {
        let (made, checked) = self.attempt(zone, plan, last)?;
        match checked {
            Err(why) if made.kept > 0 && !why.is_of_parent() => {
                let name = self.name;
                self.listener.warn(
                    name,
                    format!("zone {name} is signed anew, not with signatures that were kept: {why}"),
                );
                let (made, checked) = self.attempt(self.read()?, plan, &KeptSignatures::default())?;
                Ok((made, checked.map_err(not_good)?))
            }
            Ok(_) | Err(_) => Ok((made, checked.map_err(not_good)?)),
        }
    }

    fn attempt(
        &self,
        zone: Zone,
        plan: &SignPlan,
        last: &KeptSignatures,
    ) -> Result<(SignedZone, Result<Checked, CheckError>), NotReleased> {
        let (name, length) = (self.name, zone.len() as u64);
        let progress = self.listener.progress(&format!("signing {name}"), length);
        let made = sign(zone, name, &self.keys, plan, last, &|count| progress.steps(count))
            .map_err(|error| not_signed(error, &self.tokens))?;
        drop(progress);
        let checked = made.check(&self.unpublished, self.ds.clone(), self.now);
        Ok((made, checked))
    }

    /// How many signatures each token made, but those that did not do their part.
    fn shares(&self, made: &SignedZone, missed: &[MissedToken]) -> BTreeMap<TokenName, usize> {
        let all = self.tokens.iter().flat_map(|(_, holders)| holders);
        let mut shares: BTreeMap<_, _> = all.map(|token| (token.clone(), 0)).collect();
        for ((tag, of), count) in &made.shares {
            if let Some(share) = holder(&self.tokens, *tag, *of).and_then(|token| shares.get_mut(token)) {
                *share += count;
            }
        }
        shares.retain(|token, _| missed.iter().all(|missed| missed.token != *token));
        shares
    }

    /// The tokens whose work others did.
    fn missed(&self, made: &mut SignedZone) -> Vec<MissedToken> {
        let mut missed: Vec<MissedToken> = Vec::new();
        for of_key in made.missed.drain(..) {
            if let Some(token) = holder(&self.tokens, of_key.tag, of_key.holder)
                && missed.iter().all(|missed| missed.token != *token)
            {
                missed.push(MissedToken {
                    token: token.clone(),
                    failure: of_key.error.into(),
                });
            }
        }
        missed
    }

    /// Tells of the first delegations that cannot be followed.
    fn tell_delegations(&self, checked: &Checked) {
        for problem in checked.delegations.iter().take(MOST_TOLD) {
            self.listener.warn(self.name, problem.to_string());
        }
        let more = checked.delegations.len().saturating_sub(MOST_TOLD);
        if more > 0 {
            let name = self.name;
            let text =
                format!("{more} more delegations of {name} lack addresses; keyrite-signer verify lists them");
            self.listener.warn(name, text);
        }
    }
}

/// Whether a file is the text of a zone already.
fn is_text_of(zone: &SignedZone, path: &Path) -> Outcome<bool> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(unreadable(path, &error)),
    };
    let mut same = Same::new(BufReader::new(file));
    match zone.write(&mut same, &|_| {}) {
        Ok(()) => same.is_at_the_end().map_err(|error| unreadable(path, &error)),
        Err(_) if same.differs => Ok(false),
        Err(error) => Err(Failure::of(Exit::Failed, &error)
            .within(format!("cannot hold the zone against {}", path.display()))),
    }
}

/// Puts a zone in the place of the last one, if its figures pass.
fn put(
    zone: &SignedZone,
    path: &Path,
    now: Time,
    passes: impl FnOnce(&Figures) -> Outcome,
) -> Outcome<Figures> {
    let (mut figures, mut refused) = (Figures::default(), None);
    let replaced = replace(path, |out| {
        let mut counted = Counted::new(out, now);
        zone.write(&mut counted, &|_| {}).map_err(io::Error::other)?;
        figures = counted.figures();
        passes(&figures).map_err(|failure| {
            refused = Some(failure);
            io::Error::other("it was refused")
        })
    });
    match refused {
        Some(failure) => Err(failure),
        None => Ok(replaced.map(|()| figures)?),
    }
}

/// The tags of the keys that sign here.
fn signing_tags(keys: &ZoneKeys, policy: &Policy) -> Vec<u16> {
    let signs = |key: &&KeyRecord| key.signs_with_signer(policy.ksk_signs);
    let signing = keys.keys().iter().filter(signs);
    signing.map(KeyRecord::key_tag).collect()
}

/// The tokens that hold each key that signs, by the tag of its DNSKEY.
type KeyTokens = Vec<(u16, Vec<TokenName>)>;

/// The holder of a key with that tag.
fn holder(tokens: &KeyTokens, tag: u16, holder: usize) -> Option<&TokenName> {
    let mut of_tag = tokens.iter().filter(|(of, _)| *of == tag);
    of_tag.find_map(|(_, holders)| holders.get(holder))
}

/// A failure to sign, and the token that it is of.
fn not_signed(error: SignError, tokens: &KeyTokens) -> NotReleased {
    let of_key = error.holder().and_then(|(tag, of)| holder(tokens, tag, of));
    let is_other = matches!(error, SignError::Unverified { .. });
    let mut failure = Failure::from(error);
    if let Some(token) = of_key.filter(|_| is_other) {
        failure = failure.because(format!("it was token '{token}' that gave it"));
    }
    // Where two keys have the tag, any token of the zone has it wait, so that none is asked over and over.
    let any = tokens.first().and_then(|(_, holders)| holders.first());
    NotReleased::of_token(failure, of_key.or(any).cloned())
}

fn read(folder: &SiteFolder, name: &ZoneName, policy: &Policy, listener: &dyn Listener) -> Outcome<Zone> {
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
fn serial(
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
fn signed_keys(
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
fn last_signatures(folder: &SiteFolder, name: &ZoneName, listener: &dyn Listener) -> Outcome<KeptSignatures> {
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

/// Keeps signatures for the next run, where the policy has any kept. The zone is published already: a failure is told, and no more.
fn keep(folder: &SiteFolder, name: &ZoneName, zone: &SignedZone, listener: &dyn Listener) {
    let path = folder.kept_path(name);
    let kept = match zone.has_keepable() {
        false => match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.to_string()),
            Ok(()) | Err(_) => Ok(()),
        },
        true => replace(&path, |out| zone.write_kept(out)).map_err(|error| error.to_string()),
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

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::of(Exit::Failed, error).within(format!("cannot read {}", path.display()))
}
