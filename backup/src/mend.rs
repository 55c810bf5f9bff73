//! Bringing to an end, or clearing away, what a run that was killed had begun.

use backup::{BundleFolder, BundleKind, Bundles, record_bundle};
use cli::{ChangeArguments, Failure, Outcome, Output, SiteArguments};
use key_metadata::store::Lock;
use key_metadata::{Action, SiteFolder, Time};

/// What every verb that changes bundles does first: nobody else is at work on them, and nothing is half done.
pub struct Bench<'a> {
    pub site: &'a SiteArguments,
    pub folder: &'a SiteFolder,
    pub change: &'a ChangeArguments,
    pub now: Time,
}

impl Bench<'_> {
    /// Takes the lock of the site's bundles, clears bundles that never were, and enters those that are into the records of their keys.
    pub fn take(&self, output: &Output) -> Outcome<Lock> {
        let lock = self.folder.lock_backups()?;
        let bundles = Bundles::of(self.folder);
        for cleared in bundles.clear()? {
            output.say(format!(
                "bundle {} was interrupted before it was there, and is cleared away; shares of it, now void: {}",
                cleared.id,
                cleared.shares.len()
            ));
        }
        for bundle in bundles.all()? {
            match bundle {
                Ok(bundle) => self.record(&bundle)?,
                Err(error) => output.warn(Failure::from(error).in_a_line()),
            }
        }
        Ok(lock)
    }

    /// Enters a bundle into the records of the keys that it holds.
    pub fn record(&self, bundle: &BundleFolder) -> Outcome {
        if bundle.manifest.header.kind != BundleKind::Keys {
            return Ok(());
        }
        let change = self
            .change
            .change(Action::BackUp, self.now, cli::tool!(), self.site);
        for zone in zones_of(bundle) {
            if record_bundle(&mut self.folder.keys(&zone)?, &bundle.manifest, &change) == 0 {
                continue;
            }
            let lock = self.folder.lock_keys(&zone)?;
            let mut keys = self.folder.keys(&zone)?;
            if record_bundle(&mut keys, &bundle.manifest, &change) > 0 {
                self.folder.write_keys(&keys, &lock)?;
            }
        }
        Ok(())
    }
}

/// The zones that a bundle holds keys of, each once.
pub fn zones_of(bundle: &BundleFolder) -> Vec<key_metadata::ZoneName> {
    let mut zones: Vec<_> = bundle
        .manifest
        .header
        .keys
        .iter()
        .map(|key| key.zone.clone())
        .collect();
    zones.sort();
    zones.dedup();
    zones
}
