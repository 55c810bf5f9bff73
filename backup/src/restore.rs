//! `restore`: keys of a bundle into a token, proved by a signature (D3).

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use backup::manifest::KeyEntry;
use backup::payload::CopyForm;
use backup::{BundleFolder, BundleKind, KeyCopy, record_drill};
use clap::Args;
use cli::{
    ChangeArguments, Exit, Failure, Outcome, Output, Progress, ReportArguments, SiteArguments, ZoneChoice,
};
use dnssec::{KeyEncryptionKey, Mentions, Presence, RecoverySecret, Restorer, SiteTokens};
use key_metadata::backup::DrillLevel;
use key_metadata::pending::{Operation, Pending};
use key_metadata::store::Lock;
use key_metadata::{Action, KeyId, KeyRecord, KeyState, SiteFolder, Time, TokenName, ZoneKeys, ZoneName};
use serde::Serialize;

use crate::given::ShareArguments;
use crate::mend::Bench;
use crate::named::BundleArgument;
use crate::random::random;
use crate::restoring;
use crate::tokens::open;

/// The options of `restore`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    bundle: BundleArgument,
    #[command(flatten)]
    zones: ZoneChoice,
    /// Only the key of that tag or id
    #[arg(long, value_name = "TAG|ID")]
    key: Option<String>,
    /// The token that the keys go into, by its name in site.yaml
    #[arg(long, value_name = "NAME")]
    to: TokenName,
    #[command(flatten)]
    shares: ShareArguments,
    /// From now on the zones' keys are those in that token. Without it this is a drill, and they are taken out again
    #[arg(long = "move")]
    stays: bool,
    /// Restore also from a bundle that is past its time or superseded, where no newer one can be used
    #[arg(long)]
    although_expired: bool,
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
    bundle: String,
    restored: Vec<Line>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line {
    key: String,
    token: String,
    /// How it came into the token: `C_UnwrapKey` and so on.
    how: String,
    /// Whether its DNSKEY, under which it was proved, is in the signed zone; absent where there is none, or the key should not be in it.
    published: Option<bool>,
    /// Whether it stays there, and the zone's key is that one now.
    stays: bool,
}

impl Line {
    fn text(&self) -> String {
        let then = match self.stays {
            true => "and signs there from now on",
            false => "and taken out again",
        };
        let under = match self.published {
            Some(true) => " under the DNSKEY that is published",
            Some(false) => " under its DNSKEY, which the signed zone does not have",
            None => "",
        };
        format!(
            "{}: restored into token '{}' by {}, proved by a signature{under}, {then}",
            self.key, self.token, self.how
        )
    }
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let bundle = self.bundle.open(Some(&folder))?;
        let wanted = self.wanted(&bundle, &folder)?;
        if !folder.site().tokens.contains_key(&self.to) {
            let failure = Failure::new(Exit::Usage, format!("the site has no token named '{}'", self.to));
            return Err(failure.hint(format!("its tokens are {}", names(&folder))));
        }
        let now = cli::now();
        let bench = Bench {
            site,
            folder: &folder,
            change: &self.change,
            now,
        };
        let lock = match self.dry_run {
            true => None,
            false => Some(bench.take(output)?),
        };
        let given = self.shares.read()?;
        let opened = restoring::open(&bundle, given, &folder, self.although_expired, now, output)?;
        if lock.is_none() {
            return wanted.iter().try_for_each(|(entry, _)| {
                output.line(format!(
                    "{}: would be restored into token '{}'",
                    entry.name(),
                    self.to
                ))
            });
        }
        let mut tokens = SiteTokens::new(&folder);
        open(&mut tokens, site, &folder, &self.to)?;
        let progress = Progress::new("restoring", wanted.len() as u64);
        let wanted: Vec<Wanted<'_>> = wanted
            .into_iter()
            .filter_map(|(entry, place)| Some((entry, opened.payload.keys.get(place)?)))
            .collect();
        let run = Run {
            arguments: self,
            site,
            folder: &folder,
            bundle: &bundle,
            parents: &opened.parents,
            tokens: &tokens,
            now,
        };
        let kek = opened
            .payload
            .kek
            .as_ref()
            .map(|kek| KeyEncryptionKey::new(kek.clone()));
        let needs_kek = wanted
            .iter()
            .any(|(_, copy)| matches!(copy.form, CopyForm::Wrapped(_)));
        let mut restorer = tokens.restorer(&self.to, kek.as_ref().filter(|_| needs_kek))?;
        let (moved, left) = run.moved(wanted)?;
        // What a run that was killed after another zone has done; where there is nothing else to do, it is refused like any key that is there.
        let wanted = match left.is_empty() {
            true => moved,
            false => {
                let tell = |(entry, _): &Wanted<'_>| {
                    output.say(format!(
                        "{} is in token '{}' already, and signs",
                        entry.name(),
                        self.to
                    ));
                };
                progress.without(|| moved.iter().for_each(tell));
                left
            }
        };
        let mut lines = Vec::new();
        let mut result = Ok(());
        for (zone, keys) in by_zone(&wanted) {
            let (restored, outcome) = run.zone(zone, &keys, &mut restorer, &progress);
            if !self.report.json {
                progress.without(|| restored.iter().try_for_each(|line| output.line(line.text())))?;
            }
            lines.extend(restored);
            if outcome.is_err() {
                result = outcome;
                break;
            }
        }
        drop(progress);
        let any = !lines.is_empty();
        if self.report.json {
            output.json(&Report {
                version: 1,
                bundle: bundle.id().to_string(),
                restored: lines,
            })?;
        }
        if any {
            output.say(format!(
                "the secret of bundle {} was in this machine's memory: deal a new one, keyrite-backup rewrap start --bundle {0}",
                bundle.id()
            ));
        }
        result.map_err(|failure| if any { failure.part_way() } else { failure })
    }

    /// The keys of the bundle that are meant.
    fn wanted<'b>(
        &self,
        bundle: &'b BundleFolder,
        folder: &SiteFolder,
    ) -> Outcome<Vec<(&'b KeyEntry, usize)>> {
        let header = &bundle.manifest.header;
        if header.kind != BundleKind::Keys {
            let failure = Failure::new(
                Exit::Usage,
                format!("bundle {} holds no keys of zones", bundle.id()),
            );
            return Err(failure.hint("'keyrite-backup list' shows what each holds".to_owned()));
        }
        let zones = self.zones.zones(folder)?;
        let is_named = |entry: &KeyEntry, wanted: &str| {
            wanted == entry.key_tag.to_string() || wanted == entry.id.to_string()
        };
        let wanted = header.keys.iter().enumerate().filter(|(_, entry)| {
            zones.contains(&entry.zone) && self.key.as_deref().is_none_or(|wanted| is_named(entry, wanted))
        });
        let wanted: Vec<_> = wanted.map(|(place, entry)| (entry, place)).collect();
        match wanted.is_empty() {
            false => Ok(wanted),
            true => {
                let failure = Failure::new(Exit::Usage, format!("bundle {} holds no such key", bundle.id()));
                Err(failure.hint(format!(
                    "it holds {}",
                    header
                        .keys
                        .iter()
                        .map(KeyEntry::name)
                        .collect::<Vec<_>>()
                        .join(", ")
                )))
            }
        }
    }
}

