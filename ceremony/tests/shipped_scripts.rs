//! Every script that is shipped can be followed, and none has anything that somebody should look at.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ceremony::check::check_bytes;
use ceremony::script::{Kind, Script};

#[test]
fn the_shipped_scripts_can_be_followed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/ceremonies");
    let mut scripts: Vec<(String, Script)> = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // What the rehearsals take as given is in a folder of its own.
        if path.is_dir() {
            continue;
        }
        let checked = check_bytes(&fs::read(&path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {:#?}", path.display(), error.findings));
        assert_eq!(checked.warnings, [], "{}", path.display());
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        scripts.push((name, checked.script));
    }
    let names: BTreeSet<&str> = scripts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names.into_iter().collect::<Vec<_>>(),
        [
            "custodian-change",
            "destruction",
            "first-keys",
            "ksk-rollover",
            "ksr-signing",
            "recovery-drill",
            "zsk-batch",
        ]
    );
    for (name, script) in &scripts {
        assert_eq!(script.id(), name);
        assert_eq!(script.kind, Kind::Production);
        // One follows the other, so that they can be rehearsed in one site.
        let before = script.previous().map(ToString::to_string);
        assert_eq!(before.is_none(), name == "first-keys");
        assert!(before.is_none_or(|before| scripts.iter().any(|(name, _)| *name == before)));
    }
}
