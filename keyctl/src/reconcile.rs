//! `reconcile`: what a run that was killed had begun in a token is brought to its end.

use std::fmt;

use clap::Args;
use cli::{ChangeArguments, Exit, Failure, Outcome, Output, ReportArguments, SiteArguments, ZoneChoice};
use dnssec::{Presence, SiteTokens, TrialError};
use key_metadata::pending::{Operation, Pending};
use key_metadata::step::Step;
use key_metadata::store::Lock;
use key_metadata::{
    Action, Backup, Change, KeyId, KeyRecord, KeySpec, KeyState, KeyTimes, Role, SiteFolder, TokenName,
    ZoneKeys, ZoneName,
};
use serde::Serialize;

use crate::open::open;
use crate::random::random;

/// The options of `reconcile`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    zones: ZoneChoice,
    #[command(flatten)]
    change: ChangeArguments,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    report: ReportArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    version: u32,
    mended: Vec<Mended>,
}

/// What was begun for one key, and what came of it.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Mended {
    pub zone: ZoneName,
    pub id: KeyId,
    pub token: TokenName,
    pub role: Option<Role>,
    pub key_tag: Option<u16>,
    pub outcome: Ending,
}

/// How an interrupted operation ended.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The pair is whole and signs: it is a key of the zone now.
    Adopted,
    /// A key that its token had lost is back there, and signs.
    Restored,
    /// The token had not made it.
    NeverMade,
    /// What there was of it was unusable, and was taken out of the token.
    Discarded,
    /// It is destroyed.
    Destroyed,
    /// It is to be looked for in the token (`--dry-run`).
    Interrupted,
}

impl fmt::Display for Mended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = &self.zone;
        match (self.role, self.key_tag) {
            (Some(role), Some(tag)) => write!(f, "{zone} {role} {tag}: ")?,
            (Some(role), None) => write!(f, "{zone} {role}: ")?,
            (None, _) => write!(f, "{zone} key {}: ", self.id)?,
        }
        f.write_str(match self.outcome {
            Ending::Adopted => "adopted; it was made, and the run ended before it was recorded",
            Ending::Restored => "is back; it was restored, and the run ended before that was recorded",
            Ending::NeverMade => "was not made",
            Ending::Discarded => "discarded; what the token had of it was no key that can be used",
            Ending::Destroyed => "destroyed; the run that destroyed it had ended before that was recorded",
            Ending::Interrupted => "was interrupted; the token would be asked what there is",
        })?;
        write!(f, ", token '{}'", self.token)
    }
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let mut mender = Mender {
            site,
            folder: &folder,
            change: &self.change,
        };
        let mut tokens = SiteTokens::new(&folder);
        let mut mended = Vec::new();
        let mut result = Ok(());
        for zone in self.zones.zones(&folder)? {
            let outcome = if self.dry_run {
                interrupted(&folder, &zone)
            } else {
                mend_zone(&mut mender, &mut tokens, &zone)
            };
            match outcome {
                Ok(lines) => {
                    if !self.report.json {
                        lines.iter().try_for_each(|line| output.line(line.to_string()))?;
                    }
                    mended.extend(lines);
                }
                Err(failure) => {
                    result = Err(failure);
                    break;
                }
            }
        }
        if !self.report.json && mended.is_empty() && result.is_ok() {
            output.say("nothing was interrupted");
        }
        let done = mended.iter().any(|line| line.outcome != Ending::Interrupted);
        if self.report.json {
            output.json(&Report { version: 1, mended })?;
        }
        result.map_err(|failure: Failure| if done { failure.part_way() } else { failure })
    }
}

/// The zone's lock is taken only where there is anything to be done.
fn mend_zone(mender: &mut Mender<'_>, tokens: &mut SiteTokens<'_>, zone: &ZoneName) -> Outcome<Vec<Mended>> {
    if mender.folder.keys(zone)?.pending().is_empty() {
        return Ok(Vec::new());
    }
    let lock = mender.folder.lock_keys(zone)?;
    let mut keys = mender.folder.keys(zone)?;
    mender.mend(&mut keys, tokens, &lock)
}

