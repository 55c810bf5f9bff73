//! The stage, without a ceremony on it.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use ceremony::rehearse::{Fault, PlacedFault, RehearsalFile, Stage, principal};
use ceremony::script::Script;
use keyrite_tests::orphans;
use libtest_mimic::Trial;

use crate::root;

type Outcome = Result<(), Box<dyn Error>>;
type Test = fn(&Path) -> Outcome;

const TESTS: [(&str, Test); 7] = [
    (
        "a stage has a TPM and a token that the tools use, and is gone with its owner",
        comes_up,
    ),
    (
        "a signature of a seat is one of its principal, for ssh-keygen",
        seats_sign,
    ),
    ("an absent token is missed, and is there again", absent),
    (
        "a wrong PIN is refused, and the right one is there again",
        wrong_pin,
    ),
    ("a medium that is jammed takes no copy until it is repaired", jam),
    ("a program whose power is cut is run again to its end", power),
    (
        "what cannot be rehearsed is refused before anything is made",
        refused,
    ),
];

pub fn trials(tools: &Arc<PathBuf>) -> Vec<Trial> {
    let trial = |(name, test): (&str, Test)| {
        let tools = Arc::clone(tools);
        Trial::test(format!("stage: {name}"), move || Ok(test(&tools)?))
    };
    TESTS.into_iter().map(trial).collect()
}

fn script() -> Script {
    let text = fs::read_to_string(root().join("ceremony/tests/rehearsed.yaml")).unwrap();
    Script::from_yaml(&text).unwrap()
}

/// A stage that is prepared as the script wants it.
fn stage(folder: &Path, tools: &Path) -> Result<Stage, Box<dyn Error>> {
    let (script, file) = (script(), RehearsalFile::empty());
    let stage = Stage::set(folder, &script, &file, None, tools)?;
    stage.prepare(&script, &file, &mut |_| {})?;
    Ok(stage)
}

/// The exit code of a tool on the stage, and what it said.
fn exit(stage: &Stage, tool: &str, arguments: &[&str]) -> Result<(Option<i32>, String), Box<dyn Error>> {
    let output = stage.tool(tool).args(arguments).output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.code(), String::from_utf8_lossy(&said).into_owned()))
}

const GENERATE: [&str; 9] = [
    "generate",
    "--zone",
    "cr",
    "--role",
    "zsk",
    "--backup",
    "none",
    "--activate",
    "--json",
];

fn comes_up(tools: &Path) -> Outcome {
    let folder = tempfile::tempdir()?;
    let stage = stage(&folder.path().join("stage"), tools)?;
    assert_eq!(exit(&stage, "keyrite-keyctl", &GENERATE)?.0, Some(0));
    let made = exit(
        &stage,
        "keyrite-keyctl",
        &[
            "generate",
            "--zone",
            "cr",
            "--role",
            "ksk",
            "--backup",
            "none",
            "--activate",
        ],
    )?;
    assert_eq!(made.0, Some(0), "{}", made.1);
    let signed = exit(&stage, "keyrite-signer", &["sign"])?;
    assert_eq!(signed.0, Some(0), "{}", signed.1);
    let file = stage.folder().site().join("signed/cr.zone").display().to_string();
    let referee = Command::new("/usr/bin/ldns-verify-zone").arg(&file).output()?;
    assert!(
        referee.status.success(),
        "{}",
        String::from_utf8_lossy(&referee.stderr)
    );
    assert!(!orphans(folder.path())?.is_empty(), "the TPM runs");
    drop(stage);
    assert_eq!(orphans(folder.path())?, Vec::<String>::new());
    Ok(())
}

fn seats_sign(tools: &Path) -> Outcome {
    let folder = tempfile::tempdir()?;
    let script = script();
    let stage = Stage::set(
        &folder.path().join("stage"),
        &script,
        &RehearsalFile::empty(),
        None,
        tools,
    )?;
    let seat = "officer-2".parse()?;
    let message = folder.path().join("message");
    fs::write(&message, "a checkpoint\n")?;
    let signed = Command::new("ssh-keygen")
        .args(["-q", "-Y", "sign", "-n", "checkpoint@keyrite", "-f"])
        .arg(stage.folder().key(&seat))
        .arg(&message)
        .stderr(Stdio::null())
        .status()?;
    assert!(signed.success());
    let verify = |principal: &str, namespace: &str| -> Result<bool, Box<dyn Error>> {
        let status = Command::new("ssh-keygen")
            .args(["-Y", "verify", "-n", namespace, "-I", principal, "-f"])
            .arg(stage.folder().site().join("allowed_signers"))
            .arg("-s")
            .arg(folder.path().join("message.sig"))
            .stdin(fs::File::open(&message)?)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        Ok(status.success())
    };
    assert!(verify(&principal(&seat), "checkpoint@keyrite")?);
    assert!(!verify("officer-1@rehearsal", "checkpoint@keyrite")?);
    assert!(!verify(&principal(&seat), "file")?);
    Ok(())
}

