//! Running the commands of a transcript.

use std::error::Error;
use std::ffi::OsString;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use keyrite_tests::Rig;

/// What a transcript came to.
pub struct Replayed {
    /// The whole transcript, as it was seen to go.
    pub seen: String,
    /// What the commands printed, and nothing else.
    pub printed: String,
}

/// Runs every `$ ` line of the `console` blocks of `script`.
pub fn replay(script: &str, rig: &Rig, tools: &Path) -> Result<Replayed, Box<dyn Error>> {
    let (mut seen, mut printed) = (String::new(), String::new());
    let mut in_block = false;
    for line in script.lines() {
        match line {
            "```console" => in_block = true,
            "```" => in_block = false,
            _ => {}
        }
        if !in_block || line == "```console" {
            writeln!(seen, "{line}")?;
        } else if let Some(command) = line.strip_prefix("$ ") {
            writeln!(seen, "{line}")?;
            let output = shell(command, rig, tools).output()?;
            let text = String::from_utf8(output.stdout)?;
            // A reader of the transcript should not meet this run's folder.
            seen.push_str(&text.replace(&rig.site().display().to_string(), "/site"));
            printed.push_str(&text);
            if !output.status.success() {
                writeln!(seen, "? {}", output.status.code().unwrap_or(-1))?;
            }
        }
    }
    Ok(Replayed { seen, printed })
}

fn shell(command: &str, rig: &Rig, tools: &Path) -> Command {
    let mut path = OsString::from(tools);
    path.push(":/usr/sbin:/usr/bin:/sbin:/bin");
    // In a session of its own: at the terminal of whoever runs the tests, the tools would ask there.
    let mut shell = rig.command("setsid");
    shell
        .args(["--wait", "sh", "-c", &format!("umask 077; exec 2>&1; {command}")])
        .env("PATH", path)
        .env("HOME", rig.site())
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        .env("POLICIES", concat!(env!("CARGO_MANIFEST_DIR"), "/../policies"))
        .env("FIXTURES", concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures"));
    shell
}
