//! Which zones of a site a command is about.

use clap::Args;
use key_metadata::{SiteFolder, ZoneName};

use crate::failure::{Exit, Failure, Outcome};

/// The option that chooses zones.
#[derive(Args, Debug)]
pub struct ZoneChoice {
    /// A zone, once for each; all of the site when absent
    #[arg(long = "zone", value_name = "ZONE")]
    zones: Vec<ZoneName>,
}

impl ZoneChoice {
    /// Whether no zone was named, so that all are meant.
    pub const fn is_all(&self) -> bool {
        self.zones.is_empty()
    }

    /// The zones that were named, be they of the site or not.
    pub fn named(&self) -> &[ZoneName] {
        &self.zones
    }

    /// The chosen zones, each of them one of the site.
    pub fn zones(&self, site: &SiteFolder) -> Outcome<Vec<ZoneName>> {
        let all = &site.site().zones;
        if self.zones.is_empty() {
            return Ok(all.keys().cloned().collect());
        }
        match self.zones.iter().find(|zone| !all.contains_key(*zone)) {
            None => Ok(self.zones.clone()),
            Some(unknown) => Err(
                Failure::new(Exit::Usage, format!("the site has no zone {unknown}")).hint(format!(
                    "add it under 'zones' in {}",
                    site.path("site.yaml").display()
                )),
            ),
        }
    }
}
