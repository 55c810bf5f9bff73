//! `dnskey` and `ds`: the records that keys stand for.

use clap::Args;
use cli::{Exit, Failure, Outcome, Output, SiteArguments};
use dnssec::{DsDigest, KeyRecords};
use key_metadata::{KeyRecord, SiteFolder, ZoneName};

use crate::choose::KeyChoice;

/// The options of `dnskey`.
#[derive(Args)]
pub struct DnskeyArguments {
    #[command(flatten)]
    keys: KeyChoice,
}

/// The options of `ds`.
#[derive(Args)]
pub struct DsArguments {
    #[command(flatten)]
    keys: KeyChoice,
    /// The digest, once for each: SHA-256 or SHA-384
    #[arg(long = "digest", value_name = "DIGEST", default_value = "SHA-256")]
    digests: Vec<DsDigest>,
}

impl DnskeyArguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        for (zone, key) in some(self.keys.keys(&folder)?)? {
            let (records, ttl) = records(&folder, &zone, &key)?;
            output.line(records.dnskey(ttl))?;
        }
        Ok(())
    }
}

impl DsArguments {
    /// Prints the DS of every key that signs the DNSKEY RRset.
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let mut keys = self.keys.keys(&folder)?;
        keys.retain(|(_, key)| key.role.signs_dnskey());
        for (zone, key) in some(keys)? {
            let (records, ttl) = records(&folder, &zone, &key)?;
            for digest in &self.digests {
                let line = records.ds(ttl, *digest).ok_or_else(|| unfit(&zone, &key))?;
                output.line(line)?;
            }
        }
        Ok(())
    }
}

/// The records of a key, and the TTL that the zone's policy gives them.
fn records(folder: &SiteFolder, zone: &ZoneName, key: &KeyRecord) -> Outcome<(KeyRecords, u32)> {
    let ttl = match folder.site().zones.get(zone) {
        Some(entry) => folder.policy(&entry.policy)?.dnskey_ttl.seconds(),
        None => 3600,
    };
    Ok((KeyRecords::new(zone, key).ok_or_else(|| unfit(zone, key))?, ttl))
}

fn unfit(zone: &ZoneName, key: &KeyRecord) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("{} {} of {zone} makes no record", key.role, key.key_tag()),
    )
}

fn some(keys: Vec<(ZoneName, KeyRecord)>) -> Outcome<Vec<(ZoneName, KeyRecord)>> {
    if keys.is_empty() {
        return Err(Failure::new(Exit::Failed, "there is no such key").hint("keyrite-keyctl list".to_owned()));
    }
    Ok(keys)
}
