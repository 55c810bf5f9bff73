//! A TPM 2.0 in software.

use std::fs;
use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::daemon::Daemon;

/// A running swtpm, on a loopback address of its own. Dropping it shuts the TPM down in order (TPM2_Shutdown) and ends the process.
pub struct Swtpm {
    tcti: String,
    state: PathBuf,
    _daemon: Daemon,
}

const PORT: u16 = 2321;

impl Swtpm {
    /// Starts a TPM whose state is in the folder `state`, which is made if it is not there; its state outlives it.
    pub fn start(state: &Path) -> io::Result<Self> {
        fs::create_dir_all(state)?;
        let state = fs::canonicalize(state)?;
        let mut last = io::Error::other("swtpm was not started");
        // Another run may hold the address: draw again.
        for _ in 0..5 {
            match Self::start_at(&state, &random_loopback()?) {
                Ok(swtpm) => return Ok(swtpm),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn start_at(state: &Path, host: &str) -> io::Result<Self> {
        let log = state.join("swtpm.log");
        let dir = format!("dir={}", state.display());
        let server = format!("type=tcp,port={PORT},bindaddr={host}");
        let ctrl = format!("type=tcp,port={},bindaddr={host}", PORT + 1);
        let arguments = [
            "socket",
            "--tpm2",
            "--tpmstate",
            &dir,
            "--server",
            &server,
            "--ctrl",
            &ctrl,
            "--flags",
            "not-need-init,startup-clear",
        ];
        let mut daemon = Daemon::start("swtpm", &arguments.map(AsRef::as_ref), &[], &log)?;
        daemon.wait_until("swtpm", &log, || TcpStream::connect((host, PORT + 1)).is_ok())?;
        Ok(Self {
            tcti: format!("swtpm:host={host},port={PORT}"),
            state: state.to_owned(),
            _daemon: daemon,
        })
    }

    /// The TCTI configuration that reaches it.
    pub fn tcti(&self) -> &str {
        &self.tcti
    }

    /// The folder with its state.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Runs one of tpm2-tools against it.
    pub fn tool(&self, name: &str, arguments: &[&str]) -> io::Result<Output> {
        Command::new(name)
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("TPM2TOOLS_TCTI", &self.tcti)
            .output()
    }

    /// The transient objects and loaded sessions that are in the TPM, by handle; both lists are empty where every tool cleans up.
    pub fn leaked_handles(&self) -> io::Result<Vec<String>> {
        let mut handles = Vec::new();
        for capability in [
            "handles-transient",
            "handles-loaded-session",
            "handles-saved-session",
        ] {
            let output = self.tool("tpm2_getcap", &[capability])?;
            if !output.status.success() {
                return Err(io::Error::other(format!(
                    "tpm2_getcap {capability}: {}",
                    String::from_utf8_lossy(&output.stderr)
                )));
            }
            handles.extend(
                String::from_utf8_lossy(&output.stdout)
                    .lines()
                    .map(|line| format!("{capability} {line}")),
            );
        }
        Ok(handles)
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        // An unclean stop counts as a dictionary-attack failure at the next start.
        let _ = self.tool("tpm2_shutdown", &["-c"]);
    }
}

/// An address of 127.0.0.0/8, drawn at random.
fn random_loopback() -> io::Result<String> {
    let mut bytes = [0; 3];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(format!(
        "127.{}.{}.{}",
        bytes[0].max(1),
        bytes[1],
        bytes[2].clamp(1, 254)
    ))
}
