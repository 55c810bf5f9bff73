//! `rewrap`: new shares, from the live token. The old bundle and its shares stay as they are until every custodian has shown to hold a new one.

use std::path::PathBuf;

use backup::bundles::share_file;
use backup::manifest::ShareEntry;
use backup::{BundleFolder, BundleKind, Bundles};
use clap::{Args, Subcommand};
use cli::{ChangeArguments, Exit, Failure, Outcome, Output, ReportArguments, SiteArguments};
use dnssec::SiteTokens;
use key_metadata::{KeyRecord, KeyState, SiteFolder, ZoneName};

use crate::arguments::CustodyArguments;
use crate::create::{nothing_chosen, replacing, tell};
use crate::given::OptionalShares;
use crate::make::{Contents, Made, Maker};
use crate::mend::Bench;
use crate::named::BundleArgument;
use crate::officers::allowed_signers;
use crate::owner::OwnerArguments;
use crate::parent::signers;
use crate::restoring;
use crate::taken::take;

#[derive(Subcommand)]
pub enum Verb {
    /// Make a bundle that is to take the place of another, with a new secret and new shares
    Start(Start),
    /// Set the old bundle aside, once every custodian of the new one has proved to hold the share
    Finish(Finish),
}

/// The options of `start`.
#[derive(Args)]
pub struct Start {
    #[command(flatten)]
    bundle: BundleArgument,
    #[command(flatten)]
    custody: CustodyArguments,
    /// For the bundle of a recovery parent, which is in no token: enough of its old shares
    #[command(flatten)]
    shares: OptionalShares,
    #[command(flatten)]
    owner: OwnerArguments,
    #[command(flatten)]
    change: ChangeArguments,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    report: ReportArguments,
}

/// The options of `finish`.
#[derive(Args)]
pub struct Finish {
    #[command(flatten)]
    bundle: BundleArgument,
    #[command(flatten)]
    change: ChangeArguments,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

impl Verb {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        match self {
            Self::Start(verb) => verb.run(site, output),
            Self::Finish(verb) => verb.run(site, output),
        }
    }
}

impl Start {
    fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let old = self.bundle.open(Some(&folder))?;
        let now = cli::now();
        if self.dry_run {
            let custody = self.custody.custody(&folder)?;
            return output.line(format!(
                "bundle {} would get a successor, which {} shares open; it stays valid until all of these are acknowledged",
                old.id(),
                custody.threshold
            ));
        }
        let bench = Bench {
            site,
            folder: &folder,
            change: &self.change,
            now,
        };
        let lock = bench.take(output)?;
        self.custody.custody(&folder)?;
        if let Some(new) = successor(&old, &folder)? {
            return self.there_already(&old, new, output);
        }
        let mut tokens = SiteTokens::new(&folder);
        let contents = match old.manifest.header.kind {
            BundleKind::Keys => {
                let keys = live(&old, &folder, output)?;
                let owner = self.owner.read(&folder, &tokens, &keys)?;
                take(&keys, site, &folder, &mut tokens, owner.as_ref(), output)?
            }
            BundleKind::RecoveryParent => self.parent(&old, &folder, now, output)?,
            BundleKind::Canary => {
                return Err(Failure::new(
                    Exit::Usage,
                    format!("bundle {} is a drill's, and over with it", old.id()),
                ));
            }
        };
        let mut maker = Maker {
            site,
            folder: &folder,
            tokens: &mut tokens,
            custody: &self.custody,
            now,
        };
        let made = maker.make(replacing(contents, old.id()), output, &lock)?;
        bench.record(&made.bundle).map_err(Failure::part_way)?;
        tell(&made, &nothing_chosen(), self.report.json, output)?;
        output.say(format!(
            "bundle {} and its shares stay valid until every custodian has acknowledged the new share, and keyrite-backup rewrap finish was run",
            old.id()
        ));
        Ok(())
    }

    /// A run that was killed when the successor was there already, or one that is asked for twice: it is told again, where its shares are at hand.
    fn there_already(&self, old: &BundleFolder, new: BundleFolder, output: &mut Output) -> Outcome {
        let folder = self.custody.shares_folder()?;
        let file = |share: &ShareEntry| share_file(&folder, new.id(), &share.custodian.to_string());
        let shares: Vec<PathBuf> = new.manifest.header.shares.iter().map(file).collect();
        if !shares.iter().all(|share| share.is_file()) {
            let failure = Failure::new(
                Exit::Failed,
                format!(
                    "bundle {} was made to take the place of {} already",
                    new.id(),
                    old.id()
                ),
            );
            return Err(failure.hint(format!(
                "go on with it: keyrite-backup check-proof --bundle {0} --challenge; where its shares are lost, rewrap {0} itself",
                new.id()
            )));
        }
        output.say(format!(
            "bundle {} was made to take its place already, and is gone on with",
            new.id()
        ));
        let made = Made { bundle: new, shares };
        tell(&made, &nothing_chosen(), self.report.json, output)
    }

    /// What a recovery parent's bundle holds is in no token: only its old shares give it.
    fn parent(
        &self,
        old: &BundleFolder,
        folder: &SiteFolder,
        now: key_metadata::Time,
        output: &Output,
    ) -> Outcome<Contents> {
        let given = self.shares.read()?;
        if given.is_empty() {
            let failure = Failure::new(
                Exit::Credential,
                format!(
                    "bundle {} holds a recovery parent, which is in no token: it takes {} of its old shares",
                    old.id(),
                    old.manifest.header.needed
                ),
            );
            return Err(failure.hint(
                "give them with --share; where they are lost, its keys can be backed up for nobody else: roll them into another token".to_owned(),
            ));
        }
        let opened = restoring::open(old, given, folder, true, now, output)?;
        let tpms = old
            .manifest
            .header
            .recovery_parents
            .iter()
            .map(|parent| &parent.token);
        let mut tokens: Vec<_> = tpms.flat_map(|tpm| signers(folder, tpm)).collect();
        tokens.dedup();
        Ok(Contents {
            kind: BundleKind::RecoveryParent,
            replaces: None,
            kek: None,
            keys: Vec::new(),
            parents: old
                .manifest
                .header
                .recovery_parents
                .iter()
                .cloned()
                .zip(opened.payload.parents)
                .collect(),
            opened_with: Vec::new(),
            tokens,
        })
    }
}

