//! Entering drills into the records of keys.

use backup::{BundleFolder, record_drill};
use cli::{ChangeArguments, Outcome, SiteArguments};
use key_metadata::backup::DrillLevel;
use key_metadata::{Action, KeyId, KeyRecord, SiteFolder, Time};

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
        let passed = |key: &KeyRecord| keys.is_none_or(|keys| keys.contains(&key.id));
        let count = record_drill(&mut records, &bundle.manifest, level, now, &change, passed);
        if count > 0 {
            folder.write_keys(&records, &lock)?;
            changed += count;
        }
    }
    Ok(changed)
}

/// Enters the proofs of all custodians (D1), where a record has fewer of them than the bundle has drills that are over: each is entered once,
/// however often it is looked at.
pub fn enter_proofs(
    bundle: &BundleFolder,
    over: usize,
    site: &SiteArguments,
    folder: &SiteFolder,
    change: &ChangeArguments,
    now: Time,
) -> Outcome<usize> {
    let id = bundle.id().to_string();
    let proofs = |key: &KeyRecord| {
        let entries = key.backup.bundles.iter().filter(|entry| entry.bundle == id);
        let drills = entries.flat_map(|entry| &entry.drills);
        drills.filter(|drill| drill.level == DrillLevel::D1).count()
    };
    let mut lacking = Vec::new();
    for zone in zones_of(bundle) {
        let keys = folder.keys(&zone)?;
        lacking.extend(
            keys.keys()
                .iter()
                .filter(|key| proofs(key) < over)
                .map(|key| key.id),
        );
    }
    enter(bundle, DrillLevel::D1, Some(&lacking), site, folder, change, now)
}
