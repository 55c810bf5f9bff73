//! `dnskey` and `ds`: the records that keys stand for.

use clap::Args;
use cli::{Exit, Failure, Outcome, Output, ReportArguments, SiteArguments};
use dnssec::{DsDigest, KeyRecords};
use key_metadata::{KeyRecord, SiteFolder, ZoneName};
use serde::Serialize;

use crate::choose::KeyChoice;

/// The options of `dnskey`.
#[derive(Args)]
pub struct DnskeyArguments {
    #[command(flatten)]
    keys: KeyChoice,
    #[command(flatten)]
    report: ReportArguments,
}

/// The options of `ds`.
#[derive(Args)]
pub struct DsArguments {
    #[command(flatten)]
    keys: KeyChoice,
    /// The digest, once for each: SHA-256 or SHA-384
    #[arg(long = "digest", value_name = "DIGEST", default_value = "SHA-256")]
    digests: Vec<DsDigest>,
    #[command(flatten)]
    report: ReportArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    version: u32,
    records: Vec<Line>,
}

/// A record, and the key that it stands for.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line {
    zone: ZoneName,
    key_tag: u16,
    record: String,
}

impl DnskeyArguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let keys = self.keys.keys(&folder)?;
        print(&folder, keys, &self.report, output, |records, ttl| {
            Some(vec![records.dnskey(ttl)])
        })
    }
}

impl DsArguments {
    /// Prints the DS of every key that signs the DNSKEY RRset.
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let mut keys = self.keys.keys(&folder)?;
        keys.retain(|(_, key)| key.role.signs_dnskey());
        print(&folder, keys, &self.report, output, |records, ttl| {
            self.digests
                .iter()
                .map(|digest| records.ds(ttl, *digest))
                .collect()
        })
    }
}

/// Prints what `text` makes of each key's records, with the TTL that the zone's policy gives them.
fn print(
    folder: &SiteFolder,
    keys: Vec<(ZoneName, KeyRecord)>,
    report: &ReportArguments,
    output: &mut Output,
    text: impl Fn(&KeyRecords, u32) -> Option<Vec<String>>,
) -> Outcome {
    if keys.is_empty() {
        return Err(Failure::new(Exit::Failed, "there is no such key").hint("keyrite-keyctl list".to_owned()));
    }
    let mut lines = Vec::new();
    for (zone, key) in keys {
        let unfit = || {
            Failure::new(
                Exit::Failed,
                format!("{} {} of {zone} makes no record", key.role, key.key_tag()),
            )
        };
        // The zones were taken from the site.
        let Some(entry) = folder.site().zones.get(&zone) else {
            continue;
        };
        let ttl = folder.policy(&entry.policy)?.dnskey_ttl.seconds();
        let records = KeyRecords::new(&zone, &key)
            .and_then(|records| text(&records, ttl))
            .ok_or_else(unfit)?;
        let line = |record| Line {
            zone: zone.clone(),
            key_tag: key.key_tag(),
            record,
        };
        lines.extend(records.into_iter().map(line));
    }
    if report.json {
        return output.json(&Report {
            version: 1,
            records: lines,
        });
    }
    lines.iter().try_for_each(|line| output.line(&line.record))
}