fn interrupted(folder: &SiteFolder, zone: &ZoneName) -> Outcome<Vec<Mended>> {
    let keys = folder.keys(zone)?;
    let line = |pending: &Pending| line(&keys, pending, Ending::Interrupted);
    Ok(keys.pending().iter().map(line).collect())
}

fn line(keys: &ZoneKeys, pending: &Pending, outcome: Ending) -> Mended {
    let key = keys.key(pending.id);
    let to_be = match &pending.operation {
        Operation::Generate { role, .. } => Some(*role),
        Operation::Import | Operation::Restore { .. } | Operation::Destroy { .. } => None,
    };
    Mended {
        zone: keys.zone().clone(),
        id: pending.id,
        token: pending.token.clone(),
        role: key.map(|key| key.role).or(to_be),
        key_tag: key.map(KeyRecord::key_tag),
        outcome,
    }
}

/// Brings what was begun to its end.
pub struct Mender<'a> {
    pub site: &'a SiteArguments,
    pub folder: &'a SiteFolder,
    pub change: &'a ChangeArguments,
}

impl Mender<'_> {
    /// Ends everything that is pending in a zone, and records each end as soon as it is reached.
    pub fn mend(
        &mut self,
        keys: &mut ZoneKeys,
        tokens: &mut SiteTokens<'_>,
        lock: &Lock,
    ) -> Outcome<Vec<Mended>> {
        let mut mended = Vec::new();
        for pending in keys.pending().to_vec() {
            open(tokens, self.site, self.folder, &pending.token)?;
            let ending = self.end(&pending, keys, tokens).map_err(|failure| {
                failure.within(format!(
                    "what was begun at {} for key {} is not brought to its end",
                    pending.since, pending.id
                ))
            })?;
            keys.settle(pending.id, &pending.token);
            self.folder.write_keys(keys, lock)?;
            mended.push(line(keys, &pending, ending));
        }
        Ok(mended)
    }

    fn end(&self, pending: &Pending, keys: &mut ZoneKeys, tokens: &SiteTokens<'_>) -> Outcome<Ending> {
        let discard = || -> Outcome<Ending> {
            let found = tokens.destroy_by(&pending.token, pending.id)?;
            let unfinished = tokens.remove_unfinished(&pending.token, pending.id)?;
            Ok(match found {
                Presence::Absent if !unfinished => Ending::NeverMade,
                Presence::Absent | Presence::PrivateOnly | Presence::PublicOnly | Presence::Whole => {
                    Ending::Discarded
                }
            })
        };
        match (&pending.operation, keys.key(pending.id).cloned()) {
            // Recorded, and only not taken out here.
            (Operation::Generate { .. } | Operation::Import, Some(_)) => Ok(Ending::Adopted),
            (Operation::Generate { .. }, None) => match tokens.find(&pending.token, pending.id)? {
                Presence::Absent | Presence::PrivateOnly | Presence::PublicOnly => discard(),
                Presence::Whole => match self.whole(pending, keys, tokens)? {
                    Some(key) => {
                        let change = self.entry(Action::Adopt, pending);
                        keys.add(key, change);
                        Ok(Ending::Adopted)
                    }
                    None => discard(),
                },
            },
            (Operation::Import, None) => discard(),
            // The key of the record was lost from its token, and is on its way back there.
            (Operation::Restore { .. }, Some(key))
                if *tokens.token_of(&key)? == pending.token
                    && tokens.presence_of(&key)? == Presence::Whole
                    && proves(&key, tokens)? =>
            {
                Ok(Ending::Restored)
            }
            (Operation::Restore { .. }, _) => discard(),
            // What is in use is not destroyed, whatever stands here.
            (Operation::Destroy { .. }, Some(key)) if key.state.in_zone() || key.signs() => {
                let (role, tag, state) = (key.role, key.key_tag(), key.state);
                let failure = Failure::new(
                    Exit::SaysNo,
                    format!("{role} {tag} is {state}, and was to be destroyed"),
                );
                Err(failure.hint("take the entry out of 'pending' in the zone's key file by hand".to_owned()))
            }
            (Operation::Destroy { .. }, Some(mut key)) => {
                if tokens.presence_of(&key)? != Presence::Absent {
                    tokens.destroy(&key)?;
                }
                key.take(Step::Destroy, cli::now());
                let change = self.entry(Action::Destroy, pending);
                keys.replace(key, change);
                Ok(Ending::Destroyed)
            }
            (Operation::Destroy { .. }, None) => Ok(Ending::Destroyed),
        }
    }

    /// The record of a pair that is whole, if it is what was asked for, signs, and has tags that are free.
    fn whole(
        &self,
        pending: &Pending,
        keys: &ZoneKeys,
        tokens: &SiteTokens<'_>,
    ) -> Outcome<Option<KeyRecord>> {
        let Operation::Generate {
            role,
            algorithm,
            bits,
            extractability,
        } = pending.operation
        else {
            return Ok(None);
        };
        let usage = |error| Failure::of(Exit::Failed, &error);
        let spec = KeySpec::new(algorithm, Some(bits)).map_err(usage)?;
        let (public_key, reference) = tokens.made(&pending.token, pending.id, algorithm)?;
        let key = KeyRecord {
            id: pending.id,
            role,
            public_key,
            reference,
            state: KeyState::Generated,
            times: KeyTimes::generated(pending.since),
            backup: Backup::none(extractability),
        };
        let zone = self.folder.site().zones.get(keys.zone());
        let foreign = zone.map_or(&[][..], |zone| &zone.foreign_key_tags);
        let fits = key.public_key.bits() == spec.bits() && keys.check_tags(&key, foreign).is_ok();
        Ok((fits && proves(&key, tokens)?).then_some(key))
    }

    fn entry(&self, action: Action, pending: &Pending) -> Change {
        let change = self.change.change(action, cli::now(), cli::tool!(), self.site);
        let begun = format!(
            "begun at {} by {}, and interrupted",
            pending.since, pending.operator
        );
        let begun = match &pending.operation {
            Operation::Destroy { reason: Some(reason) } => format!("{reason}; {begun}"),
            Operation::Generate { .. }
            | Operation::Import
            | Operation::Restore { .. }
            | Operation::Destroy { reason: None } => begun,
        };
        Change {
            reason: Some(
                change
                    .reason
                    .map_or(begun.clone(), |reason| format!("{reason}; {begun}")),
            ),
            ..change
        }
    }
}