fn names(folder: &SiteFolder) -> String {
    let names: Vec<_> = folder.site().tokens.keys().map(ToString::to_string).collect();
    names.join(", ")
}

/// Keys in the order of the bundle, those of a zone together.
fn by_zone<'k>(wanted: &[Wanted<'k>]) -> Vec<(&'k ZoneName, Vec<Wanted<'k>>)> {
    let mut zones: Vec<(&ZoneName, Vec<Wanted<'_>>)> = Vec::new();
    for one in wanted {
        let zone = &one.0.zone;
        match zones.iter_mut().find(|(known, _)| *known == zone) {
            Some((_, keys)) => keys.push(*one),
            None => zones.push((zone, vec![*one])),
        }
    }
    zones
}

/// A key of the bundle, and its copy.
type Wanted<'k> = (&'k KeyEntry, &'k KeyCopy);

/// A key that was restored, with the record that it has from now on.
struct Done {
    line: Line,
    record: KeyRecord,
}

/// One run over several keys.
struct Run<'a> {
    arguments: &'a Arguments,
    site: &'a SiteArguments,
    folder: &'a SiteFolder,
    bundle: &'a BundleFolder,
    parents: &'a [(String, RecoverySecret)],
    tokens: &'a SiteTokens<'a>,
    now: Time,
}

