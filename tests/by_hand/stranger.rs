//! Somebody who has the page, a medium, people with shares, and no program of ours.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use keyrite_tests::terminal::{Printing, Ready, Terminal};

/// Longer than the page takes on a slow machine; our choice.
const LONGEST: Duration = Duration::from_secs(300);

/// The programs that the page names, with Debian's packages.
const PROGRAMS: [(&str, &str); 13] = [
    ("age", "age"),
    ("openssl", "openssl"),
    ("pkcs11-tool", "opensc"),
    ("python3", "python3"),
    ("sha256sum", "coreutils"),
    ("softhsm2-util", "softhsm2"),
    ("ssh-keygen", "openssh-client"),
    ("tpm2_createprimary", "tpm2-tools"),
    ("tpm2_flushcontext", "tpm2-tools"),
    ("tpm2_import", "tpm2-tools"),
    ("tpm2_load", "tpm2-tools"),
    ("tpm2_sign", "tpm2-tools"),
    ("shamir", "none; 'make deps' installs it"),
];

/// PINs of the new token.
pub const SO_PIN: &str = "31415926";
pub const USER_PIN: &str = "27182818";

/// What was seen at the terminal, and whether every command succeeded.
pub struct Seen {
    pub screen: String,
    pub succeeded: bool,
}

impl Seen {
    /// How often a line stood there.
    pub fn count(&self, line: &str) -> usize {
        self.screen.lines().filter(|seen| seen.trim_end() == line).count()
    }

    /// The secrets of the bundles, which the page shows, so that they can be given to age.
    pub fn secrets(&self) -> Vec<&str> {
        self.screen
            .lines()
            .map(str::trim)
            .filter(|line| is_secret(line))
            .collect()
    }
}

fn is_secret(line: &str) -> bool {
    line.len() == 64 && line.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The folders in which programs are found. None of them has one of ours.
fn path() -> String {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python/bin");
    let folders = [
        python,
        "/usr/bin".into(),
        "/bin".into(),
        "/usr/sbin".into(),
        "/sbin".into(),
    ];
    let has = |program: &str| folders.iter().any(|folder| folder.join(program).exists());
    for (program, package) in PROGRAMS {
        assert!(has(program), "there is no {program} (Debian: {package})");
    }
    for folder in folders.iter().filter_map(|folder| fs::read_dir(folder).ok()) {
        for entry in folder {
            let name = entry.unwrap().file_name();
            assert!(
                !name.to_string_lossy().starts_with("keyrite-"),
                "{} is on PATH",
                name.display()
            );
        }
    }
    let folders: Vec<_> = folders
        .iter()
        .map(|folder| folder.display().to_string())
        .collect();
    folders.join(":")
}

/// Runs the page at a terminal, in a folder of its own, and answers what the programs ask.
pub fn follow(script: &str, home: &Path, environment: &[(&str, String)]) -> Seen {
    let file: PathBuf = home.join("page.sh");
    fs::write(&file, script).unwrap();
    let terminal = Terminal::open(24, 120, Printing::Plain).unwrap();
    let mut command = Command::new("setsid");
    command.args(["--ctty", "--wait", "sh", "-eu"]).arg(&file);
    command
        .env_clear()
        .current_dir(home)
        .env("PATH", path())
        .env("HOME", home);
    command
        .env("TERM", "dumb")
        .env("LC_ALL", "C.UTF-8")
        .envs(environment.iter().map(|(name, value)| (name, value)));
    command.stdin(terminal.program_side().unwrap());
    command
        .stdout(terminal.program_side().unwrap())
        .stderr(terminal.program_side().unwrap());
    let mut child = command.spawn().unwrap();
    // It holds the program's end of the terminal.
    drop(command);
    let screen = converse(&terminal.ready().unwrap());
    let succeeded = child.wait().unwrap().success();
    Seen { screen, succeeded }
}

fn converse(terminal: &Ready) -> String {
    let (start, mut bytes, mut answered) = (Instant::now(), Vec::new(), 0);
    loop {
        match terminal.heard().recv_timeout(Duration::from_millis(10)) {
            Ok(heard) => bytes.extend(heard),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return String::from_utf8_lossy(&bytes).into_owned(),
        }
        let screen = String::from_utf8_lossy(&bytes[answered..]).into_owned();
        // Every question of these programs hides its answer.
        if screen.trim_end().ends_with(':') && !terminal.echoes().unwrap() {
            let question = screen.lines().last().unwrap_or_default();
            terminal
                .type_line(&answer(question, &String::from_utf8_lossy(&bytes)))
                .unwrap();
            answered = bytes.len();
        }
        let seen = String::from_utf8_lossy(&bytes);
        assert!(start.elapsed() < LONGEST, "nothing goes on:\n{seen}");
    }
}

fn answer(question: &str, screen: &str) -> String {
    if question.contains("passphrase") {
        let secret = screen.lines().map(str::trim).rfind(|line| is_secret(line));
        return secret.expect("the page shows it before").to_owned();
    }
    match question.to_lowercase() {
        question if question.contains("so pin") => SO_PIN.to_owned(),
        question if question.contains("user pin") => USER_PIN.to_owned(),
        _ => panic!("an unknown question: {question}"),
    }
}
