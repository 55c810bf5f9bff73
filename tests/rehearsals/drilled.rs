//! The drill of the recovery: what it leaves in the records of the keys, in the tokens and in the zone, on both of its ways.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use ceremony::log::{ArtefactRole, Body, Entry};
use key_metadata::backup::DrillLevel;
use key_metadata::{Action, SiteFolder};
use libtest_mimic::Trial;

use crate::held::{folder, rehearse};

type Outcome = Result<(), Box<dyn Error>>;

/// The script, and its ceremony's id.
pub const SCRIPT: &str = "recovery-drill";

/// How the script goes on when it asks for the token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It was wiped.
    Lost,
    /// It stays in use.
    Stays,
}

pub fn trials(tools: &Arc<PathBuf>) -> Vec<Trial> {
    let ways = [
        (
            Way::Lost,
            "drilled: the token is wiped, and its keys sign in the spare one",
        ),
        (
            Way::Stays,
            "drilled: the token stays, and the spare one is empty again",
        ),
    ];
    let trial = |(way, name)| {
        let tools = Arc::clone(tools);
        Trial::test(name, move || Ok(drill(&tools, way)?))
    };
    ways.into_iter().map(trial).collect()
}

fn drill(tools: &Path, way: Way) -> Outcome {
    let script = folder().join(format!("{SCRIPT}.yaml"));
    let beside = fs::read_to_string(folder().join(format!("rehearsal/{SCRIPT}.yaml")))?;
    let stays = beside
        .replace("losses:\n  token-lost: cr\n", "")
        .replace("[2-lost]", "[1-stays]");
    assert_ne!(stays, beside);
    let temporary = tempfile::tempdir()?;
    let answers = temporary.path().join("answers.yaml");
    fs::write(&answers, stays)?;
    let answers = (way == Way::Stays).then_some(&*answers);
    rehearse(tools, &script, None, answers, &|stage| left(stage, way))
}

fn left(stage: &Path, way: Way) -> Outcome {
    let site = SiteFolder::open(&stage.join("site"))?;
    let keys = site.keys(&"cr".parse()?)?;
    let token = match way {
        Way::Lost => "pkcs11:token=spare;",
        Way::Stays => "pkcs11:token=cr;",
    };
    assert_eq!(keys.keys().len(), 2);
    for key in keys.keys() {
        let reference = key.reference.to_string();
        assert!(reference.starts_with(token), "{reference}");
        let passed = key.backup.bundles.iter().map(|bundle| {
            let levels = bundle.drills.iter().map(|drill| drill.level);
            levels.collect::<Vec<_>>()
        });
        let first = vec![DrillLevel::D0, DrillLevel::D1, DrillLevel::D3];
        let second = vec![DrillLevel::D1, DrillLevel::D0];
        assert_eq!(passed.collect::<Vec<_>>(), [first, second]);
        let backed_up = keys
            .history()
            .iter()
            .filter(|entry| entry.key == key.id && entry.action == Action::BackUp);
        let ceremonies: Vec<_> = backed_up.map(|entry| entry.ceremony.as_deref()).collect();
        assert!(ceremonies.len() >= 7, "{ceremonies:?}");
        assert!(
            ceremonies.iter().all(|ceremony| *ceremony == Some(SCRIPT)),
            "{ceremonies:?}"
        );
    }
    // What the log shows as evidence: the zone's DNSKEY records were the same before and after.
    let log = fs::read(site.path(format!("ceremonies/{SCRIPT}/log.jsonl")))?;
    let printed = |wanted: &str| {
        let lines = log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let mut artefacts = lines.filter_map(|line| match Entry::from_line(line).unwrap().body {
            Body::Artefact(artefact) => Some(artefact),
            _ => None,
        });
        let found = artefacts.find(|of| of.step.as_str() == wanted && of.role == ArtefactRole::Printed);
        found.expect("what a step printed").sha256
    };
    assert_eq!(printed("published"), printed("dnskey-restored"));
    // Shares of two bundles, whose words the search looked for.
    let shares = fs::read_dir(stage.join("shares"))?.flatten();
    let shares = shares.filter(|entry| entry.path().extension().is_some_and(|of| of == "age"));
    assert_eq!(shares.count(), 6);
    // One token was wiped, and another one was not: SoftHSM has a folder for each.
    let tokens = fs::read_dir(stage.join("tokens"))?.count();
    assert_eq!(tokens, if way == Way::Lost { 1 } else { 2 });
    // The old bundle was set aside, and one takes its place.
    assert_eq!(fs::read_dir(stage.join("site/backups/superseded"))?.count(), 1);
    let referee = Command::new("/usr/bin/dnssec-verify")
        .args(["-q", "-o", "cr"])
        .arg(stage.join("site/signed/cr.zone"))
        .output()?;
    let said = String::from_utf8_lossy(&referee.stderr);
    assert!(referee.status.success(), "{said}");
    Ok(())
}
