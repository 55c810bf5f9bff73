//! `list`: keys, a line each.

use clap::Args as ClapArgs;
use cli::{Outcome, Output, ReportArguments, SiteArguments};
use key_metadata::{KeyRecord, ZoneName};
use serde::Serialize;

use crate::choose::KeyChoice;

/// The options of `list`.
#[derive(ClapArgs)]
pub struct Arguments {
    #[command(flatten)]
    keys: KeyChoice,
    #[command(flatten)]
    report: ReportArguments,
}

/// What `--json` prints, here and in `show`: each key as its file has it, with its zone.
#[derive(Serialize)]
pub struct Report {
    pub version: u32,
    pub keys: Vec<Key>,
}

/// A key and its zone.
#[derive(Serialize)]
pub struct Key {
    pub zone: ZoneName,
    #[serde(flatten)]
    pub key: KeyRecord,
}

impl Report {
    /// The report on those keys.
    pub fn new(keys: Vec<(ZoneName, KeyRecord)>) -> Self {
        Self {
            version: 1,
            keys: keys.into_iter().map(|(zone, key)| Key { zone, key }).collect(),
        }
    }
}

impl Arguments {
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let keys = self.keys.keys(&folder)?;
        if self.report.json {
            return output.json(&Report::new(keys));
        }
        if keys.is_empty() {
            output.say("no keys");
            return Ok(());
        }
        let row = |(zone, key): (ZoneName, KeyRecord)| {
            let since = key
                .times
                .of(key.state)
                .map_or_else(String::new, |time| time.to_string());
            [
                zone.to_string(),
                key.role.to_string(),
                key.key_tag().to_string(),
                key.algorithm().to_string(),
                key.state.to_string(),
                since,
                key.id.to_string(),
            ]
        };
        output.result(cli::table(
            ["ZONE", "ROLE", "TAG", "ALGORITHM", "STATE", "SINCE", "ID"],
            keys.into_iter().map(row),
        ))
    }
}
