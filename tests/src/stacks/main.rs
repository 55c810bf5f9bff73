//! The main job from a bare machine to eight signed zones, with every command shown, proven by other people's verifiers.

mod report;
mod step;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use keyrite_tests::{Rig, Stack, TpmState, orphans};
use step::{Problem, Runner, say};

/// Do the main job on software tokens: provision a TPM, initialise a token, make keys, sign eight zones, verify them
#[derive(Parser)]
struct Arguments {
    /// softhsm, tpm or tpm2-pkcs11
    #[arg(long, default_value = "softhsm", value_parser = Stack::rehearsed)]
    stack: Stack,
    /// Where its own folders are made
    #[arg(long, default_value = "target/stacks")]
    folder: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match do_it(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            say(&format!("\nThe main job failed: {problem}"));
            ExitCode::FAILURE
        }
    }
}

fn do_it(arguments: &Arguments) -> Result<(), Problem> {
    let start = Instant::now();
    let folder = arguments.folder.join(arguments.stack.to_string());
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    say(&format!(
        "The main job on the stack '{}', in {}: nothing outside it is touched.\n",
        arguments.stack,
        folder.display()
    ));
    let rig = Rig::new(&folder, arguments.stack, TpmState::Fresh)?;
    let runner = Runner::new(&rig)?;
    say("1. The TPM, from fresh to provisioned");
    runner.show("keyrite-tpm-init", &["provision"])?;
    say("2. The token, its PINs sealed in the TPM");
    runner.show("keyrite-tpm-init", &["token"])?;
    say("3. A KSK and a ZSK for each zone");
    runner.show(
        "keyrite-keyctl",
        &[
            "generate",
            "--backup",
            "none",
            "--all",
            "--role",
            "ksk",
            "--role",
            "zsk",
            "--activate",
        ],
    )?;
    say("4. The signed zones");
    let (lines, signatures) = report::signed(&runner.run("keyrite-signer", &["sign", "--json"])?)?;
    say(&lines);
    say("5. What others say of them");
    let table = report::verify(&runner, &rig)?;
    let leaked = rig.leaked_handles()?;
    drop(rig);
    let orphans = orphans(&folder)?;
    say(&table);
    let seconds = start.elapsed().as_secs_f64();
    say(&format!(
        "8 zones, {signatures} signatures, {seconds:.1} s on the stack '{}'.",
        arguments.stack
    ));
    say(&format!("The site is {}.", folder.join("site").display()));
    if !orphans.is_empty() {
        return Err(Problem(format!(
            "processes were left behind: {}",
            orphans.join(", ")
        )));
    }
    match leaked {
        None => say("No process is left behind; the resource manager's TPM handles were not looked at."),
        Some(leaked) if leaked.is_empty() => say("No process and no TPM handle is left behind."),
        Some(leaked) => {
            return Err(Problem(format!(
                "handles were left in the TPM: {}",
                leaked.join(", ")
            )));
        }
    }
    Ok(())
}
