//! What a backup and its drills leave in the records of the keys.

use key_metadata::backup::{BundleEntry, Drill, DrillLevel};
use key_metadata::{Change, KeyRecord, Time, ZoneKeys};

use crate::manifest::Manifest;

/// Enters a bundle into the records of the keys that it holds, where it is not there yet. Tells how many changed.
pub fn record_bundle(keys: &mut ZoneKeys, manifest: &Manifest, change: &Change) -> usize {
    let header = &manifest.header;
    edit(keys, manifest, change, |key| {
        let bundle = header.bundle.to_string();
        if key.backup.bundles.iter().any(|entry| entry.bundle == bundle) {
            return false;
        }
        key.backup.bundles.push(BundleEntry {
            bundle,
            created: header.created,
            drills: Vec::new(),
        });
        true
    })
}

/// Enters a drill that a bundle passed into the records of the keys that it holds. Tells how many changed.
pub fn record_drill(
    keys: &mut ZoneKeys,
    manifest: &Manifest,
    level: DrillLevel,
    at: Time,
    change: &Change,
    passed: impl Fn(&KeyRecord) -> bool,
) -> usize {
    let bundle = manifest.header.bundle.to_string();
    edit(keys, manifest, change, |key| {
        if !passed(key) {
            return false;
        }
        let mut entries = key.backup.bundles.iter_mut();
        let Some(entry) = entries.find(|entry| entry.bundle == bundle) else {
            return false;
        };
        let drill = Drill { level, at };
        let is_new = !entry.drills.contains(&drill);
        if is_new {
            entry.drills.push(drill);
        }
        is_new
    })
}

fn edit(
    keys: &mut ZoneKeys,
    manifest: &Manifest,
    change: &Change,
    mut edit: impl FnMut(&mut KeyRecord) -> bool,
) -> usize {
    let held = |key: &&KeyRecord| manifest.header.keys.iter().any(|entry| entry.is(key));
    let held: Vec<KeyRecord> = keys.keys().iter().filter(held).cloned().collect();
    let mut changed = 0;
    for mut key in held {
        if edit(&mut key) {
            keys.replace(key, change.clone());
            changed += 1;
        }
    }
    changed
}
