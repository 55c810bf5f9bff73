//! `custodian`: who keeps shares.

use std::path::Path;
use std::str::FromStr;

use backup::Bundles;
use clap::{Args, Subcommand};
use cli::{Exit, Failure, Outcome, Output, ReportArguments, SiteArguments, table};
use key_metadata::site::SiteWord;
use key_metadata::store::read_bytes;
use key_metadata::tpm_setup::Recipient;
use serde::Serialize;

use crate::plugins::plugins;

#[derive(Subcommand)]
pub enum Verb {
    /// Add a custodian to site.yaml
    Add(Change),
    /// List the custodians, and the bundles of which each has a share
    List(ReportArguments),
    /// Put another recipient in a custodian's place: shares that were dealt stay as they are
    Replace(Change),
}

/// The options of `add` and `replace`.
#[derive(Args)]
pub struct Change {
    /// The custodian's name
    name: SiteWord,
    /// To what shares are encrypted: age1..., 'ssh-ed25519 AAAA...', that of an age plugin on PATH, such as age1yubikey1..., or file:PATH,
    /// a file with one of these
    recipient: String,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    version: u32,
    custodians: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    name: String,
    recipient: String,
    /// The bundles of which the custodian has a share.
    bundles: Vec<String>,
}

impl Verb {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        match self {
            Self::Add(change) => change.run(site, output, Kind::Add),
            Self::Replace(change) => change.run(site, output, Kind::Replace),
            Self::List(report) => list(report, site, output),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Add,
    Replace,
}

impl Change {
    /// The recipient, from the command line or from its file: nobody types a long one without a mistake.
    fn recipient(&self) -> Outcome<Recipient> {
        let Some(path) = self.recipient.strip_prefix("file:") else {
            return Recipient::from_str(&self.recipient).map_err(|error| Failure::of(Exit::Usage, &error));
        };
        let within = |failure: Failure| failure.within(format!("cannot take the recipient in {path}"));
        let bytes = read_bytes(Path::new(path)).map_err(|error| within(error.into()))?;
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim();
        // What follows an SSH key is a comment, and no part of it.
        let text = match text.starts_with("ssh-") {
            true => text.split_whitespace().take(2).collect::<Vec<_>>().join(" "),
            false => text.to_owned(),
        };
        Recipient::from_str(&text).map_err(|error| within(Failure::of(Exit::Failed, &error)))
    }

    fn run(&self, site: &SiteArguments, output: &mut Output, kind: Kind) -> Outcome {
        let mut folder = site.open()?;
        let recipient = self.recipient()?;
        // It is tried before it is believed: a share that nobody can be given is found now, and not at a ceremony.
        custody::encrypt_to([&recipient], b"a trial of a custodian's recipient", &plugins())?;
        let (done, would) = match kind {
            Kind::Add => ("added", "would be added"),
            Kind::Replace => ("replaced", "would be replaced"),
        };
        if self.dry_run {
            return output.line(format!("custodian {}: {would}", self.name));
        }
        match kind {
            Kind::Add => folder.add_custodian(&self.name, &recipient)?,
            Kind::Replace => folder.replace_custodian(&self.name, &recipient)?,
        }
        output.line(format!("custodian {}: {done}", self.name))?;
        if kind == Kind::Replace {
            output.say("next: keyrite-backup rewrap start, which deals new shares; the old ones open the old bundles for ever");
        }
        Ok(())
    }
}

fn list(report: &ReportArguments, site: &SiteArguments, output: &mut Output) -> Outcome {
    let folder = site.open()?;
    let mut bundles = Vec::new();
    for bundle in Bundles::of(&folder).all()? {
        match bundle {
            Ok(bundle) => bundles.push(bundle),
            Err(error) => output.warn(Failure::from(error).in_a_line()),
        }
    }
    let lines = folder.site().custodians.iter().map(|(name, recipient)| Line {
        name: name.to_string(),
        recipient: recipient.to_string(),
        bundles: bundles
            .iter()
            .filter(|bundle| {
                bundle
                    .manifest
                    .header
                    .shares
                    .iter()
                    .any(|share| share.custodian == *name)
            })
            .map(|bundle| bundle.id().to_string())
            .collect(),
    });
    let lines: Vec<Line> = lines.collect();
    if report.json {
        return output.json(&Report {
            version: 1,
            custodians: lines,
        });
    }
    if lines.is_empty() {
        output.say("the site has no custodian; keyrite-backup custodian add NAME RECIPIENT");
        return Ok(());
    }
    let rows = lines
        .into_iter()
        .map(|line| [line.name, line.bundles.join(" "), line.recipient]);
    output.result(table(["CUSTODIAN", "SHARES OF", "RECIPIENT"], rows))
}
