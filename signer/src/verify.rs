//! `verify`: what is wrong with a signed zone, all of it, as a stranger sees it.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use cli::{Exit, Failure, Outcome, Output, Progress, ReportArguments, SiteArguments, ZoneChoice};
use domain::base::iana::Rtype;
use key_metadata::{SiteFolder, Time, ZoneName};
use serde::Serialize;
use zone::Records;
use zone::check::{Problem, Question, Verdict};

/// The options of `verify`.
#[derive(Args)]
pub struct Arguments {
    /// A signed zone that anybody made, of the zone that --zone names; what the site has in signed/ when absent
    #[arg(value_name = "FILE", requires = "zones")]
    file: Option<PathBuf>,
    #[command(flatten)]
    zones: ZoneChoice,
    /// As of when: 2026-06-01T00:00:00Z; now when absent
    #[arg(long, value_name = "TIME")]
    at: Option<Time>,
    /// A file with the DS records at the parent: there must be a chain from them, for each of their algorithms
    #[arg(long, value_name = "FILE")]
    ds: Option<PathBuf>,
    #[command(flatten)]
    report: ReportArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    version: u32,
    zones: Vec<Verified>,
}

/// One zone that was looked at.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Verified {
    zone: ZoneName,
    file: PathBuf,
    at: Time,
    records: usize,
    /// RRsets that must be signed.
    rrsets: usize,
    /// Signatures that are good.
    signatures: usize,
    /// NSEC and NSEC3 records.
    denials: usize,
    /// When the first signature expires.
    first_expiration: Option<Time>,
    milliseconds: u128,
    problems: Vec<Told>,
}

/// One thing that is wrong.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Told {
    owner: String,
    #[serde(rename = "type")]
    rtype: Option<String>,
    line: Option<u32>,
    problem: String,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let at = self.at.map_or_else(cli::now, |at| at);
        let mut verified = Vec::new();
        match &self.file {
            Some(file) => {
                let [zone] = self.zones.named() else {
                    return Err(Failure::new(
                        Exit::Usage,
                        "one file is of one zone: give --zone once",
                    ));
                };
                verified.push(self.zone(
                    zone,
                    file,
                    &dnssec::question(std::iter::empty(), Vec::new(), at),
                    at,
                    output,
                )?);
            }
            None => {
                let folder = site.open()?;
                for zone in self.zones.zones(&folder)? {
                    let question = question(&folder, &zone, at)?;
                    verified.push(self.zone(&zone, &folder.signed_path(&zone), &question, at, output)?);
                }
            }
        }
        let bad: Vec<_> = verified.iter().filter(|zone| !zone.problems.is_empty()).collect();
        let verdict = match bad.as_slice() {
            [] => Ok(()),
            [zone] => Err(format!(
                "{} has {}",
                zone.zone,
                count(zone.problems.len(), "problem")
            )),
            zones => Err(format!("{} zones have problems", zones.len())),
        };
        if self.report.json {
            output.json(&Report {
                version: 1,
                zones: verified,
            })?;
        }
        verdict.map_err(|what| Failure::new(Exit::SaysNo, what))
    }

    fn zone(
        &self,
        name: &ZoneName,
        file: &Path,
        question: &Question,
        at: Time,
        output: &mut Output,
    ) -> Outcome<Verified> {
        let start = Instant::now();
        let question = Question {
            ds: self.ds(name)?,
            ..question.clone()
        };
        let length = std::fs::metadata(file).map_or(0, |file| file.len());
        let reading = Progress::new(&format!("reading {name}"), length);
        let records = Records::read(file, name, &mut |told| reading.steps(told.octets()))?;
        drop(reading);
        let checking = Progress::new(&format!("checking {name}"), records.len() as u64);
        let verdict = zone::check(&records, &question, &|records| checking.steps(records));
        drop(checking);
        let Verdict {
            rrsets,
            signatures,
            denials,
            first_expiration,
            problems,
        } = verdict;
        let verified = Verified {
            zone: name.clone(),
            file: file.to_owned(),
            at,
            records: records.len(),
            rrsets,
            signatures,
            denials,
            first_expiration: first_expiration.map(|seconds| dnssec::near(seconds, at)),
            milliseconds: start.elapsed().as_millis(),
            problems: problems.iter().map(Told::of).collect(),
        };
        if !self.report.json {
            for problem in &problems {
                output.line(match problem.line {
                    Some(line) => format!("{}:{line}: {problem}", file.display()),
                    None => format!("{}: {problem}", file.display()),
                })?;
            }
            output.line(verified.text())?;
        }
        Ok(verified)
    }

    /// The DS records that were given, of the zone.
    fn ds(&self, name: &ZoneName) -> Outcome<Vec<Vec<u8>>> {
        let Some(file) = &self.ds else {
            return Ok(Vec::new());
        };
        let records = Records::read(file, name, &mut |_| {})?;
        let ds: Vec<_> = records
            .iter()
            .filter(|record| record.rtype() == Rtype::DS && record.owner() == records.apex())
            .map(|record| record.rdata().to_vec())
            .collect();
        match ds.is_empty() {
            true => Err(Failure::new(
                Exit::Usage,
                format!("{} has no DS record of {name}", file.display()),
            )),
            false => Ok(ds),
        }
    }
}

/// What a zone of the site is asked: a key of ours may sign before its DNSKEY is there.
fn question(folder: &SiteFolder, zone: &ZoneName, at: Time) -> Outcome<Question> {
    let records = folder.keys(zone)?;
    let unpublished = records.keys().iter().filter(|key| key.signs_unpublished());
    Ok(dnssec::question(unpublished, Vec::new(), at))
}

impl Verified {
    fn text(&self) -> String {
        let Self { zone, at, .. } = self;
        let counts = format!(
            "{} over {}, {}",
            count(self.signatures, "good signature"),
            count(self.rrsets, "RRset"),
            count(self.denials, "denial record"),
        );
        let first = self
            .first_expiration
            .map_or_else(String::new, |first| format!(", the first expires at {first}"));
        match self.problems.len() {
            0 => format!("{zone}: good as of {at}: {counts}{first}"),
            problems => format!(
                "{zone}: {} as of {at}: {counts}{first}",
                count(problems, "problem")
            ),
        }
    }
}

impl Told {
    fn of(problem: &Problem) -> Self {
        Self {
            owner: problem.owner.clone(),
            rtype: problem.rtype.map(|rtype| rtype.to_string()),
            line: problem.line,
            problem: problem.what.clone(),
        }
    }
}

/// A number with its noun.
pub fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}
