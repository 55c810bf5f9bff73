//! Commands of which everything is kept: what they print, what they and their children write to any file, pipe or terminal, and each program that
//! they start with its arguments and its environment.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::bench::Bench;
use crate::kill::Outcome;

/// Runs commands at a bench, and keeps all of it in its folder `watched`.
pub struct Watched<'b> {
    pub bench: &'b Bench,
    folder: PathBuf,
    count: Cell<usize>,
}

/// Whether what a command prints may be a secret, and is not kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stdout {
    Kept,
    Secret,
}

impl<'b> Watched<'b> {
    pub fn new(bench: &'b Bench) -> Self {
        let folder = bench.folder().join("watched");
        fs::create_dir_all(&folder).unwrap();
        fs::create_dir_all(bench.folder().join("temporary")).unwrap();
        Self {
            bench,
            folder,
            count: Cell::new(0),
        }
    }

    /// Runs a tool, which must succeed, and gives what it printed.
    pub fn run(&self, command: &[&str], stdout: Stdout) -> Outcome<String> {
        self.run_command(&self.bench.tool(command), stdout)
    }

    /// The same with any command of the bench.
    pub fn run_command(&self, command: &Command, stdout: Stdout) -> Outcome<String> {
        let number = self.count.replace(self.count.get() + 1);
        let log = self.bench.folder().join("kept").join("trace");
        fs::create_dir_all(self.bench.folder().join("kept")).unwrap();
        let output = self.traced(command, &log);
        let text = fs::read_to_string(&log).unwrap();
        fs::remove_file(&log).unwrap();
        let seen: Vec<u8> = text
            .lines()
            .map(unescaped)
            .filter(|line| is_kept(line, stdout))
            .flat_map(|line| [line, b"\n".to_vec()].concat())
            .collect();
        fs::write(self.folder.join(format!("{number}.calls")), seen).unwrap();
        fs::write(self.folder.join(format!("{number}.stderr")), &output.stderr).unwrap();
        if stdout == Stdout::Kept {
            fs::write(self.folder.join(format!("{number}.stdout")), &output.stdout).unwrap();
        }
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(format!(
                "{command:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            )),
        }
    }

    fn traced(&self, tool: &Command, log: &Path) -> Output {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-yy", "-v", "-xx", "-s", "1000000", "-e"]);
        strace.args(["trace=execve,write,pwrite64,writev,pwritev,pwritev2", "-o"]);
        strace
            .arg(log)
            .arg(tool.get_program())
            .args(tool.get_args())
            .env_clear();
        for (name, value) in tool.get_envs() {
            strace.env(name, value.unwrap());
        }
        strace
            .env("TMPDIR", self.bench.folder().join("temporary"))
            .current_dir(tool.get_current_dir().unwrap())
            .stdin(Stdio::null())
            .output()
            .expect("strace (Debian: strace)")
    }
}

/// What goes to the TPM is the TPM's; a session that is encrypted carries its secrets.
fn is_kept(line: &[u8], stdout: Stdout) -> bool {
    let text = String::from_utf8_lossy(line);
    let is_stdout = text.split(' ').any(|part| part.starts_with("write(1<pipe:"));
    !text.contains("<TCP:") && !text.contains("<UNIX") && (stdout == Stdout::Kept || !is_stdout)
}

/// A line of `strace -xx` with the bytes that its digits stand for.
fn unescaped(line: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(line.len());
    let mut parts = line.split("\\x");
    bytes.extend(parts.next().map_or(&b""[..], str::as_bytes));
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).map_or((part, ""), |halves| halves);
        match u8::from_str_radix(digits, 16) {
            Ok(byte) => bytes.push(byte),
            Err(_) => bytes.extend(digits.as_bytes()),
        }
        bytes.extend(rest.as_bytes());
    }
    bytes
}
