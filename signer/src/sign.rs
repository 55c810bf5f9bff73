//! `sign`: each zone is read, signed, checked, and only then put in the place of the last one.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Instant;

use clap::Args;
use cli::{Exit, Failure, Outcome, Output, Progress, ReportArguments, SiteArguments, ZoneChoice};
use dnssec::{
    Checked, KeptSignatures, SignPlan, SignedZone, SiteTokens, Zone, ZoneKey, next_serial, serial_of, sign,
};
use key_metadata::policy::SerialPolicy;
use key_metadata::store::replace;
use key_metadata::{KeyRecord, Policy, SiteFolder, ZoneName};
use serde::Serialize;

use crate::same::Same;
use crate::verify::count;

/// So many delegations that cannot be followed are told.
const MOST_TOLD: usize = 5;

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
        if self.signatures == 0 {
            return format!("{}: nothing is due, serial {} stays", self.zone, self.serial);
        }
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
        let now = cli::now();
        let (serial, last_serial) = self.serial(&policy, &zone, name, &signed_path)?;
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
        let plan = SignPlan {
            last_serial: last_serial.filter(|_| policy.serial != SerialPolicy::Keep),
            ..SignPlan::new(&policy, serial, now)
        };
        let unpublished: Vec<_> = records
            .keys()
            .iter()
            .filter(|key| key.signs_unpublished())
            .collect();
        let last = self.last(name, output)?;
        let again = || Ok::<_, Failure>(Zone::read(&folder.unsigned_path(name), name, &mut |_| {})?);
        let attempt = |zone: Zone, plan: &SignPlan, last: &KeptSignatures| -> Outcome<_> {
            let progress = Progress::new(&format!("signing {name}"), zone.len() as u64);
            let made = sign(zone, name, &keys, plan, last, &|count| progress.steps(count))?;
            drop(progress);
            let checked = made.check(&unpublished, now);
            match checked {
                Err(why) if made.kept > 0 => Ok(Err(why)),
                Ok(_) | Err(_) => Ok(Ok((made, checked?))),
            }
        };
        let signed_by = |zone: Zone, plan: &SignPlan| -> Outcome<_> {
            match attempt(zone, plan, &last)? {
                Ok(made) => Ok(made),
                Err(why) => {
                    output.warn(format!(
                        "zone {name} is signed anew, not with signatures that were kept: {why}"
                    ));
                    Ok(attempt(again()?, plan, &KeptSignatures::default())??)
                }
            }
        };
        let (mut made, mut checked) = signed_by(zone, &plan)?;
        let is_as_released = made.signatures == 0 && self.is_released(&made, &signed_path)?;
        if !is_as_released && made.serial != serial {
            let plan = SignPlan {
                last_serial: None,
                ..plan
            };
            (made, checked) = signed_by(again()?, &plan)?;
        }
        if !is_as_released {
            replace(&signed_path, |out| {
                made.write(out, &|_| {}).map_err(io::Error::other)
            })?;
            self.keep(name, &made, output);
        }
        let Checked {
            rrsets,
            denials,
            delegations,
            ..
        } = checked;
        for problem in delegations.iter().take(MOST_TOLD) {
            output.warn(problem.to_string());
        }
        if let Some(more) = delegations.len().checked_sub(MOST_TOLD).filter(|more| *more > 0) {
            output.warn(format!(
                "{more} more delegations of {name} lack addresses; keyrite-signer verify lists them"
            ));
        }
        signed.serial = made.serial;
        signed.signatures = made.signatures;
        signed.kept = made.kept;
        signed.rrsets = rrsets;
        signed.denials = denials;
        signed.milliseconds = start.elapsed().as_millis();
        Ok(signed)
    }

    /// Whether a file is the text of a zone already.
    fn is_released(&self, zone: &SignedZone, path: &Path) -> Outcome<bool> {
        let file = match fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(unreadable(path, &error)),
        };
        let mut same = Same::new(io::BufReader::new(file));
        match zone.write(&mut same, &|_| {}) {
            Ok(()) => same.is_at_the_end().map_err(|error| unreadable(path, &error)),
            Err(_) if same.differs => Ok(false),
            Err(error) => {
                Err(Failure::of(Exit::Failed, &error)
                    .within(format!("cannot compare with {}", path.display())))
            }
        }
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
        Ok(KeptSignatures::of_bytes(bytes).map_or_else(
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
    fn keep(&self, name: &ZoneName, zone: &SignedZone, output: &Output) {
        let path = self.folder.kept_path(name);
        let kept = match zone.has_keepable() {
            false => match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.to_string()),
                Ok(()) | Err(_) => Ok(()),
            },
            true => replace(&path, |out| zone.write_kept(out)).map_err(|error| error.to_string()),
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
        let zone = Zone::read(&path, name, &mut |_| {})?;
        for warning in &zone.warnings {
            output.warn(warning);
        }
        Ok(zone)
    }

    /// The next serial; it rises from that of the last signed zone.
    fn serial(
        &self,
        policy: &Policy,
        zone: &Zone,
        name: &ZoneName,
        signed: &Path,
    ) -> Outcome<(u32, Option<u32>)> {
        let last = match fs::read(signed) {
            Ok(text) => serial_of(&text, signed, name),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(unreadable(signed, &error)),
        };
        // A zone that was read has a SOA.
        let unsigned = zone.serial().map_or(0, |serial| serial);
        Ok((next_serial(policy.serial, unsigned, last, cli::now())?, last))
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
            signing: Some(self.tokens.queued_key(record)?),
        })
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::of(Exit::Failed, error).within(format!("cannot read {}", path.display()))
}
