//! `report`: what a ceremony was and what came of looking at it, for people who were not there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ceremony::log::CeremonyFolder;
use ceremony::report::{Report, Source, page};
use ceremony::verify::{ClaimVerdict, verify};
use clap::Args;
use cli::{Exit, Failure, Outcome, Output, SiteArguments};
use key_metadata::store::{read_bytes, read_bytes_if_there, replace};

/// The options of `report`.
#[derive(Args)]
pub struct Arguments {
    /// The ceremony's folder
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// The folder of the ceremony before, for the claim that this one follows it
    #[arg(long, value_name = "FOLDER")]
    previous: Option<PathBuf>,
    /// The page's file, or - for stdout; report.html and report.json of the folder when absent
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the report as JSON, and write nothing
    #[arg(long, conflicts_with = "out")]
    json: bool,
}

impl Arguments {
    pub fn run(&self, _site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = CeremonyFolder::new(&self.folder);
        let previous = self.previous.as_ref().map(CeremonyFolder::new);
        let verification = verify(&folder, previous.as_ref())?;
        let log = read_bytes(&folder.log())?;
        let script = read_bytes_if_there(&folder.script())?;
        let report = Report::new(&Source {
            log: &log,
            script: script
                .as_deref()
                .and_then(|script| std::str::from_utf8(script).ok()),
            signatures: &signatures(&folder)?,
            verification: &verification,
        });
        match (&self.out, self.json) {
            (_, true) => output.json(&report)?,
            (Some(path), false) if path == Path::new("-") => output.result(page(&report))?,
            (Some(path), false) => write(path, &page(&report), output)?,
            (None, false) => {
                let json = serde_json::to_string_pretty(&report).map_err(|error| {
                    Failure::of(Exit::Failed, &error).within("cannot write the report as JSON")
                })?;
                write(&folder.file("report.json"), &(json + "\n"), output)?;
                write(&folder.file("report.html"), &page(&report), output)?;
            }
        }
        match report.verdict {
            ClaimVerdict::Pass | ClaimVerdict::NotChecked => Ok(()),
            ClaimVerdict::Fail => {
                let count = report.count(ClaimVerdict::Fail);
                let text = format!("the ceremony does not verify: {count} claims fail");
                Err(Failure::new(Exit::SaysNo, text)
                    .hint("the report says which, and on which lines".to_owned()))
            }
        }
    }
}

fn write(path: &Path, text: &str, output: &mut Output) -> Outcome {
    replace(path, |file| file.write_all(text.as_bytes()))?;
    output.line(path.display().to_string())
}

/// The signatures on checkpoints, by name.
fn signatures(folder: &CeremonyFolder) -> Outcome<BTreeMap<String, Vec<u8>>> {
    let failed =
        |error| Failure::of(Exit::Failed, &error).within(format!("cannot read {}", folder.path().display()));
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder.path()).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("checkpoint-") && name.ends_with(".sig") {
            found.insert(name, read_bytes(&entry.path())?);
        }
    }
    Ok(found)
}
