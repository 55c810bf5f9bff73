//! One command of the main job: shown, run, and its output shown.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Stdio;

use keyrite_tests::Rig;

/// Why it failed.
pub struct Problem(pub String);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

/// Writes a line to stdout; a reader who is gone misses it.
pub fn say(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Runs the suite's own tools, found beside this executable, in the site's folder.
pub struct Runner<'a> {
    rig: &'a Rig,
    tools: PathBuf,
}

impl<'a> Runner<'a> {
    pub fn new(rig: &'a Rig) -> Result<Self, Problem> {
        let executable = std::env::current_exe()?;
        let tools = executable.parent().map_or_else(PathBuf::new, PathBuf::from);
        Ok(Self { rig, tools })
    }

    /// Runs a tool of the suite and shows the command and what it prints.
    pub fn show(&self, tool: &str, arguments: &[&str]) -> Result<(), Problem> {
        let output = self.run(tool, arguments)?;
        say(&output);
        Ok(())
    }

    /// Runs a tool of the suite, shows the command, and gives its stdout; its talk goes to stderr as it comes.
    pub fn run(&self, tool: &str, arguments: &[&str]) -> Result<String, Problem> {
        say(&format!("$ {tool} {}", arguments.join(" ")));
        let output = self
            .rig
            .command(self.tools.join(tool))
            .args(arguments)
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| Problem(format!("{tool} does not start: {error}")))?;
        match output.status.code() {
            Some(0) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            code => Err(Problem(format!(
                "{tool} {} ended with {code:?}",
                arguments.join(" ")
            ))),
        }
    }

    /// Runs somebody else's tool in the site's folder; whether it was content, and what it said.
    pub fn referee(&self, tool: &str, arguments: &[&str]) -> Result<(bool, String), Problem> {
        let output = self
            .rig
            .command(tool)
            .args(arguments)
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .output()
            .map_err(|error| Problem(format!("{tool} does not start: {error}")))?;
        let text = [output.stdout, output.stderr].concat();
        Ok((
            output.status.success(),
            String::from_utf8_lossy(&text).into_owned(),
        ))
    }
}
