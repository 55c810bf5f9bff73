//! Whether a site's bundles and their shares are whole, and nothing is half there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use key_metadata::SiteFolder;

use crate::bench::{BACKUP, Bench, CUSTODIANS, ZONE};
use crate::kill::{Outcome, expect};

/// The bundles of a site, by their ids, sorted.
pub struct Found {
    /// Those that are in use.
    pub live: Vec<String>,
    /// Those that were set aside.
    pub superseded: Vec<String>,
}

/// The bundles that are there, whatever else is.
pub fn found(bench: &Bench) -> Found {
    let backups = bench.site().join("backups");
    let is_id = |name: &String| name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let ids = |folder: &Path| names(folder).into_iter().filter(is_id).collect();
    Found {
        live: ids(&backups),
        superseded: ids(&backups.join("superseded")),
    }
}

/// Every bundle verifies, is in the records of its keys, and is opened by its shares; nothing else is in `backups`, and no other share is there.
pub fn whole(bench: &Bench) -> Outcome {
    let backups = bench.site().join("backups");
    let Found { live, superseded } = found(bench);
    let mut allowed: BTreeSet<String> = live.iter().cloned().collect();
    // The lock of the site's bundles, which nobody holds.
    allowed.extend([".bundles.lock", "superseded"].map(str::to_owned));
    let others: Vec<String> = names(&backups)
        .into_iter()
        .filter(|name| !allowed.contains(name))
        .collect();
    expect(others.is_empty(), &format!("backups/ has {others:?}"))?;
    let folders = live.iter().map(|id| backups.join(id));
    let folders = folders.chain(superseded.iter().map(|id| backups.join("superseded").join(id)));
    let mut shares = Vec::new();
    for (folder, id) in folders.zip(live.iter().chain(&superseded)) {
        only_its_own(&folder)?;
        bench.run(&[BACKUP, "verify", "--bundle", folder.to_str().unwrap()])?;
        opens(bench, &folder, id, superseded.contains(id))?;
        shares.extend(CUSTODIANS.map(|name| format!("{id}-{name}.age")));
    }
    shares.sort();
    let there = names(&bench.folder().join("shares"));
    expect(
        there == shares,
        &format!("the shares are {there:?}, and the bundles' {shares:?}"),
    )?;
    recorded(bench, &[live, superseded].concat())
}

/// A bundle's folder has what it is made of, and no note of its making.
fn only_its_own(folder: &Path) -> Outcome {
    let is_its_own = |name: &String| {
        [
            "manifest",
            "manifest.token.sig",
            "manifest.tpm.attest",
            "manifest.tpm.sig",
            "payload.age",
            "proofs",
        ]
        .contains(&name.as_str())
            || name.ends_with(".sshsig")
    };
    let mut names = names(folder);
    names.retain(|name| !is_its_own(name));
    expect(names.is_empty(), &format!("{} has {names:?}", folder.display()))
}

/// Two of the shares open it; of a bundle of native keys with two of the recovery parent's.
fn opens(bench: &Bench, folder: &Path, id: &str, is_superseded: bool) -> Outcome {
    let manifest = fs::read_to_string(folder.join("manifest")).unwrap();
    if !manifest.contains("# kind: keys") {
        return Ok(());
    }
    let folder = folder.to_str().unwrap();
    let restore = restore(bench, folder, id, "cr");
    let mut restore: Vec<&str> = restore.iter().map(String::as_str).collect();
    restore.push("--dry-run");
    if is_superseded {
        restore.push("--although-expired");
    }
    bench.run(&restore)
}

/// The command that restores a bundle into a token, with shares of ana and rosa; also of the recovery parent's bundle, which is the first.
pub fn restore(bench: &Bench, bundle: &str, id: &str, to: &str) -> Vec<String> {
    let mut command = [BACKUP, "restore", "--zone", ZONE, "--bundle", bundle, "--to", to]
        .map(str::to_owned)
        .to_vec();
    let mut ids = vec![id.to_owned()];
    ids.extend(parents(bench));
    for id in ids {
        for name in ["ana", "rosa"] {
            command.push("--share".to_owned());
            command.push(format!("file:../shares/{id}-{name}.age"));
        }
    }
    for name in ["ana", "rosa"] {
        command.push("--identity".to_owned());
        command.push(format!("../people/{name}.key"));
    }
    command
}

/// The bundles that hold recovery parents.
pub fn parents(bench: &Bench) -> Vec<String> {
    let backups = bench.site().join("backups");
    let is_one = |id: &String| {
        let manifest = fs::read_to_string(backups.join(id).join("manifest")).unwrap();
        manifest.contains("# kind: recovery-parent")
    };
    found(bench).live.into_iter().filter(is_one).collect()
}

/// Each bundle of keys is in the records of its keys, and these name no other.
fn recorded(bench: &Bench, ids: &[String]) -> Outcome {
    let site = SiteFolder::open(bench.site()).map_err(|error| error.to_string())?;
    let zone = ZONE.parse().unwrap();
    let keys = site.keys(&zone).map_err(|error| error.to_string())?;
    let parents = parents(bench);
    let mut expected: Vec<&String> = ids.iter().filter(|id| !parents.contains(id)).collect();
    expected.sort();
    for key in keys.keys() {
        let mut recorded: Vec<&String> = key.backup.bundles.iter().map(|entry| &entry.bundle).collect();
        recorded.sort();
        // A key that was made after the parent's bundle, and before any of its own, has none.
        expect(
            recorded == expected,
            &format!("the records have bundles {recorded:?}, and there are {expected:?}"),
        )?;
    }
    Ok(())
}

/// The names in a folder, sorted; none where it is not there.
fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
