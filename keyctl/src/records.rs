//! `dnskey`, `ds` and `cds`: the records that keys stand for.

use std::collections::BTreeMap;

use clap::Args;
use cli::{Exit, Failure, JsonList, Outcome, Output, ReportArguments, SiteArguments};
use dnssec::{DsDigest, KeyRecords};
use key_metadata::key_record::asks_for_no_ds;
use key_metadata::{KeyRecord, KeyState, PolicyName, SiteFolder, ZoneName};
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

/// The options of `cds`.
#[derive(Args)]
pub struct CdsArguments {
    #[command(flatten)]
    keys: KeyChoice,
    /// The digest of the CDS records, once for each: SHA-256 or SHA-384
    #[arg(long = "digest", value_name = "DIGEST", default_value = "SHA-256")]
    digests: Vec<DsDigest>,
    /// Print the records that ask the parent to remove its DS (RFC 8078 section 4); publish them only to make the zone insecure
    #[arg(long, conflicts_with_all = ["key", "digests"], requires = "zones")]
    delete: bool,
    #[command(flatten)]
    report: ReportArguments,
}

/// A record, and the key that it stands for.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line {
    zone: ZoneName,
    /// None in a record that stands for the absence of keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_tag: Option<u16>,
    record: String,
    /// Of a DS: its digest, in lower-case hex, as it is read aloud.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
}

impl DnskeyArguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let print = Print::new(site.open()?, &self.report);
        print.keys(
            &self.keys,
            output,
            |_| true,
            Nothing::KEY,
            |records, ttl| Some(vec![records.dnskey(ttl)]),
        )
    }
}

impl DsArguments {
    /// Prints the DS of every key that signs the DNSKEY RRset.
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let print = Print::new(site.open()?, &self.report);
        let signs = |key: &KeyRecord| key.role.signs_dnskey();
        print.keys(&self.keys, output, signs, Nothing::KEY, |records, ttl| {
            self.digests
                .iter()
                .map(|digest| records.ds(ttl, *digest))
                .collect()
        })
    }
}

impl CdsArguments {
    /// Prints what the zone itself would publish; of a key that is named, also before or after it would. A zone that is to be insecure has those
    /// that ask for no DS.
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let print = Print::new(site.open()?, &self.report);
        if self.delete {
            return print.delete(&self.keys, output);
        }
        let of_one_key = self.keys.is_of_one_key();
        // A DS of a revoked key would lead nowhere.
        let can_be = |key: &KeyRecord| key.role.signs_dnskey() && key.state != KeyState::Revoked;
        let wanted = |key: &KeyRecord| key.wants_ds() || (of_one_key && can_be(key));
        let none = Nothing {
            error: "there is no such key that signs the DNSKEY RRset",
            hint: "a zone publishes CDS for its active KSKs and CSKs; name another KSK or CSK with --key",
        };
        let text = |records: &KeyRecords, ttl| {
            let cds = self.digests.iter().map(|digest| records.cds(ttl, *digest));
            cds.chain([records.cdnskey(ttl)]).collect()
        };
        print.each_zone(&self.keys, output, none, |print, zone, keys, output| {
            if !of_one_key && asks_for_no_ds(keys) {
                return print.none_wanted(zone, output);
            }
            print.of_keys(zone, keys, output, wanted, text)
        })
    }
}

/// What is said when there is nothing to print.
struct Nothing {
    error: &'static str,
    hint: &'static str,
}

impl Nothing {
    const KEY: Self = Self {
        error: "there is no such key",
        hint: "keyrite-keyctl list",
    };
}

/// One run of a verb that prints records, each zone's before the next zone's file is read.
struct Print {
    folder: SiteFolder,
    json: Option<JsonList>,
    /// The TTL of DNSKEY, CDS and CDNSKEY by each policy that was met.
    ttls: BTreeMap<PolicyName, u32>,
    empty: bool,
}

impl Print {
    fn new(folder: SiteFolder, report: &ReportArguments) -> Self {
        Self {
            folder,
            json: report.json.then(|| JsonList::new("records")),
            ttls: BTreeMap::new(),
            empty: true,
        }
    }

