//! Runs `transcripts/*.md`, each on a site and tokens of its own.
//!
//! A transcript is Markdown; the lines `$ command` of its `console` blocks are run by sh in the site's folder with a cleared environment,
//! and what they print (stdout and stderr together) and their exit code (`? N`, when it is not 0) must be what the file says. `[..]`
//! stands for anything within a line. `SNAPSHOTS=overwrite` writes what was seen. A first line `<!-- stack: tpm -->` takes another stack
//! than SoftHSM, and `<!-- stack: softhsm, tpm: manufactured -->` another TPM than a fresh one (`Stack`, `TpmState`). What asks at a
//! terminal is run by `at-terminal ANSWER... -- COMMAND`.
//!
//! A transcript whose stack the kernel refuses is ignored, by name and with the reason.
//!
//! After each transcript: no secret that was used may stand in any file of the site or in what was printed, and the TPM holds no handle.

#![expect(clippy::expect_used, reason = "a harness that cannot run is a failure")]

mod equipment;
mod replay;

mod secrets;

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use keyrite_tests::{Rig, Stack, TpmState};
use libtest_mimic::{Arguments, Trial};
use snapbox::{Assert, Data};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let tools = keyrite_tests::tools();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    let mut trials = Vec::new();
    for entry in fs::read_dir(folder).expect("the transcripts folder") {
        let path = entry.expect("a readable folder").path();
        let name = path.file_stem().expect("a file").to_string_lossy().into_owned();
        let refusal = stack_of(&path).and_then(|stack| Ok(stack.refusal()?));
        let run = move || Ok(check(&path, tools)?);
        trials.push(match refusal {
            Ok(Some(reason)) => {
                Trial::test(format!("{name} (ignored, {reason})"), run).with_ignored_flag(true)
            }
            // It fails with that, and says it.
            Ok(None) | Err(_) => Trial::test(name, run),
        });
    }
    assert!(!trials.is_empty(), "there are no transcripts");
    trials.extend(equipment::trials());
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn check(path: &Path, tools: &Path) -> Result<(), Box<dyn Error>> {
    let script = fs::read_to_string(path)?;
    let folder = tempfile::Builder::new().prefix("keyrite-").tempdir()?;
    let (stack, tpm) = attributes(&script)?;
    let rig = Rig::new(folder.path(), stack, tpm)?;
    let replay::Replayed { seen, printed } = replay::replay(&script, &rig, tools)?;
    Assert::new()
        // A backslash is one: there are no Windows paths here.
        .normalize_paths(false)
        .action_env("SNAPSHOTS")
        .try_eq(Some(&path.display()), seen.into(), Data::read_from(path, None))?;
    if let Some(leaked) = rig.leaked_handles()?
        && !leaked.is_empty()
    {
        return Err(format!("handles were left in the TPM: {}", leaked.join(", ")).into());
    }
    for skipped in secrets::search(&rig, &printed)? {
        // Beside the runner's own lines: nobody reads that of a transcript that went well.
        writeln!(io::stderr(), "{}: {skipped}", path.display())?;
    }
    Ok(())
}

/// The stack of a transcript.
fn stack_of(path: &Path) -> Result<Stack, Box<dyn Error>> {
    let (stack, _) = attributes(&fs::read_to_string(path)?)?;
    Ok(stack)
}

/// What the first line says of the stack and its TPM.
fn attributes(script: &str) -> Result<(Stack, TpmState), String> {
    let (mut stack, mut tpm) = (Stack::SoftHsm, TpmState::Fresh);
    let first = script.lines().next().map_or("", |line| line);
    let comment = first
        .strip_prefix("<!-- ")
        .and_then(|rest| rest.strip_suffix(" -->"));
    for attribute in comment.into_iter().flat_map(|comment| comment.split(", ")) {
        match attribute.split_once(": ") {
            Some(("stack", name)) => stack = name.parse()?,
            Some(("tpm", name)) => tpm = name.parse()?,
            Some(_) | None => return Err(format!("the first line's '{attribute}' is neither stack nor tpm")),
        }
    }
    Ok((stack, tpm))
}
