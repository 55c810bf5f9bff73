//! Entering drills into the records of keys.

use backup::{BundleFolder, record_drill};
use cli::{ChangeArguments, Outcome, SiteArguments};
use key_metadata::backup::DrillLevel;
use key_metadata::{Action, KeyId, SiteFolder, Time};

use crate::mend::zones_of;

/// Enters that a bundle passed a drill into the records of those of its keys that it was passed with; tells how many.
pub fn enter(
    bundle: &BundleFolder,
    level: DrillLevel,
    keys: Option<&[KeyId]>,
    site: &SiteArguments,
    folder: &SiteFolder,
    change: &ChangeArguments,
    now: Time,
) -> Outcome<usize> {
    let change = change.change(Action::BackUp, now, cli::tool!(), site);
    let mut changed = 0;
    for zone in zones_of(bundle) {
        let lock = folder.lock_keys(&zone)?;
        let mut records = folder.keys(&zone)?;
        let passed = |key: &key_metadata::KeyRecord| keys.is_none_or(|keys| keys.contains(&key.id));
        let count = record_drill(&mut records, &bundle.manifest, level, now, &change, passed);
        if count > 0 {
            folder.write_keys(&records, &lock)?;
            changed += count;
        }
    }
    Ok(changed)
}
