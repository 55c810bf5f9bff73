//! `sign`: each zone is read, signed, checked, and only then put in the place of the last one.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Instant;

use clap::Args;
use cli::{Exit, Failure, Outcome, Output, Progress, ReportArguments, SiteArguments, ZoneChoice};
use dnssec::{
    Checked, KeptSignatures, SignPlan, SiteTokens, Zone, ZoneKey, check, next_serial, serial_of, sign,
};
use key_metadata::store::replace;
use key_metadata::{KeyRecord, Policy, SiteFolder, ZoneName};
use serde::Serialize;

use crate::verify::count;

/// The options of `sign`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    zones: ZoneChoice,
    /// Make every signature anew, also where the policy's refresh would keep one
    #[arg(long)]
    full: bool,
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
    /// RRSIG records of a run before.
    kept: usize,
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
            full: self.full,
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
        let kept = match self.kept {
            0 => String::new(),
            kept => format!(" and {kept} of before"),
        };
        format!(
            "{}: serial {}, {} by {keys}{kept} over {} RRsets, {} denial records, checked",
            self.zone,
            self.serial,
            count(self.signatures, "signature"),
            self.rrsets,
            self.denials
        )
    }
}

/// One run over several zones.
struct Run<'a> {
    site: &'a SiteArguments,
    folder: &'a SiteFolder,
    tokens: SiteTokens<'a>,
    dry_run: bool,
    full: bool,
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
            kept: 0,
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
        let unpublished: Vec<_> = records
            .keys()
            .iter()
            .filter(|key| key.signs_unpublished())
            .collect();
        let last = self.last(name, output)?;
        let attempt = |zone: Zone, last: &KeptSignatures| -> Outcome<_> {
            let progress = Progress::new(&format!("signing {name}"), zone.len() as u64);
            let made = sign(zone, name, &keys, &plan, last, || progress.step())?;
            drop(progress);
            let checked = check(&made.text, name, &unpublished, now);
            Ok((made, checked))
        };
        let (mut made, mut checked) = attempt(zone, &last)?;
        if made.kept > 0
            && let Err(why) = &checked
        {
            output.warn(format!(
                "zone {name} is signed anew, not with signatures that were kept: {why}"
            ));
            (made, checked) = attempt(self.read(name, output)?, &KeptSignatures::default())?;
        }
        // The text that was checked is the text that is published.
        let Checked { rrsets, denials, .. } = checked?;
        replace(&signed_path, |out| out.write_all(made.text.as_bytes()))?;
        self.keep(name, &made.keepable, output);
        signed.signatures = made.signatures;
        signed.kept = made.kept;
        signed.rrsets = rrsets;
        signed.denials = denials;
        signed.milliseconds = start.elapsed().as_millis();
        Ok(signed)
    }

    /// The signatures of the last run, as far as they can be kept: that none can costs time, and nothing else.
    fn last(&self, name: &ZoneName, output: &Output) -> Outcome<KeptSignatures> {
        let path = self.folder.kept_path(name);
        if self.full {
            return Ok(KeptSignatures::default());
        }
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(KeptSignatures::default()),
            Err(error) => return Err(unreadable(&path, &error)),
        };
        Ok(KeptSignatures::of_bytes(&bytes).map_or_else(
            |error| {
                output.warn(format!(
                    "{}: {error}; every signature is made anew",
                    path.display()
                ));
                KeptSignatures::default()
            },
            |last| last,
        ))
    }

    /// Keeps signatures for the next run, where the policy has any kept. The zone is published already: a failure is told, and no more.
    fn keep(&self, name: &ZoneName, keepable: &KeptSignatures, output: &Output) {
        let path = self.folder.kept_path(name);
        let kept = match keepable.is_empty() {
            true => match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.to_string()),
                Ok(()) | Err(_) => Ok(()),
            },
            false => {
                replace(&path, |out| out.write_all(&keepable.to_bytes())).map_err(|error| error.to_string())
            }
        };
        if let Err(error) = kept {
            output.warn(format!(
                "{}: {error}; the next run makes every signature anew",
                path.display()
            ));
        }
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
