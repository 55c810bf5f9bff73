//! `create`: keys into a new bundle, and its shares to the custodians.

use clap::Args;
use cli::{ChangeArguments, Exit, Failure, Outcome, Output, ReportArguments, SiteArguments, ZoneChoice};
use dnssec::SiteTokens;
use key_metadata::{Digest, KeyRecord, SiteFolder, ZoneName};
use serde::Serialize;

use crate::arguments::CustodyArguments;
use crate::make::{Contents, Made, Maker};
use crate::mend::Bench;
use crate::owner::OwnerArguments;
use crate::taken::{Chosen, choose, take};

/// The options of `create`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    zones: ZoneChoice,
    /// Only the key of that tag or id
    #[arg(long, value_name = "TAG|ID")]
    key: Option<String>,
    #[command(flatten)]
    custody: CustodyArguments,
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

/// What `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    version: u32,
    /// The bundle; absent where it would only be made.
    bundle: Option<String>,
    folder: Option<String>,
    /// SHA-256 of its manifest, and as words.
    manifest_sha256: Option<String>,
    manifest_words: Option<String>,
    needed: u8,
    shares: Vec<Share>,
    keys: Vec<String>,
    left_out: Vec<LeftOut>,
}

#[derive(Serialize)]
struct Share {
    custodian: String,
    file: Option<String>,
}

#[derive(Serialize)]
struct LeftOut {
    key: String,
    reason: &'static str,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        self.custody.custody(&folder)?;
        let chosen = choose(&folder, &self.zones.zones(&folder)?, self.key.as_deref())?;
        for (key, reason) in &chosen.left_out {
            output.say(format!("left out: {key}, {reason}"));
        }
        if chosen.keys.is_empty() {
            let failure = Failure::new(Exit::Failed, "there is no key that could be backed up");
            return Err(
                failure.hint("keys that are to have a backup are made without --backup none".to_owned())
            );
        }
        if self.dry_run {
            return self.would(&folder, &chosen, output);
        }
        let now = cli::now();
        let bench = Bench {
            site,
            folder: &folder,
            change: &self.change,
            now,
        };
        let lock = bench.take(output)?;
        let mut tokens = SiteTokens::new(&folder);
        let owner = self.owner.read(&folder, &tokens, &chosen.keys)?;
        let contents = take(&chosen.keys, site, &folder, &mut tokens, owner.as_ref(), output)?;
        let mut maker = Maker {
            site,
            folder: &folder,
            tokens: &mut tokens,
            custody: &self.custody,
            now,
        };
        let made = maker.make(contents, output, &lock)?;
        bench.record(&made.bundle).map_err(Failure::part_way)?;
        tell(&made, &chosen, self.report.json, output)
    }

    /// The same lines, with "would".
    fn would(&self, folder: &SiteFolder, chosen: &Chosen, output: &mut Output) -> Outcome {
        let custody = self.custody.custody(folder)?;
        let report = Report {
            version: 1,
            bundle: None,
            folder: None,
            manifest_sha256: None,
            manifest_words: None,
            needed: custody.threshold.needed(),
            shares: custody
                .custodians
                .iter()
                .map(|(custodian, _)| Share {
                    custodian: custodian.to_string(),
                    file: None,
                })
                .collect(),
            keys: names(&chosen.keys),
            left_out: left_out(chosen),
        };
        if self.report.json {
            return output.json(&report);
        }
        for key in &report.keys {
            output.line(format!("{key}: would be backed up"))?;
        }
        let people: Vec<_> = report
            .shares
            .iter()
            .map(|share| share.custodian.as_str())
            .collect();
        output.line(format!(
            "{} shares would go to {}, and any {} would open the bundle",
            people.len(),
            people.join(", "),
            report.needed
        ))
    }
}

fn names(keys: &[(ZoneName, KeyRecord)]) -> Vec<String> {
    let name = |(zone, key): &(ZoneName, KeyRecord)| format!("{zone} {} {}", key.role, key.key_tag());
    keys.iter().map(name).collect()
}

fn left_out(chosen: &Chosen) -> Vec<LeftOut> {
    let entry = |(key, reason): &(String, &'static str)| LeftOut {
        key: key.clone(),
        reason,
    };
    chosen.left_out.iter().map(entry).collect()
}

/// Tells of a bundle that was made.
pub fn tell(made: &Made, chosen: &Chosen, json: bool, output: &mut Output) -> Outcome {
    let header = &made.bundle.manifest.header;
    let digest = made.bundle.manifest_digest();
    let words = cli::words::words(&digest).join(" ");
    let shares = header.shares.iter().zip(&made.shares).map(|(entry, file)| Share {
        custodian: entry.custodian.to_string(),
        file: Some(file.display().to_string()),
    });
    let report = Report {
        version: 1,
        bundle: Some(header.bundle.to_string()),
        folder: Some(made.bundle.path.display().to_string()),
        manifest_sha256: Some(digest.to_string()),
        manifest_words: Some(words.clone()),
        needed: header.needed,
        shares: shares.collect(),
        keys: header.keys.iter().map(backup::manifest::KeyEntry::name).collect(),
        left_out: left_out(chosen),
    };
    if json {
        return output.json(&report);
    }
    for key in &header.keys {
        output.line(format!(
            "{}: backed up by {}, {}",
            key.name(),
            key.mechanism,
            key.flavour
        ))?;
    }
    for parent in &header.recovery_parents {
        output.line(format!("recovery parent of {}: {}", parent.token, parent.name))?;
    }
    for share in &report.shares {
        let file = share.file.as_deref().map_or("", |file| file);
        output.line(format!("share of {}: {file}", share.custodian))?;
    }
    output.line(format!(
        "bundle {}: any {} of {} shares open it; every choice was tried",
        header.bundle,
        header.needed,
        header.shares.len()
    ))?;
    output.line(format!("manifest {digest}"))?;
    tell_words(&digest, output)?;
    output.say(format!(
        "next: keep the bundle and each share on a medium of its own; then keyrite-backup verify --bundle {0} --record, and keyrite-backup \
         check-proof --bundle {0} --challenge",
        header.bundle
    ));
    Ok(())
}

/// A digest as words, as it is read aloud: eight in a line.
pub fn tell_words(digest: &Digest, output: &mut Output) -> Outcome {
    let words = cli::words::words(digest);
    words
        .chunks(8)
        .try_for_each(|line| output.line(format!("  {}", line.join(" "))))
}

/// What a bundle that holds no keys of zones is told with.
pub fn nothing_chosen() -> Chosen {
    Chosen {
        keys: Vec::new(),
        left_out: Vec::new(),
    }
}

/// What [`take`] gives, for a bundle that takes another one's place.
pub fn replacing(contents: Contents, old: backup::BundleId) -> Contents {
    Contents {
        replaces: Some(old),
        ..contents
    }
}
