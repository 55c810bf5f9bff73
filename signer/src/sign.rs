//! `sign`: each zone is read, signed, checked, and only then put in the place of the last one; then its name server is told.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use cli::{Exit, Failure, Outcome, Output, Progress, ReportArguments, SiteArguments, ZoneChoice};
use key_metadata::{SiteFolder, TokenName, ZoneName};
use serde::Serialize;

use crate::one_zone::{Asked, Listener, Released, Signing, write_failure};
use crate::pins::Pins;
use crate::reload::reload;
use crate::side_by_side::release_all;

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
    /// How many of them each token made.
    tokens: BTreeMap<TokenName, usize>,
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
        let zones = self.zones.zones(&folder)?;
        if self.dry_run {
            return self.plan(&signing, &zones, output);
        }
        let asked = Asked {
            full: self.full,
            accept_change: self.accept_change,
        };
        let mut run = Run::default();
        release_all(&mut signing, &zones, asked, |zone, told| {
            told.heard.warnings.iter().for_each(|text| output.warn(text));
            match told.released {
                Ok(released) => self.released(&folder, (zone, &released), output, &mut run),
                Err(not) => run.fail(not.failure.within(format!("zone {zone} was not signed"))),
            }
        });
        self.end(run, output)
    }

    /// Tells what signing would do.
    fn plan(&self, signing: &Signing<'_>, zones: &[ZoneName], output: &mut Output) -> Outcome {
        let mut run = Run::default();
        for zone in zones {
            match signing.plan(zone, output) {
                Ok(planned) => {
                    let signed = Signed {
                        zone: zone.clone(),
                        serial: planned.serial,
                        signatures: 0,
                        kept: 0,
                        rrsets: 0,
                        denials: 0,
                        milliseconds: 0,
                        keys: planned.keys,
                        tokens: BTreeMap::new(),
                        reloaded: None,
                    };
                    if !self.report.json {
                        output.line(signed.plan())?;
                    }
                    run.signed.push(signed);
                }
                Err(failure) => run.fail(failure.within(format!("zone {zone} was not signed"))),
            }
        }
        self.end(run, output)
    }

    fn end(&self, run: Run, output: &mut Output) -> Outcome {
        let Run { signed, failed, .. } = run;
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

    /// Tells of a zone that was signed, and its name server too; that this one was not told is a failure beside.
    fn released(
        &self,
        folder: &SiteFolder,
        (zone, released): (&ZoneName, &Released),
        output: &mut Output,
        run: &mut Run,
    ) {
        for missed in &released.missed {
            if run.missed.insert(missed.token.clone()) {
                output.warn(missed.text());
            }
        }
        let hook = folder.site().reload(zone).filter(|_| released.is_to_be_told);
        let told: Option<Outcome> = hook.map(|hook| {
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
            keys: released.keys.clone(),
            tokens: released.tokens.clone(),
            reloaded: told.as_ref().map(Result::is_ok),
        };
        if !self.report.json
            && let Err(failure) = output.line(text(zone, released))
        {
            run.fail(failure);
        }
        run.signed.push(signed);
        if let Some(Err(failure)) = told {
            // So that the next run tells it again.
            run.failed.extend(write_failure(folder, zone, &failure).err());
            run.failed.push(failure);
        }
    }
}

/// What became of the zones.
#[derive(Default)]
struct Run {
    signed: Vec<Signed>,
    failed: Vec<Failure>,
    /// Tokens of which was told that others did their work.
    missed: BTreeSet<TokenName>,
    is_refused: bool,
}

impl Run {
    /// A zone was not signed. What refused a credential is not asked again, nor told.
    fn fail(&mut self, failure: Failure) {
        let is_credential = failure.exit() == Exit::Credential;
        if !(is_credential && self.is_refused) {
            self.failed.push(failure);
        }
        self.is_refused |= is_credential;
    }
}

impl Signed {
    fn plan(&self) -> String {
        format!(
            "{}: would sign with {}, serial {}",
            self.zone,
            tags(&self.keys),
            self.serial
        )
    }
}

/// What is told of a zone that was signed, or that is as it is to be.
fn text(zone: &ZoneName, released: &Released) -> String {
    if !released.is_new {
        return format!("{zone}: {}", released.unchanged());
    }
    let by = format!(" by {}", tags(&released.keys));
    format!(
        "{zone}: serial {}, {} over {} RRsets, {} denial records, checked",
        released.release.serial,
        released.signatures(&by),
        released.rrsets,
        released.denials
    )
}

fn tags(keys: &[u16]) -> String {
    keys.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