impl Run<'_> {
    /// The keys of one zone: those that were restored, and what stopped it before the others were.
    ///
    /// All are noted in the zone's file before the token is asked for the first, and the write that records what was restored takes back all notes:
    /// a zone of a hundred keys is written twice, not two hundred times. A run that is killed between the two leaves the notes, by which the next
    /// one takes out whatever is there.
    fn zone(
        &self,
        zone: &ZoneName,
        wanted: &[Wanted<'_>],
        restorer: &mut Restorer<'_>,
        progress: &Progress,
    ) -> (Vec<Line>, Outcome) {
        match self.noted(zone, wanted) {
            Ok((lock, keys, records)) => {
                let wanted = wanted.iter().zip(records);
                self.all(keys, &lock, wanted, restorer, progress)
            }
            Err(failure) => (Vec::new(), Err(failure)),
        }
    }

    /// The keys that are to be moved, and are in that token already by their records too, and sign there; and the others.
    fn moved<'k>(&self, wanted: Vec<Wanted<'k>>) -> Outcome<(Vec<Wanted<'k>>, Vec<Wanted<'k>>)> {
        let (mut moved, mut left) = (Vec::new(), Vec::new());
        if !self.arguments.stays {
            return Ok((moved, wanted));
        }
        for (zone, wanted) in by_zone(&wanted) {
            let keys = self.folder.keys(zone)?;
            for one in wanted {
                match self.is_moved(one.0, &keys)? {
                    true => moved.push(one),
                    false => left.push(one),
                }
            }
        }
        Ok((moved, left))
    }

    fn is_moved(&self, entry: &KeyEntry, keys: &ZoneKeys) -> Outcome<bool> {
        let to = &self.arguments.to;
        let begun = keys
            .pending()
            .iter()
            .any(|pending| pending.id == entry.id && pending.token == *to);
        let Some(record) = keys.key(entry.id).filter(|record| entry.is(record) && !begun) else {
            return Ok(false);
        };
        let place = self.folder.site().token_of(&record.reference);
        if place.is_none_or(|(name, _)| name != to) || self.tokens.find(to, entry.id)? == Presence::Absent {
            return Ok(false);
        }
        let key = self.tokens.signing_key(record)?;
        key.prove(&record.public_key, &*random::<32>()?)?;
        Ok(true)
    }

    /// Notes the keys of a zone, when nothing stands against restoring any of them. What a run that was killed left of them is taken out first.
    fn noted(&self, zone: &ZoneName, wanted: &[Wanted<'_>]) -> Outcome<(Lock, ZoneKeys, Vec<KeyRecord>)> {
        let (folder, to) = (self.folder, &self.arguments.to);
        let lock = folder.lock_keys(zone)?;
        let mut keys = folder.keys(zone)?;
        let record =
            |(entry, _): &Wanted<'_>| self.record(entry, &keys).map_err(|failure| not(entry, failure));
        let records = wanted.iter().map(record).collect::<Outcome<Vec<_>>>()?;
        self.tidy(wanted, &mut keys, &lock)?;
        for (entry, _) in wanted {
            if self.tokens.find(to, entry.id)? != Presence::Absent {
                let failure =
                    Failure::new(Exit::Failed, format!("token '{to}' has {} already", entry.name()));
                return Err(not(
                    entry,
                    failure
                        .hint("nothing is restored over a key that is there: name another token".to_owned()),
                ));
            }
        }
        for (entry, _) in wanted {
            keys.begin(Pending {
                id: entry.id,
                token: to.clone(),
                since: self.now,
                operator: cli::operator(self.site.operator.as_deref()),
                operation: Operation::Restore {
                    bundle: self.bundle.id().to_string(),
                },
            });
        }
        folder.write_keys(&keys, &lock)?;
        Ok((lock, keys, records))
    }

    /// Restores the keys that were noted, until one fails, and records them.
    fn all<'k>(
        &self,
        mut keys: ZoneKeys,
        lock: &Lock,
        wanted: impl Iterator<Item = (&'k Wanted<'k>, KeyRecord)>,
        restorer: &mut Restorer<'_>,
        progress: &Progress,
    ) -> (Vec<Line>, Outcome) {
        let (mut done, mut failed) = (Vec::new(), None);
        for ((entry, copy), record) in wanted {
            if failed.is_none() {
                match self.key(entry, copy, record, restorer) {
                    Ok(key) => {
                        done.push(key);
                        progress.step();
                    }
                    Err(stopped) => {
                        failed = Some(not(entry, stopped.failure));
                        if stopped.stays {
                            // Its note stays too: the next run takes it out.
                            continue;
                        }
                    }
                }
            }
            keys.settle(entry.id, &self.arguments.to);
        }
        match self.recorded(&mut keys, lock, &done) {
            Ok(()) => {
                let lines = done.into_iter().map(|done| done.line).collect();
                (lines, failed.map_or(Ok(()), Err))
            }
            Err(failure) => {
                let failure = match failed {
                    Some(failed) => failed.and(failure),
                    None => failure,
                };
                (Vec::new(), Err(failure.part_way()))
            }
        }
    }

    /// One write: what was restored, and that nothing is begun any more.
    fn recorded(&self, keys: &mut ZoneKeys, lock: &Lock, done: &[Done]) -> Outcome {
        let change = self
            .arguments
            .change
            .change(Action::BackUp, self.now, cli::tool!(), self.site);
        if self.arguments.stays {
            for done in done {
                keys.replace(done.record.clone(), change.clone());
            }
        }
        let restored: BTreeSet<KeyId> = done.iter().map(|done| done.record.id).collect();
        record_drill(
            keys,
            &self.bundle.manifest,
            DrillLevel::D3,
            self.now,
            &change,
            |key| restored.contains(&key.id),
        );
        Ok(self.folder.write_keys(keys, lock)?)
    }

    /// One key into the token, and proved; in a drill it is taken out again.
    fn key(
        &self,
        entry: &KeyEntry,
        copy: &KeyCopy,
        record: KeyRecord,
        restorer: &mut Restorer<'_>,
    ) -> Result<Done, Stopped> {
        let to = &self.arguments.to;
        let proved = restoring::give_back(entry, copy, &record, self.parents, restorer)
            .and_then(|how| Ok((how, self.published(entry, &record)?)));
        let (how, published) = proved.map_err(|failure| self.take_back(entry, failure))?;
        let settled = || -> Outcome<KeyRecord> {
            if !self.arguments.stays {
                self.tokens.destroy_by(to, entry.id)?;
                return Ok(record);
            }
            restorer.settle(entry.id)?;
            Ok(KeyRecord {
                reference: self.tokens.reference_in(to, entry.id)?,
                ..record
            })
        };
        let record = settled().map_err(|failure| Stopped { failure, stays: true })?;
        let line = Line {
            key: entry.name(),
            token: to.to_string(),
            how,
            published,
            stays: self.arguments.stays,
        };
        Ok(Done { line, record })
    }

    /// Whether the signed zone has the DNSKEY of a key that should be in it.
    fn published(&self, entry: &KeyEntry, record: &KeyRecord) -> Outcome<Option<bool>> {
        let path = self.folder.signed_path(&entry.zone);
        let text = match record.state.in_zone() {
            true => read_zone(&path)?,
            false => None,
        };
        let Some(text) = text else {
            return Ok(None);
        };
        let mentions = Mentions::count(&text, &path, &entry.zone, &entry.zone, record)?;
        Ok(Some(mentions.keys > 0))
    }

    /// The site's record of the key, which must be the one of the bundle: what is restored is what is published.
    fn record(&self, entry: &KeyEntry, keys: &ZoneKeys) -> Outcome<KeyRecord> {
        let record = keys.key(entry.id).filter(|record| entry.is(record));
        let record = record.ok_or_else(|| {
            let failure = Failure::new(
                Exit::SaysNo,
                format!(
                    "the site's records do not know {} as the bundle has it",
                    entry.name()
                ),
            );
            failure.hint(
                "restore the site's keys/ from version control first: the bundle has private parts only"
                    .to_owned(),
            )
        })?;
        match record.state {
            KeyState::Destroyed => Err(Failure::new(
                Exit::SaysNo,
                format!(
                    "{} was destroyed, by the records; it is not brought back",
                    entry.name()
                ),
            )),
            _ => Ok(record.clone()),
        }
    }

    /// Takes out what a restore of these keys into this token left when it was killed.
    fn tidy(&self, wanted: &[Wanted<'_>], keys: &mut ZoneKeys, lock: &Lock) -> Outcome {
        let to = &self.arguments.to;
        let is_interrupted = |pending: &Pending| {
            pending.token == *to
                && matches!(pending.operation, Operation::Restore { .. })
                && wanted.iter().any(|(entry, _)| entry.id == pending.id)
        };
        let interrupted: Vec<KeyId> = keys
            .pending()
            .iter()
            .filter(|pending| is_interrupted(pending))
            .map(|pending| pending.id)
            .collect();
        for id in &interrupted {
            self.tokens.destroy_by(to, *id)?;
            self.tokens.remove_unfinished(to, *id)?;
            keys.settle(*id, to);
        }
        match interrupted.is_empty() {
            true => Ok(()),
            false => Ok(self.folder.write_keys(keys, lock)?),
        }
    }

    /// Destroys what there is of a key that was not restored; if that fails too, both are told.
    fn take_back(&self, entry: &KeyEntry, failure: Failure) -> Stopped {
        let to = &self.arguments.to;
        let undo = || -> Outcome {
            self.tokens.destroy_by(to, entry.id)?;
            self.tokens.remove_unfinished(to, entry.id)?;
            Ok(())
        };
        match undo() {
            Ok(()) => Stopped {
                failure,
                stays: false,
            },
            Err(error) => Stopped {
                failure: failure.and(error.within(format!("what there is of it stays in token '{to}'"))),
                stays: true,
            },
        }
    }
}

/// Why a key was not restored.
struct Stopped {
    failure: Failure,
    /// Whether something of it may be in the token still.
    stays: bool,
}

fn not(entry: &KeyEntry, failure: Failure) -> Failure {
    failure.within(format!("{} was not restored", entry.name()))
}

/// The signed zone; `None` where there is none. It may be larger than any other file of a site.
fn read_zone(path: &Path) -> Outcome<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(Failure::of(Exit::Failed, &error).within(format!("cannot read {}", path.display())))
        }
    }
}
