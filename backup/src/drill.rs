//! `drill`: the whole way of a backup, with a key that is made for it and thrown away (D2).

use backup::bundles::canary_note;
use backup::{BundleFolder, BundleKind, Bundles};
use clap::{Args, Subcommand};
use cli::{ChangeArguments, Exit, Failure, Outcome, Output, ReportArguments, SiteArguments};
use dnssec::{KeyEncryptionKey, KeyOwner, Presence, SiteTokens};
use key_metadata::backup::DrillLevel;
use key_metadata::{
    Algorithm, Backup, Extractability, KeyId, KeyRecord, KeySpec, KeyState, KeyTimes, Role, SiteFolder,
    TokenName, ZoneName,
};

use crate::arguments::CustodyArguments;
use crate::create::{nothing_chosen, tell};
use crate::evidence_of::enter;
use crate::given::ShareArguments;
use crate::make::Maker;
use crate::mend::Bench;
use crate::named::BundleArgument;
use crate::owner::OwnerArguments;
use crate::random::random;
use crate::restoring;
use crate::taken::take;
use crate::tokens::open;

/// The zone of a canary: a name that no zone can have (RFC 6761 6.4).
const ZONE: &str = "canary.invalid";

#[derive(Subcommand)]
pub enum Verb {
    /// Make a canary key, back it up, and deal its shares
    Start(Start),
    /// Restore the canary into a spare token with the shares, have it sign, and throw it away
    Finish(Finish),
}

/// The options of `start`.
#[derive(Args)]
pub struct Start {
    /// The token that the canary is made in: the one of the real keys
    #[arg(long, value_name = "NAME")]
    token: TokenName,
    /// Its algorithm, that of the real keys
    #[arg(long, value_name = "ALGORITHM", default_value = "ECDSAP256SHA256")]
    algorithm: Algorithm,
    /// The size of an RSA key
    #[arg(long, value_name = "BITS")]
    bits: Option<u16>,
    #[command(flatten)]
    custody: CustodyArguments,
    #[command(flatten)]
    owner: OwnerArguments,
    #[command(flatten)]
    change: ChangeArguments,
    #[command(flatten)]
    report: ReportArguments,
}

/// The options of `finish`.
#[derive(Args)]
pub struct Finish {
    #[command(flatten)]
    bundle: BundleArgument,
    /// The spare token
    #[arg(long, value_name = "NAME")]
    to: TokenName,
    #[command(flatten)]
    shares: ShareArguments,
    #[command(flatten)]
    change: ChangeArguments,
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
        let spec =
            KeySpec::new(self.algorithm, self.bits).map_err(|error| Failure::of(Exit::Usage, &error))?;
        let now = cli::now();
        let bench = Bench {
            site,
            folder: &folder,
            change: &self.change,
            now,
        };
        let lock = bench.take(output)?;
        self.custody.custody(&folder)?;
        let mut tokens = SiteTokens::new(&folder);
        open(&mut tokens, site, &folder, &self.token)?;
        clear_canaries(&folder, &self.token, &tokens)?;
        tokens.backup_capability(&self.token, spec)?;
        let id = KeyId::from_random(*random()?);
        let note = canary_note(&folder, &self.token, id)?;
        let zone: ZoneName = ZONE.parse().map_err(|error| Failure::of(Exit::Failed, &error))?;
        let owner = KeyOwner {
            zone: &zone,
            role: Role::Zsk,
            now,
        };
        let mut made = || -> Outcome {
            let (public_key, reference) =
                tokens.generate(&self.token, spec, id, &owner, Extractability::Wrapped)?;
            let canary = KeyRecord {
                id,
                role: Role::Zsk,
                public_key,
                reference,
                state: KeyState::Generated,
                times: KeyTimes::generated(now),
                backup: Backup::none(Extractability::Wrapped),
            };
            let keys = [(zone.clone(), canary)];
            let owner = self.owner.read(&folder, &tokens, &keys)?;
            let mut contents = take(&keys, site, &folder, &mut tokens, owner.as_ref(), output)?;
            contents.kind = BundleKind::Canary;
            let mut maker = Maker {
                site,
                folder: &folder,
                tokens: &mut tokens,
                custody: &self.custody,
                now,
            };
            tell(
                &maker.make(contents, output, &lock)?,
                &nothing_chosen(),
                self.report.json,
                output,
            )
        };
        let result = made();
        // It is needed no more, or never was: what there is of it goes, whatever came of the bundle.
        tokens.destroy_by(&self.token, id)?;
        tokens.remove_unfinished(&self.token, id)?;
        note.remove()?;
        result?;
        output.say("next: keyrite-backup drill finish --bundle ID --to SPARE --share SOURCE ..., with the custodians and media of a real recovery");
        Ok(())
    }
}

