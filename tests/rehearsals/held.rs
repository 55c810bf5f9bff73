//! Shipped scripts, rehearsed from their first step to the report, and with each fault.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use ceremony::log::{Body, Entry};
use ceremony::rehearse::Fault;
use ceremony::script::{Kind, Script};
use keyrite_tests::orphans;
use libtest_mimic::Trial;

use crate::drilled;
use crate::root;
use crate::search::search;

type Outcome = Result<(), Box<dyn Error>>;

/// The ceremonies that ship: first keys, KSK rollover, a batch of ZSKs, signing of key signing requests, recovery drill, change of
/// custodians, destruction.
const SHIPPED: usize = 7;
/// The one in which every fault shows.
const WITH_FAULTS: &str = "first-keys.yaml";

pub fn trials(tools: &Arc<PathBuf>) -> Vec<Trial> {
    let mut trials = vec![Trial::test("held: every shipped script is there", || {
        assert_eq!(scripts().len(), SHIPPED);
        Ok(())
    })];
    // That one has trials of its own.
    let drill = |script: &PathBuf| script.file_stem().is_some_and(|name| name == drilled::SCRIPT);
    let others = scripts().into_iter().filter(|script| !drill(script));
    let runs = others.map(|script| (script, None));
    let small = root().join("ceremony/tests/rehearsed.yaml");
    let first = folder().join(WITH_FAULTS);
    let faults = Fault::ALL
        .into_iter()
        .flat_map(|fault| [(small.clone(), Some(fault)), (first.clone(), Some(fault))]);
    for (script, fault) in runs.chain([(small.clone(), None)]).chain(faults) {
        let name = script.file_stem().unwrap().to_string_lossy().into_owned();
        let with = fault.map_or_else(String::new, |fault| format!(", with the fault '{fault}'"));
        let tools = Arc::clone(tools);
        trials.push(Trial::test(format!("held: {name}{with}"), move || {
            Ok(rehearse(&tools, &script, fault, None, &|_| Ok(()))?)
        }));
    }
    trials
}

/// Where the shipped scripts are.
pub fn folder() -> PathBuf {
    root().join("policies/ceremonies")
}

fn scripts() -> Vec<PathBuf> {
    // That there are some, a trial says.
    let entries = fs::read_dir(folder()).into_iter().flatten().flatten();
    let mut scripts: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    scripts.sort();
    scripts
}

/// Rehearses a script to its report, with the answers beside it or those; `left` looks at what it leaves.
pub fn rehearse(
    tools: &Path,
    script_file: &Path,
    fault: Option<Fault>,
    answers: Option<&Path>,
    left: &dyn Fn(&Path) -> Outcome,
) -> Outcome {
    let script = Script::from_yaml(&fs::read_to_string(script_file)?)?;
    let temporary = tempfile::Builder::new().prefix("keyrite-").tempdir()?;
    let stage = temporary.path().join("stage");
    let mut command = Command::new(tools.join("keyrite-ceremony"));
    command.arg("rehearse").arg(script_file).arg("--out").arg(&stage);
    if let Some(answers) = answers {
        command.arg("--answers").arg(answers);
    }
    if let Some(fault) = fault {
        command.args(["--fault", &fault.to_string()]);
    }
    let output = command.current_dir(temporary.path()).env_clear().output()?;
    let talk = |name: &str| fs::read_to_string(stage.join(name)).map_or_else(|_| String::new(), |text| text);
    assert!(
        output.status.success(),
        "{}{}\nscreens:\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        talk("screens.txt")
    );
    assert_eq!(orphans(temporary.path())?, Vec::<String>::new());
    let printed = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&printed);
    let report = said
        .lines()
        .find_map(|line| line.strip_prefix("report: "))
        .expect("the report's path");
    let report = fs::read_to_string(report)?;
    assert!(report.contains("REHEARSAL"));
    let failed = fault == Some(Fault::Power);
    assert_eq!(said.contains("the power failed"), failed, "{said}");
    assert!(said.contains("How long the real day will take"), "{said}");
    let log = fs::read(stage.join("site/ceremonies").join(script.id()).join("log.jsonl"))?;
    let lines = log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let entries: Vec<Entry> = lines.map(Entry::from_line).collect::<Result<_, _>>()?;
    check(&entries, fault);
    // The user PIN, the SO PIN, three auth values, and a key for each seat.
    let seats: usize = script.roles.values().map(|role| usize::from(role.people)).sum();
    assert!(search(&stage, &printed)? >= 5 + seats);
    left(&stage)
}

/// What a log must show.
fn check(entries: &[Entry], fault: Option<Fault>) {
    let Some(Body::Genesis(genesis)) = entries.first().map(|entry| &entry.body) else {
        panic!("a log begins with its genesis");
    };
    assert_eq!(genesis.kind, Kind::Rehearsal);
    assert!(genesis.log.as_str().starts_with("REHEARSAL/"));
    let count = |is: fn(&Body) -> bool| entries.iter().filter(|entry| is(&entry.body)).count();
    let exceptions = count(|body| matches!(body, Body::Exception(_)));
    assert_eq!(count(|body| matches!(body, Body::End(_))), 1);
    match fault {
        None => assert_eq!(exceptions, 0),
        Some(Fault::Power) => {
            // Each seal has how often the TPM was reset.
            let resets = entries.iter().filter_map(|entry| match &entry.body {
                Body::Seal(seal) => seal.tpm.as_ref().map(|tpm| tpm.reset_count),
                _ => None,
            });
            let resets: Vec<u32> = resets.collect();
            assert!(resets.is_empty() || resets.first() < resets.last(), "{resets:?}");
        }
        Some(Fault::Jam | Fault::WrongPin | Fault::Absent) => assert_eq!(exceptions, 1),
    }
}