/// Plants a fault where the script has it, has a tool run, repairs it, and has it run again.
fn planted(tools: &Path, fault: Fault, says: &str) -> Outcome {
    let folder = tempfile::tempdir()?;
    let script = script();
    let stage = stage(&folder.path().join("stage"), tools)?;
    let placed = fault.place(&script)?.expect("a step that shows it");
    assert_eq!(placed.step.as_str(), "generate");
    placed.plant(stage.folder(), &script)?;
    let (code, said) = exit(&stage, "keyrite-keyctl", &GENERATE)?;
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains(says), "{said}");
    placed.repair(stage.folder(), &script)?;
    let (code, said) = exit(&stage, "keyrite-keyctl", &GENERATE)?;
    assert_eq!(code, Some(0), "{said}");
    Ok(())
}

fn absent(tools: &Path) -> Outcome {
    planted(tools, Fault::Absent, "no token is labelled 'cr'")
}

fn wrong_pin(tools: &Path) -> Outcome {
    planted(tools, Fault::WrongPin, "refused the user PIN")
}

fn jam(tools: &Path) -> Outcome {
    let folder = tempfile::tempdir()?;
    let script = script();
    let stage = Stage::set(
        &folder.path().join("stage"),
        &script,
        &RehearsalFile::empty(),
        None,
        tools,
    )?;
    let placed = Fault::Jam.place(&script)?.expect("a step that copies");
    let file = stage.folder().medium(&"copy-a".parse()?).join("file");
    placed.plant(stage.folder(), &script)?;
    assert!(fs::write(&file, "x").is_err());
    placed.repair(stage.folder(), &script)?;
    fs::write(&file, "x")?;
    Ok(())
}

/// SoftHSM empties its token's file at each login and writes it anew, so that a kill just between the two loses the token (SoftHSM 2.6.1). What is
/// lost there nobody mends: it is begun again with another stage.
fn power(tools: &Path) -> Outcome {
    const STAGES: usize = 5;
    for _ in 0..STAGES {
        let folder = tempfile::tempdir()?;
        let mut stage = stage(&folder.path().join("stage"), tools)?;
        for held in [0, 30, 60, 120, 240] {
            let mut child = stage
                .tool("keyrite-keyctl")
                .args(GENERATE)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?;
            sleep(Duration::from_millis(held));
            child.kill()?;
            child.wait()?;
            let records = stage.token_records()?;
            stage.cut_power(&records)?;
        }
        let (code, said) = exit(&stage, "keyrite-keyctl", &GENERATE)?;
        if said.contains("no token is labelled 'cr'") {
            continue;
        }
        assert_eq!(code, Some(0), "{said}");
        let (_, listed) = exit(&stage, "keyrite-keyctl", &["list", "--json"])?;
        assert_eq!(listed.matches("\"role\": \"ZSK\"").count(), 1, "{listed}");
        return Ok(());
    }
    Err(format!("SoftHSM lost its token in {STAGES} stages of {STAGES}").into())
}

fn refused(tools: &Path) -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    let script = root().join("ceremony/tests/rehearsed.yaml").display().to_string();
    fs::write(path("answers"), "version: 1\nanswers: {no-such-step: [x]}\n")?;
    fs::create_dir(path("thesis"))?;
    fs::write(path("thesis/text"), "")?;
    let without =
        fs::read_to_string(&script)?.replace("copy: {files: [keys, log], to: [copy-a]}", "say: Nothing.");
    fs::write(path("without.yaml"), without)?;
    let answers = path("answers");
    let thesis = path("thesis");
    let other = path("without.yaml");
    for (arguments, code, says) in [
        (
            [&*script, "--answers", &answers],
            1,
            "the script has no such step",
        ),
        ([&*script, "--out", &thesis], 1, "something else than a rehearsal"),
        ([&*other, "--fault", "jam"], 2, "no step copies to a medium"),
        ([&*script, "--fault", "flood"], 2, "'flood' is no fault"),
    ] {
        let output = Command::new(tools.join("keyrite-ceremony"))
            .arg("rehearse")
            .args(arguments)
            .current_dir(folder.path())
            .env_clear()
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(says), "{said}");
    }
    assert_eq!(fs::read_dir(folder.path())?.count(), 3);
    // A fault that is no step's is not placed.
    let placed: Option<PlacedFault> = Fault::Jam.place(&Script::from_yaml(&fs::read_to_string(&other)?)?)?;
    assert_eq!(placed, None);
    Ok(())
}