/// Whether a key that is whole in its token is the one of its record, by a signature.
fn proves(key: &KeyRecord, tokens: &SiteTokens<'_>) -> Outcome<bool> {
    let nonce: [u8; 32] = random()?;
    match tokens.signing_key(key)?.prove(&key.public_key, &nonce) {
        Ok(()) => Ok(true),
        Err(TrialError::Verify) => Ok(false),
        Err(TrialError::Sign(_)) if tokens.is_unfinished(tokens.token_of(key)?, key.id)? => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Destroys what there is of a key that will not be recorded, and takes back the note of it; if that fails too, both are told, and the note
/// stays for the next run.
pub fn take_back(
    tokens: &SiteTokens<'_>,
    folder: &SiteFolder,
    token: &TokenName,
    id: KeyId,
    failure: Failure,
    keys: &mut ZoneKeys,
    lock: &Lock,
) -> Failure {
    let mut undo = || -> Outcome {
        tokens.destroy_by(token, id)?;
        tokens.remove_unfinished(token, id)?;
        keys.settle(id, token);
        Ok(folder.write_keys(keys, lock)?)
    };
    match undo() {
        Ok(()) => failure,
        Err(error) => {
            failure.and(error.within(format!("what there is of key {id} stays in token '{token}'")))
        }
    }
}
