//! The release of a zone: read, signed, checked, and only then put in the place of the last one.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufReader};
use std::path::Path;
use std::time::Instant;

use cli::{Exit, Failure, Outcome};
use dnssec::{
    CheckError, Checked, KeptSignatures, SignError, SignPlan, SignedZone, Zone, ZoneKey, ds_at_parent, sign,
};
use key_metadata::policy::SerialPolicy;
use key_metadata::store::replace;
use key_metadata::{Advice, KeyRecord, SiteFolder, Time, TokenName, ZoneName};

use super::last::{last_release, last_size, release_of, unreadable, write_state};
use super::outcome::{Asked, Listener, MissedToken, NotReleased, Released};
use super::prepare::{KeyTokens, Prepared, holder, signing_tags};
use super::sources::{last_signatures, read, serial, signed_keys};
use crate::band::{self, Size};
use crate::figures::{Counted, Figures};
use crate::same::Same;

/// So many delegations that cannot be followed are told.
const MOST_TOLD: usize = 5;

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
        let mut missed = Vec::new();
        for of_key in made.missed.drain(..) {
            if let Some(token) = holder(&self.tokens, of_key.tag, of_key.holder) {
                let (token, failure) = (token.clone(), of_key.error.into());
                MissedToken { token, failure }.join(&mut missed);
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
