//! `check`: whether scripts can be followed.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ceremony::check::{CheckError, Checked, Finding, LARGEST, check_bytes};
use ceremony::script::Action;
use clap::Args;
use cli::{Exit, Failure, Outcome, Output, ReportArguments, SiteArguments};
use key_metadata::Digest;
use serde::Serialize;

#[derive(Args)]
pub struct Arguments {
    /// The scripts; - is standard input
    #[arg(required = true, value_name = "SCRIPT")]
    scripts: Vec<PathBuf>,
    #[command(flatten)]
    report: ReportArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    version: u32,
    scripts: Vec<Line>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line {
    script: PathBuf,
    sha256: Digest,
    /// Whether it can be followed.
    ok: bool,
    /// The name of its log.
    log: Option<String>,
    steps: Option<usize>,
    commands: Option<usize>,
    findings: Vec<Finding>,
}

impl Arguments {
    /// Checks every script; 3 when one cannot be followed.
    pub fn run(&self, _site: &SiteArguments, output: &mut Output) -> Outcome {
        let mut lines = Vec::new();
        for path in &self.scripts {
            let bytes = read(path).map_err(|error| {
                Failure::of(Exit::Failed, &error).within(format!("cannot read {}", path.display()))
            })?;
            let line = Line::new(path.clone(), &bytes);
            if !self.report.json {
                line.tell(output)?;
            }
            lines.push(line);
        }
        let bad = lines.iter().filter(|line| !line.ok).count();
        let all = lines.len();
        if self.report.json {
            output.json(&Report {
                version: 1,
                scripts: lines,
            })?;
        }
        if bad == 0 {
            return Ok(());
        }
        let failure = Failure::new(Exit::SaysNo, format!("{bad} of {all} scripts cannot be followed"));
        Err(failure.hint("docs/formats/ceremony-script.md has the rules".to_owned()))
    }
}

/// The bytes of a script, and one more than it may have where it is too large.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = LARGEST as u64 + 1;
    if path == Path::new("-") {
        io::stdin().lock().take(most).read_to_end(&mut bytes)?;
    } else {
        File::open(path)?.take(most).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

impl Line {
    fn new(script: PathBuf, bytes: &[u8]) -> Self {
        let sha256 = Digest::of(bytes);
        match check_bytes(bytes) {
            Ok(Checked {
                script: read,
                warnings,
            }) => {
                let plan = read.plan();
                let runs = |action: &Action| matches!(action, Action::Run(_));
                Self {
                    script,
                    sha256,
                    ok: true,
                    log: Some(read.log.to_string()),
                    steps: Some(plan.len()),
                    commands: Some(plan.iter().filter(|planned| runs(&planned.step.action)).count()),
                    findings: warnings,
                }
            }
            Err(CheckError { findings }) => Self {
                script,
                sha256,
                ok: false,
                log: None,
                steps: None,
                commands: None,
                findings,
            },
        }
    }

    fn tell(&self, output: &mut Output) -> Outcome {
        for finding in &self.findings {
            output.line(format!("{}:{finding}", self.script.display()))?;
        }
        if let (Some(steps), Some(commands)) = (self.steps, self.commands) {
            output.line(format!(
                "script {}: {steps} steps, {commands} commands, sha256 {}",
                self.script.display(),
                self.sha256
            ))?;
        }
        Ok(())
    }
}