/// Takes canaries out of the token that a drill left there when it was killed.
fn clear_canaries(folder: &SiteFolder, token: &TokenName, tokens: &SiteTokens<'_>) -> Outcome {
    for (id, note) in backup::bundles::canary_notes(folder, token)? {
        tokens.destroy_by(token, id)?;
        tokens.remove_unfinished(token, id)?;
        note.remove()?;
    }
    Ok(())
}

impl Finish {
    fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let now = cli::now();
        let bench = Bench {
            site,
            folder: &folder,
            change: &self.change,
            now,
        };
        let _lock = bench.take(output)?;
        let bundle = self.bundle.open(Some(&folder))?;
        let ([entry], BundleKind::Canary) = (
            bundle.manifest.header.keys.as_slice(),
            bundle.manifest.header.kind,
        ) else {
            let failure = Failure::new(Exit::Usage, format!("bundle {} holds no canary", bundle.id()));
            return Err(failure.hint("keyrite-backup drill start makes one".to_owned()));
        };
        let given = self.shares.read()?;
        let opened = restoring::open(&bundle, given, &folder, false, now, output)?;
        let Some(copy) = opened.payload.keys.first() else {
            return Err(Failure::new(
                Exit::SaysNo,
                format!("bundle {} holds no canary", bundle.id()),
            ));
        };
        let mut tokens = SiteTokens::new(&folder);
        open(&mut tokens, site, &folder, &self.to)?;
        clear_canaries(&folder, &self.to, &tokens)?;
        if tokens.find(&self.to, entry.id)? != Presence::Absent {
            return Err(Failure::new(
                Exit::Failed,
                format!("token '{}' has the canary already", self.to),
            ));
        }
        let note = canary_note(&folder, &self.to, entry.id)?;
        let record = KeyRecord {
            id: entry.id,
            role: entry.role,
            public_key: entry
                .public()
                .map_err(|error| Failure::of(Exit::Failed, &error))?,
            reference: tokens.reference_in(&self.to, entry.id)?,
            state: KeyState::Generated,
            times: KeyTimes::generated(bundle.manifest.header.created),
            backup: Backup::none(Extractability::Wrapped),
        };
        let kek = opened
            .payload
            .kek
            .as_ref()
            .map(|kek| KeyEncryptionKey::new(kek.clone()));
        let proved = || -> Outcome<String> {
            let mut restorer = tokens.restorer(&self.to, kek.as_ref())?;
            restoring::give_back(entry, copy, &record, &opened.parents, &mut restorer)
        };
        let result = proved();
        tokens.destroy_by(&self.to, entry.id)?;
        tokens.remove_unfinished(&self.to, entry.id)?;
        note.remove()?;
        let how = result?;
        output.line(format!(
            "the canary of token '{}' was restored into token '{}' by {how}, signed, and was thrown away: D2 is passed",
            entry.token.name, self.to
        ))?;
        for real in alike(&bundle, &folder)? {
            let count = enter(&real, DrillLevel::D2, None, site, &folder, &self.change, now)?;
            output.line(format!("bundle {}: D2 is recorded for {count} keys", real.id()))?;
        }
        Ok(())
    }
}

/// The bundles of keys that the drill says something of: same token, same custodians with the same recipients, as many shares needed.
fn alike(canary: &BundleFolder, folder: &SiteFolder) -> Outcome<Vec<BundleFolder>> {
    let drill = &canary.manifest.header;
    let custody = |bundle: &BundleFolder| -> Vec<(String, Option<String>)> {
        let shares = bundle.manifest.header.shares.iter();
        let mut people: Vec<_> = shares
            .map(|share| (share.custodian.to_string(), share.recipient.clone()))
            .collect();
        people.sort();
        people
    };
    let from = |bundle: &BundleFolder| {
        bundle
            .manifest
            .header
            .keys
            .iter()
            .map(|key| key.token.clone())
            .collect::<Vec<_>>()
    };
    let canary_from = from(canary);
    let mut found = Vec::new();
    for bundle in Bundles::of(folder).all()?.into_iter().flatten() {
        let header = &bundle.manifest.header;
        let same = header.kind == BundleKind::Keys
            && header.needed == drill.needed
            && custody(&bundle) == custody(canary)
            && from(&bundle).iter().all(|token| canary_from.contains(token));
        if same {
            found.push(bundle);
        }
    }
    Ok(found)
}
