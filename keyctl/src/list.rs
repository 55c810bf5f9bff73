//! `list`: keys, a line each.

use clap::Args as ClapArgs;
use cli::{Columns, JsonList, Outcome, Output, Progress, ReportArguments, SiteArguments};
use key_metadata::{Algorithm, KeyRecord, ZoneName};
use serde::Serialize;

use crate::choose::KeyChoice;

/// The options of `list`.
#[derive(ClapArgs)]
pub struct Arguments {
    #[command(flatten)]
    keys: KeyChoice,
    /// List the keys of every zone of the site, which is done too when no zone is named
    #[arg(long, conflicts_with = "zones")]
    all: bool,
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
    /// Prints the keys of one zone before the next zone's file is read.
    pub fn run(&self, site: &SiteArguments, output: &mut Output) -> Outcome {
        let folder = site.open()?;
        let zones = self.keys.zones(&folder)?;
        let mut list = if self.report.json {
            List::Json(JsonList::new("keys"))
        } else {
            List::Table(Table::new(&zones))
        };
        let progress = output
            .is_to_a_file()
            .then(|| Progress::new("listing", zones.len() as u64));
        for zone in &zones {
            list.add(zone, self.keys.keys_of(zone, &folder)?, output)?;
            if output.is_over() {
                return Ok(());
            }
            if let Some(progress) = &progress {
                progress.step();
            }
        }
        match list {
            List::Json(list) => list.end(output),
            List::Table(table) => {
                if table.empty {
                    output.say("no keys");
                }
                Ok(())
            }
        }
    }
}

enum List {
    Json(JsonList),
    Table(Table),
}

impl List {
    fn add(&mut self, zone: &ZoneName, keys: Vec<KeyRecord>, output: &mut Output) -> Outcome {
        match self {
            Self::Json(list) => keys.into_iter().try_for_each(|key| {
                let zone = zone.clone();
                list.item(&Key { zone, key }, output)
            }),
            Self::Table(table) => table.add(zone, &keys, output),
        }
    }
}

struct Table {
    columns: Columns<7>,
    empty: bool,
}

const HEADING: [&str; 7] = ["ZONE", "ROLE", "TAG", "ALGORITHM", "STATE", "SINCE", "ID"];

impl Table {
    /// Columns that hold any key of these zones. Only an algorithm with which Keyrite makes no keys has a longer name.
    fn new(zones: &[ZoneName]) -> Self {
        let zone = zones.iter().map(|zone| zone.as_str().len()).fold(4, usize::max);
        let algorithms = Algorithm::ALL.iter().map(|algorithm| algorithm.mnemonic().len());
        let algorithm = algorithms.fold(9, usize::max);
        Self {
            columns: Columns::new([zone, 4, 5, algorithm, 13, 20, 32]),
            empty: true,
        }
    }

    fn add(&mut self, zone: &ZoneName, keys: &[KeyRecord], output: &mut Output) -> Outcome {
        let mut rows = String::new();
        if self.empty && !keys.is_empty() {
            self.empty = false;
            rows.push_str(&self.columns.row(HEADING));
        }
        for key in keys {
            let since = key.times.of(key.state);
            rows.push_str(&self.columns.row([
                zone.to_string(),
                key.role.to_string(),
                key.key_tag().to_string(),
                key.algorithm().to_string(),
                key.state.to_string(),
                since.map_or_else(String::new, |time| time.to_string()),
                key.id.to_string(),
            ]));
        }
        output.result(rows)
    }
}