    /// Prints what `text` makes of the records of each chosen key that is `wanted`.
    fn keys(
        self,
        choice: &KeyChoice,
        output: &mut Output,
        wanted: impl Fn(&KeyRecord) -> bool,
        none: Nothing,
        text: impl Fn(&KeyRecords, u32) -> Option<Vec<String>>,
    ) -> Outcome {
        self.each_zone(choice, output, none, |print, zone, keys, output| {
            print.of_keys(zone, keys, output, &wanted, &text)
        })
    }

    fn of_keys(
        &mut self,
        zone: &ZoneName,
        keys: &[KeyRecord],
        output: &mut Output,
        wanted: impl Fn(&KeyRecord) -> bool,
        text: impl Fn(&KeyRecords, u32) -> Option<Vec<String>>,
    ) -> Outcome {
        for key in keys.iter().filter(|key| wanted(key)) {
            let ttl = self.ttl(zone)?;
            let unfit = || Failure::new(Exit::Failed, format!("{} of {zone} makes no record", key.name()));
            let records = KeyRecords::new(zone, key).and_then(|records| text(&records, ttl));
            for record in records.ok_or_else(unfit)? {
                self.line(zone, Some(key.key_tag()), record, output)?;
            }
        }
        Ok(())
    }

    /// Prints what asks the parent for no DS.
    fn none_wanted(&mut self, zone: &ZoneName, output: &mut Output) -> Outcome {
        let ttl = self.ttl(zone)?;
        for record in KeyRecords::delete_signal(zone, ttl) {
            self.line(zone, None, record, output)?;
        }
        Ok(())
    }

    /// Has `print` print each chosen zone by its chosen keys.
    fn each_zone(
        mut self,
        choice: &KeyChoice,
        output: &mut Output,
        none: Nothing,
        print: impl Fn(&mut Self, &ZoneName, &[KeyRecord], &mut Output) -> Outcome,
    ) -> Outcome {
        for zone in choice.zones(&self.folder)? {
            let keys = choice.keys_of(&zone, &self.folder)?;
            print(&mut self, &zone, &keys, output)?;
            if output.is_over() {
                return Ok(());
            }
        }
        if self.empty {
            return Err(Failure::new(Exit::Failed, none.error).hint(none.hint.to_owned()));
        }
        self.end(output)
    }

    /// Prints what asks the parent for no DS, of each chosen zone.
    fn delete(mut self, choice: &KeyChoice, output: &mut Output) -> Outcome {
        for zone in choice.zones(&self.folder)? {
            self.none_wanted(&zone, output)?;
        }
        self.end(output)
    }

    fn ttl(&mut self, zone: &ZoneName) -> Outcome<u32> {
        // The zones were taken from the site.
        let Some(entry) = self.folder.site().zones.get(zone) else {
            return Ok(0);
        };
        if let Some(ttl) = self.ttls.get(&entry.policy) {
            return Ok(*ttl);
        }
        let ttl = self.folder.policy(&entry.policy)?.dnskey_ttl.seconds();
        self.ttls.insert(entry.policy.clone(), ttl);
        Ok(ttl)
    }

    fn line(
        &mut self,
        zone: &ZoneName,
        key_tag: Option<u16>,
        record: String,
        output: &mut Output,
    ) -> Outcome {
        self.empty = false;
        match &mut self.json {
            None => output.line(record),
            Some(list) => {
                let (zone, digest) = (zone.clone(), ds_digest(&record));
                list.item(
                    &Line {
                        zone,
                        key_tag,
                        record,
                        digest,
                    },
                    output,
                )
            }
        }
    }

    fn end(self, output: &mut Output) -> Outcome {
        self.json.map_or(Ok(()), |list| list.end(output))
    }
}

/// The digest of a DS record, the last of its fields (RFC 4034, 5.3).
fn ds_digest(record: &str) -> Option<String> {
    let (_, fields) = record.split_once(" DS ")?;
    fields.rsplit(' ').next().map(str::to_ascii_lowercase)
}
