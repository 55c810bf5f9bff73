//! `sign`: each zone is read, signed, checked, and only then put in the place of the last one; then its name server is told.

use std::collections::BTreeMap;

use clap::Args;
use cli::{Exit, Failure, Outcome, Output, Progress, ReportArguments, SiteArguments, ZoneChoice};
use key_metadata::{SiteFolder, ZoneName};
use serde::Serialize;

use crate::one_zone::{Asked, Listener, Signing};
use crate::pins::Pins;
use crate::reload::reload;
use crate::verify::count;

/// The options of `sign`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    zones: ZoneChoice,
    /// Make every signature anew, also where the policy's refresh would keep one
    #[arg(long)]
    full: bool,
    /// Take a zone that differs from the last release by more than the policy's safety.largest-change, this once
    #[arg(long)]
    accept_change: bool,
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
    /// Whether the name server was told; nothing, where none is to be.
    reloaded: Option<bool>,
}

impl Listener for Output {
    fn warn(&self, _zone: &ZoneName, text: String) {
        self.warn(text);
    }

    fn progress(&self, what: &str, length: u64) -> Progress {
        Progress::new(what, length)
    }
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let mut pins = Pins::default();
        let mut signing = Signing::new(site, &folder, &mut pins, BTreeMap::new());
        let (mut signed, mut failed) = (Vec::new(), Vec::new());
        for zone in self.zones.zones(&folder)? {
            match self.zone(&folder, &mut signing, &zone, output) {
                Ok((report, not_told)) => {
                    if !self.report.json {
                        output.line(if self.dry_run {
                            report.plan()
                        } else {
                            report.text()
                        })?;
                    }
                    signed.push(report);
                    failed.extend(not_told);
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

    /// Signs a zone and tells its name server; that this one was not told is a failure beside.
    fn zone(
        &self,
        folder: &SiteFolder,
        signing: &mut Signing<'_>,
        zone: &ZoneName,
        output: &Output,
    ) -> Outcome<(Signed, Option<Failure>)> {
        if self.dry_run {
            let planned = signing.plan(zone, output)?;
            let signed = Signed {
                zone: zone.clone(),
                serial: planned.serial,
                signatures: 0,
                kept: 0,
                rrsets: 0,
                denials: 0,
                milliseconds: 0,
                keys: planned.keys,
                reloaded: None,
            };
            return Ok((signed, None));
        }
        let asked = Asked {
            full: self.full,
            accept_change: self.accept_change,
        };
        let released = signing.release(zone, asked, output).map_err(|not| not.failure)?;
        let hook = folder.site().reload(zone).filter(|_| released.is_to_be_told);
        let told = hook.map(|hook| {
            let said = reload(hook, zone, &folder.signed_path(zone))?;
            said.iter().for_each(|line| output.say(format!("{zone}: {line}")));
            Ok(())
        });
        let signed = Signed {
            zone: zone.clone(),
            serial: released.release.serial,
            signatures: released.made,
            kept: released.kept,
            rrsets: released.rrsets,
            denials: released.denials,
            milliseconds: released.milliseconds,
            keys: released.keys,
            reloaded: told.as_ref().map(Result::is_ok),
        };
        Ok((signed, told.and_then(Result::err)))
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
