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
        for zone in self.zones(site)? {
            let keys = self.keys_of(&zone, site)?;
            chosen.extend(keys.into_iter().map(|key| (zone.clone(), key)));
        }
        Ok(chosen)
    }

    /// The chosen zones.
    pub fn zones(&self, site: &SiteFolder) -> Outcome<Vec<ZoneName>> {
        self.zones.zones(site)
    }

    /// The chosen keys of one zone, in the order in which they were made. Only its file is read.
    pub fn keys_of(&self, zone: &ZoneName, site: &SiteFolder) -> Outcome<Vec<KeyRecord>> {
        let keys = site.keys(zone)?;
        let wanted = |key: &&KeyRecord| self.key.as_ref().is_none_or(|wanted| is_named(key, wanted));
        Ok(keys.keys().iter().filter(wanted).cloned().collect())
    }

    /// Whether one key is named.
    pub const fn is_of_one_key(&self) -> bool {
        self.key.is_some()
    }
}

/// Whether a key has that tag or id.
pub fn is_named(key: &KeyRecord, tag_or_id: &str) -> bool {
    tag_or_id == key.key_tag().to_string() || tag_or_id == key.id.to_string()
}