/// The bundle that is to take the place of this one, if there is one.
fn successor(old: &BundleFolder, folder: &SiteFolder) -> Outcome<Option<BundleFolder>> {
    let all = Bundles::of(folder).all()?;
    let mut successors = all
        .into_iter()
        .flatten()
        .filter(|new| new.manifest.header.replaces == Some(old.id()));
    Ok(successors.next())
}

/// The keys of a bundle as the site has them now; those that were destroyed since are left out.
fn live(old: &BundleFolder, folder: &SiteFolder, output: &Output) -> Outcome<Vec<(ZoneName, KeyRecord)>> {
    let mut keys = Vec::new();
    for entry in &old.manifest.header.keys {
        let records = folder.keys(&entry.zone)?;
        match records.key(entry.id).filter(|record| entry.is(record)) {
            Some(record) if record.state == KeyState::Destroyed => {
                output.say(format!("left out: {}, destroyed since", entry.name()));
            }
            Some(record) => keys.push((entry.zone.clone(), record.clone())),
            None => {
                return Err(Failure::new(
                    Exit::SaysNo,
                    format!(
                        "the site's records do not know {} as the bundle has it",
                        entry.name()
                    ),
                ));
            }
        }
    }
    match keys.is_empty() {
        false => Ok(keys),
        true => Err(Failure::new(
            Exit::Failed,
            format!("every key of bundle {} was destroyed since", old.id()),
        )),
    }
}

impl Finish {
    fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let bench = Bench {
            site,
            folder: &folder,
            change: &self.change,
            now: cli::now(),
        };
        let _lock = match self.dry_run {
            true => None,
            false => Some(bench.take(output)?),
        };
        let new = self.bundle.open(Some(&folder))?;
        let Some(old) = new.manifest.header.replaces else {
            let failure = Failure::new(
                Exit::Usage,
                format!("bundle {} takes no other one's place", new.id()),
            );
            return Err(
                failure.hint("name the new bundle, which 'keyrite-backup rewrap start' made".to_owned())
            );
        };
        let allowed = allowed_signers(&folder)?;
        let complete = new
            .drills(allowed.as_ref())?
            .iter()
            .any(backup::DrillState::is_complete);
        if !complete {
            let last = new.drills(allowed.as_ref())?.pop();
            let missing = last.map_or_else(
                || {
                    new.manifest
                        .header
                        .shares
                        .iter()
                        .map(|share| share.custodian.to_string())
                        .collect()
                },
                |drill| {
                    let refused = drill.refused.iter().map(|(name, _)| name);
                    drill
                        .missing
                        .iter()
                        .chain(refused)
                        .map(ToString::to_string)
                        .collect::<Vec<_>>()
                },
            );
            let failure = Failure::new(
                Exit::SaysNo,
                format!(
                    "bundle {old} stays: not every custodian has acknowledged the share of bundle {}; not yet {}",
                    new.id(),
                    missing.join(", ")
                ),
            );
            return Err(failure.hint(format!(
                "keyrite-backup check-proof --bundle {} --challenge",
                new.id()
            )));
        }
        let bundles = Bundles::of(&folder);
        let to = bundles.superseded(old);
        if self.dry_run {
            return output.line(format!("bundle {old} would be set aside, in {}", to.display()));
        }
        bundles.set_aside(old)?;
        output.line(format!(
            "bundle {old} is set aside, in {}; bundle {} is the one to restore from",
            to.display(),
            new.id()
        ))?;
        output.warn(format!(
            "whoever has a copy of bundle {old} and enough of its shares can restore its keys for ever: only a rollover of the keys ends that"
        ));
        Ok(())
    }
}
