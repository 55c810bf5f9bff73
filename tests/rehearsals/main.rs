//! Rehearsals of ceremonies: the stage that they are held on, the faults that are practised on it, and the shipped scripts from their first
//! step to the report.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod drilled;
mod held;
mod search;
mod staged;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let tools = if arguments.list {
        PathBuf::new()
    } else {
        keyrite_tests::tools().to_owned()
    };
    let tools = Arc::new(tools);
    let mut trials = staged::trials(&tools);
    trials.extend(held::trials(&tools));
    trials.extend(drilled::trials(&tools));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The folder of the repository.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
