//! `history`: what was done to the keys of zones, and whether the records are what it left.

use clap::Args;
use cli::{ChangeArguments, Exit, Failure, Outcome, Output, ReportArguments, SiteArguments, ZoneChoice};
use key_metadata::history::{HistoryEntry, HistoryError};
use key_metadata::{Action, Digest, SiteFolder, ZoneKeys, ZoneName};
use serde::Serialize;

/// The options of `history`.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    zones: ZoneChoice,
    /// Check that this entry, noted earlier, is in the history: then nothing up to it was changed. For one zone
    #[arg(long, value_name = "DIGEST")]
    since: Option<Digest>,
    /// Answer for records that were changed by other means, with --reason: they are entered as they are
    #[arg(long, requires = "reason")]
    accept: bool,
    #[command(flatten)]
    change: ChangeArguments,
    #[command(flatten)]
    report: ReportArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    version: u32,
    zones: Vec<ZoneHistory>,
}

/// The history of one zone, with the keys as the digests cover them.
#[derive(Serialize)]
struct ZoneHistory {
    zone: ZoneName,
    /// What in the file the history does not account for; empty, where all is well.
    contradictions: Vec<String>,
    head: Option<Digest>,
    history: Vec<HistoryEntry>,
    keys: Vec<key_metadata::KeyRecord>,
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let zones = self.zones.zones(&folder)?;
        if self.since.is_some() && zones.len() != 1 {
            return Err(
                Failure::new(Exit::Usage, "--since is for one zone").hint("name it with --zone".to_owned())
            );
        }
        let mut failures = Vec::new();
        let mut report = Vec::new();
        for zone in &zones {
            let (keys, contradictions) = match self.accept {
                true => (self.accept(&folder, zone, site, output)?, Vec::new()),
                false => folder.keys_with_contradictions(zone)?,
            };
            if !self.report.json {
                print(&keys, output)?;
            }
            failures.extend(self.judge(&folder, &keys, &contradictions));
            report.push(ZoneHistory {
                zone: zone.clone(),
                contradictions: contradictions.iter().map(ToString::to_string).collect(),
                head: keys.head(),
                history: keys.history().to_vec(),
                keys: keys.keys().to_vec(),
            });
        }
        if self.report.json {
            output.json(&Report {
                version: 1,
                zones: report,
            })?;
        }
        output.last_of(failures).map_or(Ok(()), Err)
    }

    fn judge(
        &self,
        folder: &SiteFolder,
        keys: &ZoneKeys,
        contradictions: &[HistoryError],
    ) -> Option<Failure> {
        let path = folder.keys_path(keys.zone());
        let path = path.display();
        if !contradictions.is_empty() {
            let failure = Failure::new(Exit::SaysNo, format!("{path} is not what its history says"));
            let failure = contradictions
                .iter()
                .fold(failure, |failure, error| failure.because(error.to_string()));
            return Some(failure.hint(HINT.to_owned()));
        }
        let since = self.since?;
        let is_there = keys.history().iter().any(|entry| entry.digest == since);
        (!is_there).then(|| {
            Failure::new(Exit::SaysNo, format!("{path} does not go back to entry {since}")).hint(
                "it was put in the place of the file that had that entry: compare with the site's version control"
                    .to_owned(),
            )
        })
    }

    /// Enters the records that differ from what the history left as they are now.
    fn accept(
        &self,
        folder: &SiteFolder,
        zone: &ZoneName,
        site: &SiteArguments,
        output: &mut Output,
    ) -> Outcome<ZoneKeys> {
        let lock = folder.lock_keys(zone)?;
        let (mut keys, contradictions) = folder.keys_with_contradictions(zone)?;
        for contradiction in &contradictions {
            let (HistoryError::Changed { key: id, .. } | HistoryError::Unknown(id)) = contradiction else {
                let path = folder.keys_path(zone);
                let failure = Failure::new(Exit::SaysNo, contradiction.to_string())
                    .within(format!("{} cannot be accepted as it is", path.display()));
                return Err(failure.hint("bring the file back from the site's version control".to_owned()));
            };
            let change = self.change.change(Action::Accept, cli::now(), cli::tool!(), site);
            if let Some(key) = keys.key(*id).cloned() {
                output.say(format!("accepted: {contradiction}"));
                keys.replace(key, change);
            }
        }
        if !contradictions.is_empty() {
            folder.write_keys(&keys, &lock)?;
        }
        Ok(keys)
    }
}

const HINT: &str = "bring the file back from the site's version control, or answer for a changed record with \
                    keyrite-keyctl history --accept --reason TEXT";

fn print(keys: &ZoneKeys, output: &mut Output) -> Outcome {
    let row = |entry: &HistoryEntry| {
        let name = keys.key(entry.key).map_or_else(
            || entry.key.to_string(),
            |key| format!("{} {}", key.role, key.key_tag()),
        );
        let overrides: Vec<_> = entry.overrides.iter().map(ToString::to_string).collect();
        let against = if overrides.is_empty() {
            String::new()
        } else {
            format!("against {}: ", overrides.join(", "))
        };
        let ceremony = entry
            .ceremony
            .as_ref()
            .map_or_else(String::new, |id| format!(" (ceremony {id})"));
        let reason = entry.reason.as_deref().map_or("", |reason| reason);
        [
            keys.zone().to_string(),
            entry.at.to_string(),
            name,
            entry.action.to_string(),
            entry.operator.clone(),
            format!("{against}{reason}{ceremony}").trim().to_owned(),
        ]
    };
    if keys.history().is_empty() {
        return Ok(());
    }
    output.result(cli::table(
        ["ZONE", "AT", "KEY", "DONE", "BY", "WHY"],
        keys.history().iter().map(row),
    ))?;
    if let Some(head) = keys.head() {
        output.line(format!("{}: head {head}", keys.zone()))?;
    }
    Ok(())
}
