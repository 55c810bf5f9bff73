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
use std::process::{Command, ExitCode};
use std::sync::Arc;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let tools = if arguments.list {
        PathBuf::new()
    } else {
        build_tools()
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

/// Builds the tools that ship, and returns the folder that has them.
fn build_tools() -> PathBuf {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "--workspace", "--bins"]);
    // What `cargo test` says of this package: ring's build script would take it for a change, and half of the tools be built each time.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            build.env_remove(&name);
        }
    }
    let status = build.status().expect("cargo runs");
    assert!(status.success(), "the tools do not build");
    let executable = std::env::current_exe().expect("a test binary");
    executable.ancestors().nth(2).expect("target/debug").to_owned()
}
