//! The tools that ship, as a test finds them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The folder that has the tools that ship. The first call builds them: `cargo test` alone builds those of packages with integration tests,
/// and of an earlier build some may be older than what is tested.
///
/// # Panics
/// Where they do not build.
#[expect(clippy::expect_used, reason = "a test that has no tools is a failure")]
pub fn tools() -> &'static Path {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    TOOLS.get_or_init(|| {
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
    })
}
