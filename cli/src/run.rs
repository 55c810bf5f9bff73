//! The frame of every `main`.

use std::process::ExitCode;

use clap::Parser;
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::failure::Outcome;
use crate::output::Output;

/// Parses the command line, runs `verb`, shows its failure, and gives the exit code. Usage errors end with 2.
pub fn run<A: Parser>(verb: impl FnOnce(A, &mut Output) -> Outcome) -> ExitCode {
    silence_the_tpm_libraries();
    // A core dump would hold the PIN. Where it cannot be turned off, the user's own limit stands.
    let _ = setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    );
    let mut output = Output::default();
    match verb(A::parse(), &mut output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.exit() as u8)
        }
    }
}

/// tpm2-tss and tpm2-pkcs11 log on stderr also what we expect and handle; only their variables in the environment silence them. A value
/// that the user set stays.
fn silence_the_tpm_libraries() {
    for (variable, quiet) in [("TSS2_LOG", "all+NONE"), ("TPM2_PKCS11_LOG_LEVEL", "0")] {
        if std::env::var_os(variable).is_none() {
            #[expect(unsafe_code, reason = "only the environment reaches these libraries")]
            // SAFETY: this is the first thing that main does, so no other thread reads or writes the environment.
            unsafe {
                std::env::set_var(variable, quiet);
            }
        }
    }
}
