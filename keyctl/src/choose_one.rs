//! Which key of which zones a step is about.

use clap::Args;
use cli::{Exit, Failure, Outcome, ZoneChoice};
use key_metadata::{KeyRecord, Role, SiteFolder, ZoneKeys, ZoneName};

use crate::choose::is_named;

/// The options that choose a key of each zone.
#[derive(Args)]
pub struct OneKeyEach {
    #[command(flatten)]
    zones: ZoneChoice,
    /// The key of that tag or id; when absent, the one key of the zone that can take the step
    #[arg(long, value_name = "TAG|ID")]
    key: Option<String>,
    /// Only keys of that role: ksk, zsk or csk
    #[arg(long, value_name = "ROLE")]
    role: Option<Role>,
}

impl OneKeyEach {
    /// The zones, which must be named.
    pub fn zones(&self, site: &SiteFolder) -> Outcome<Vec<ZoneName>> {
        if self.zones.is_all() {
            let failure = Failure::new(Exit::Usage, "no zone is named");
            return Err(failure.hint("name zones with --zone".to_owned()));
        }
        self.zones.zones(site)
    }

    /// The chosen key of a zone: the named one, else the only one that `fits`.
    pub fn of<'k>(&self, keys: &'k ZoneKeys, fits: impl Fn(&KeyRecord) -> bool) -> Outcome<&'k KeyRecord> {
        let zone = keys.zone();
        let of_role = |key: &&KeyRecord| self.role.is_none_or(|role| key.role == role);
        let chosen: Vec<&KeyRecord> = match &self.key {
            Some(name) => keys
                .keys()
                .iter()
                .filter(of_role)
                .filter(|key| is_named(key, name))
                .collect(),
            None => keys
                .keys()
                .iter()
                .filter(of_role)
                .filter(|key| fits(key))
                .collect(),
        };
        match (chosen.as_slice(), &self.key) {
            ([key], _) => Ok(key),
            ([], Some(name)) => Err(
                Failure::new(Exit::Failed, format!("zone {zone} has no key {name}"))
                    .hint(format!("keyrite-keyctl list --zone {zone}")),
            ),
            ([], None) => {
                let there: Vec<_> = keys.keys().iter().filter(of_role).collect();
                let error = format!("zone {zone} has no key that can take this step");
                let failure = Failure::new(Exit::Failed, error);
                Err(match there.is_empty() {
                    true => failure.hint(format!("keyrite-keyctl generate --zone {zone}")),
                    false => failure.because(format!("there is {}", names(&there))),
                })
            }
            (several, _) => Err(Failure::new(
                Exit::Usage,
                format!(
                    "zone {zone} has {} keys that can be meant: {}",
                    several.len(),
                    names(several)
                ),
            )
            .hint("name one with --key TAG, or with --role".to_owned())),
        }
    }
}

fn names(keys: &[&KeyRecord]) -> String {
    let names: Vec<_> = keys
        .iter()
        .map(|key| format!("{} {} ({})", key.role, key.key_tag(), key.state))
        .collect();
    names.join(", ")
}
