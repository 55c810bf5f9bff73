//! Which zones, and which of their keys, a command is about.

use clap::Args;
use cli::Outcome;
use key_metadata::{KeyRecord, SiteFolder, ZoneName};

/// The options that choose keys.
#[derive(Args)]
pub struct KeyChoice {
    #[command(flatten)]
    zones: cli::ZoneChoice,
    /// Only the key of that tag or id
    #[arg(long, value_name = "TAG|ID")]
    key: Option<String>,
}

impl KeyChoice {
    /// The keys of the chosen zones, zone by zone, in the order in which they were made. Only the files of those zones are read.
    pub fn keys(&self, site: &SiteFolder) -> Outcome<Vec<(ZoneName, KeyRecord)>> {
        let mut chosen = Vec::new();
        for zone in self.zones.zones(site)? {
            let keys = site.keys(&zone)?;
            let wanted = |key: &&KeyRecord| {
                self.key.as_ref().is_none_or(|wanted| {
                    *wanted == key.key_tag().to_string() || *wanted == key.id.to_string()
                })
            };
            chosen.extend(
                keys.keys()
                    .iter()
                    .filter(wanted)
                    .map(|key| (zone.clone(), key.clone())),
            );
        }
        Ok(chosen)
    }
}
