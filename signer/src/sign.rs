//! `sign`: each zone is read, signed, checked, and only then put in the place of the last one.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Instant;

use clap::Args;
use cli::{Exit, Failure, Outcome, Output, Progress, ReportArguments, SiteArguments, ZoneChoice};
use dnssec::{Checked, SignPlan, SiteTokens, Zone, ZoneKey, check, next_serial, serial_of, sign};
use key_metadata::store::replace;
use key_metadata::{KeyRecord, Policy, SiteFolder, ZoneName};
use serde::Serialize;

/// The options of `sign`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    zones: ZoneChoice,
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
    zones: Vec<Signed>,
}

/// One zone that was signed, or would be.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Signed {
    zone: ZoneName,
    serial: u32,
    /// RRSIG records made; 0 where nothing was done.
    signatures: usize,
    rrsets: usize,
    /// NSEC or NSEC3 records.
    denials: usize,
    milliseconds: u128,
    keys: Vec<u16>,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let mut run = Run {
            site,
            folder: &folder,
            tokens: SiteTokens::new(&folder),
            dry_run: self.dry_run,
        };
        let (mut signed, mut failed) = (Vec::new(), Vec::new());
        for zone in self.zones.zones(&folder)? {
            match run.zone(&zone, output) {
                Ok(report) => {
                    if !self.report.json {
                        output.line(if self.dry_run {
                            report.plan()
                        } else {
                            report.text()
                        })?;
                    }
                    signed.push(report);
                }
                Err(failure) => {
                    failed.push(failure.within(format!("zone {zone} was not signed")));
                    // One zone's mistake does not hold the others; a token that refuses must not be asked again.
                    if failed
                        .last()
                        .is_some_and(|failure| failure.exit() == Exit::Credential)
                    {
                        break;
                    }
                }
            }
        }
        let failure = output.last_of(failed);
        let failure = failure.map(|failure| {
            if signed.is_empty() {
                failure
            } else {
                failure.part_way()
            }
        });
        if self.report.json {
            output.json(&Report {
                version: 1,
                zones: signed,
            })?;
        }
        failure.map_or(Ok(()), Err)
    }
}

impl Signed {
    fn key_tags(&self) -> String {
        self.keys
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn plan(&self) -> String {
        format!(
            "{}: would sign with {}, serial {}",
            self.zone,
            self.key_tags(),
            self.serial
        )
    }

    fn text(&self) -> String {
        let keys = self.key_tags();
        format!(
            "{}: serial {}, {} signatures by {keys} over {} RRsets, {} denial records, checked",
            self.zone, self.serial, self.signatures, self.rrsets, self.denials
        )
    }
}

/// One run over several zones.
struct Run<'a> {
    site: &'a SiteArguments,
    folder: &'a SiteFolder,
    tokens: SiteTokens<'a>,
    dry_run: bool,
}

impl Run<'_> {
    fn zone(&mut self, name: &ZoneName, output: &Output) -> Outcome<Signed> {
        let start = Instant::now();
        let folder = self.folder;
        let (entry, policy) = folder.zone(name)?;
        let signed_path = folder.signed_path(name);
        let _lock = if self.dry_run {
            None
        } else {
            Some(folder.lock_signed(name)?)
        };
        let zone = self.read(name, output)?;
        if let Some((ttl, record)) = zone.largest_ttl().filter(|(ttl, _)| *ttl > policy.zone.max_ttl) {
            output.warn(format!(
                "{record} has a TTL of {ttl}, and zone.max-ttl of policy '{}' is {}: keys would be removed while caches need them",
                entry.policy, policy.zone.max_ttl
            ));
        }
        let records = folder.keys(name)?;
        let (serial, now) = (self.serial(&policy, &zone, name, &signed_path)?, cli::now());
        let mut signed = Signed {
            zone: name.clone(),
            serial,
            signatures: 0,
            rrsets: 0,
            denials: 0,
            milliseconds: 0,
            keys: records
                .keys()
                .iter()
                .filter(|key| key.signs())
                .map(KeyRecord::key_tag)
                .collect(),
        };
        if self.dry_run {
            return Ok(signed);
        }
        let keys = records
            .keys()
            .iter()
            .map(|key| self.zone_key(key))
            .collect::<Outcome<Vec<_>>>()?;
        let plan = SignPlan::new(&policy, serial, now);
        let progress = Progress::new(&format!("signing {name}"), zone.len() as u64);
        let made = sign(zone, name, &keys, &plan, || progress.step())?;
        drop(progress);
        let unpublished: Vec<_> = records
            .keys()
            .iter()
            .filter(|key| key.signs_unpublished())
            .collect();
        // The text that was checked is the text that is published.
        let Checked { rrsets, denials, .. } = check(&made.text, name, &unpublished, now)?;
        replace(&signed_path, |out| out.write_all(made.text.as_bytes()))?;
        signed.signatures = made.signatures;
        signed.rrsets = rrsets;
        signed.denials = denials;
        signed.milliseconds = start.elapsed().as_millis();
        Ok(signed)
    }

    fn read(&self, name: &ZoneName, output: &Output) -> Outcome<Zone> {
        let path = self.folder.unsigned_path(name);
        let zone = Zone::read(&path, name)?;
        for warning in &zone.warnings {
            output.warn(warning);
        }
        Ok(zone)
    }

    /// The next serial; it rises from that of the last signed zone.
    fn serial(&self, policy: &Policy, zone: &Zone, name: &ZoneName, signed: &Path) -> Outcome<u32> {
        let last = match fs::read(signed) {
            Ok(text) => serial_of(&text, signed, name),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(unreadable(signed, &error)),
        };
        // A zone that was read has a SOA.
        let unsigned = zone.serial().map_or(0, |serial| serial);
        Ok(next_serial(policy.serial, unsigned, last, cli::now())?)
    }

    /// A key, with its private part if it signs; its token is opened when the first key needs it.
    fn zone_key(&mut self, record: &KeyRecord) -> Outcome<ZoneKey> {
        if !record.signs() {
            return Ok(ZoneKey {
                record: record.clone(),
                signing: None,
            });
        }
        let token = self.tokens.token_of(record)?;
        let (site, folder) = (self.site, self.folder);
        self.tokens.open_with(token, |tokens| {
            site.user_pin(folder, token, |handle| Ok(tokens.unseal(handle)?))
        })?;
        Ok(ZoneKey {
            record: record.clone(),
            signing: Some(self.tokens.signing_key(record)?),
        })
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::of(Exit::Failed, error).within(format!("cannot read {}", path.display()))
}
