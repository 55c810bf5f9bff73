//! `restore`: keys of a bundle into a token, proved by a signature (D3).

use backup::manifest::KeyEntry;
use backup::payload::CopyForm;
use backup::{BundleFolder, BundleKind, KeyCopy, record_drill};
use clap::Args;
use cli::{
    ChangeArguments, Exit, Failure, Outcome, Output, Progress, ReportArguments, SiteArguments, ZoneChoice,
};
use dnssec::{Copy, Duplicate, KeyEncryptionKey, Presence, RecoverySecret, Restorer, SiteTokens};
use key_metadata::backup::DrillLevel;
use key_metadata::pending::{Operation, Pending};
use key_metadata::store::Lock;
use key_metadata::{Action, KeyRecord, KeyState, SiteFolder, Time, TokenName, ZoneKeys};
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
    /// Restore also from a bundle that is past its time, where there is no newer one
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
    /// Whether it stays there, and the zone's key is that one now.
    stays: bool,
}

impl Line {
    fn text(&self) -> String {
        let then = match self.stays {
            true => "and signs there from now on",
            false => "and taken out again",
        };
        format!(
            "{}: restored into token '{}' by {}, proved by a signature, {then}",
            self.key, self.token, self.how
        )
    }
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let bundle = self.bundle.open(Some(&folder))?;
        let wanted = self.wanted(&bundle, &folder)?;
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
        let wanted: Vec<(&KeyEntry, &KeyCopy)> = wanted
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
        let mut lines = Vec::new();
        let mut moved = None;
        let mut result = Ok(());
        for (entry, copy) in &wanted {
            match run.key(entry, copy, &mut restorer) {
                // A run that was killed came so far.
                Ok(Restored::Before(failure)) => {
                    progress.without(|| {
                        output.say(format!(
                            "{} is in token '{}' already, and signs",
                            entry.name(),
                            self.to
                        ))
                    });
                    moved.get_or_insert(failure.within(format!("{} was not restored", entry.name())));
                }
                Ok(Restored::Now(line)) => {
                    if !self.report.json {
                        progress.without(|| output.line(line.text()))?;
                    }
                    lines.push(line);
                    progress.step();
                }
                Err(failure) => {
                    result = Err(failure.within(format!("{} was not restored", entry.name())));
                    break;
                }
            }
        }
        drop(progress);
        let any = !lines.is_empty();
        if let (Ok(()), false, Some(failure)) = (&result, any, moved) {
            result = Err(failure);
        }
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

/// What came of one key.
enum Restored {
    /// It was restored.
    Now(Line),
    /// It is where it is to be, by its record too: what is to be said where there was nothing else to do.
    Before(Failure),
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
    /// One key. It is noted in the zone's file before the token is asked, and what a run that was killed left of it is taken out first.
    fn key(&self, entry: &KeyEntry, copy: &KeyCopy, restorer: &mut Restorer<'_>) -> Outcome<Restored> {
        let (folder, to) = (self.folder, &self.arguments.to);
        let lock = folder.lock_keys(&entry.zone)?;
        let mut keys = folder.keys(&entry.zone)?;
        let record = self.record(entry, &keys)?;
        self.tidy(entry, &mut keys, &lock)?;
        if self.tokens.find(to, entry.id)? != Presence::Absent {
            let failure = Failure::new(Exit::Failed, format!("token '{to}' has {} already", entry.name()))
                .hint("nothing is restored over a key that is there: name another token".to_owned());
            return match self.is_moved(&record)? {
                true => Ok(Restored::Before(failure)),
                false => Err(failure),
            };
        }
        keys.begin(Pending {
            id: entry.id,
            token: to.clone(),
            since: self.now,
            operator: cli::operator(self.site.operator.as_deref()),
            operation: Operation::Restore {
                bundle: self.bundle.id().to_string(),
            },
        });
        folder.write_keys(&keys, &lock)?;
        let restored = self.restored(entry, copy, &record, restorer);
        let how = match restored {
            Ok(how) => how,
            Err(failure) => return Err(self.take_back(entry, &mut keys, &lock, failure)),
        };
        let change = self
            .arguments
            .change
            .change(Action::BackUp, self.now, cli::tool!(), self.site);
        let this = |key: &KeyRecord| key.id == entry.id;
        if self.arguments.stays {
            restorer.settle(entry.id)?;
            let moved = KeyRecord {
                reference: self.tokens.reference_in(to, entry.id)?,
                ..record
            };
            keys.replace(moved, change.clone());
        } else {
            self.tokens.destroy_by(to, entry.id)?;
        }
        record_drill(
            &mut keys,
            &self.bundle.manifest,
            DrillLevel::D3,
            self.now,
            &change,
            this,
        );
        keys.settle(entry.id, to);
        folder.write_keys(&keys, &lock)?;
        Ok(Restored::Now(Line {
            key: entry.name(),
            token: to.to_string(),
            how,
            stays: self.arguments.stays,
        }))
    }

    /// Whether the key is to be moved, and is in that token already by its record too, and signs there.
    fn is_moved(&self, record: &KeyRecord) -> Outcome<bool> {
        let recorded = self.folder.site().token_of(&record.reference);
        if !self.arguments.stays || recorded.is_none_or(|(name, _)| *name != self.arguments.to) {
            return Ok(false);
        }
        self.tokens
            .signing_key(record)?
            .prove(&record.public_key, &*random::<32>()?)?;
        Ok(true)
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

    /// Takes out what a restore of this key into this token left when it was killed.
    fn tidy(&self, entry: &KeyEntry, keys: &mut ZoneKeys, lock: &Lock) -> Outcome {
        let to = &self.arguments.to;
        let interrupted = keys.pending().iter().any(|pending| {
            pending.id == entry.id
                && pending.token == *to
                && matches!(pending.operation, Operation::Restore { .. })
        });
        if interrupted {
            self.tokens.destroy_by(to, entry.id)?;
            self.tokens.remove_unfinished(to, entry.id)?;
            keys.settle(entry.id, to);
            self.folder.write_keys(keys, lock)?;
        }
        Ok(())
    }

    fn restored(
        &self,
        entry: &KeyEntry,
        copy: &KeyCopy,
        record: &KeyRecord,
        restorer: &mut Restorer<'_>,
    ) -> Outcome<String> {
        let copied = match &copy.form {
            CopyForm::Wrapped(wrapped) => Copy::Wrapped(wrapped.clone()),
            CopyForm::Duplicate {
                public,
                private,
                seed,
            } => Copy::Duplicate(Duplicate::from_parts(public, private, seed)?),
        };
        let parent = self
            .parents
            .iter()
            .find(|(name, _)| *name == entry.flavour)
            .map(|(_, secret)| secret);
        let how = restorer.restore(&copied, parent, record, &copy.label)?;
        restorer
            .signing_key(record)?
            .prove(&record.public_key, &*random::<32>()?)?;
        Ok(how)
    }

    /// Destroys what there is of a key that was not restored, and takes back the note of it; if that fails too, both are told.
    fn take_back(&self, entry: &KeyEntry, keys: &mut ZoneKeys, lock: &Lock, failure: Failure) -> Failure {
        let to = &self.arguments.to;
        let mut undo = || -> Outcome {
            self.tokens.destroy_by(to, entry.id)?;
            self.tokens.remove_unfinished(to, entry.id)?;
            keys.settle(entry.id, to);
            Ok(self.folder.write_keys(keys, lock)?)
        };
        match undo() {
            Ok(()) => failure,
            Err(error) => failure.and(error.within(format!("what there is of it stays in token '{to}'"))),
        }
    }
}
