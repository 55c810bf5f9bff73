//! A TPM 2.0 in software.

use std::fs;
use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::daemon::Daemon;
use crate::loopback::{self, PORTS};

/// A running swtpm, on a loopback address of its own. Dropping it shuts the TPM down in order (TPM2_Shutdown) and ends the process.
pub struct Swtpm {
    host: String,
    tcti: String,
    state: PathBuf,
    daemon: Option<Daemon>,
}

impl Swtpm {
    /// Starts a TPM whose state is in the folder `state`, which is made if it is not there; its state outlives it.
    pub fn start(state: &Path) -> io::Result<Self> {
        fs::create_dir_all(state)?;
        let state = fs::canonicalize(state)?;
        loopback::somewhere(|host| Self::start_at(&state, host))
    }

    fn start_at(state: &Path, host: &str) -> io::Result<Self> {
        let log = state.join("swtpm.log");
        let dir = format!("dir={}", state.display());
        let [server, ctrl] = PORTS.map(|port| format!("type=tcp,port={port},bindaddr={host}"));
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
        // It listens for control before it listens for commands.
        let listens = |port| TcpStream::connect((host, port)).is_ok();
        daemon.wait_until("swtpm", &log, || PORTS.into_iter().rev().all(listens))?;
        Ok(Self {
            host: host.to_owned(),
            tcti: loopback::tcti(host),
            state: state.to_owned(),
            daemon: Some(daemon),
        })
    }

    /// What a power cut does: it is killed, without TPM2_Shutdown, and started again at its address with the state that it had by then.
    pub fn cut_power(&mut self) -> io::Result<()> {
        self.stop_hard();
        let mut again = Self::start_at(&self.state, &self.host)?;
        self.daemon = again.daemon.take();
        Ok(())
    }

    /// Kills it, without TPM2_Shutdown: nobody reaches it until [`Self::cut_power`].
    pub fn stop_hard(&mut self) {
        self.daemon = None;
    }

    /// The TCTI configuration that reaches it.
    pub fn tcti(&self) -> &str {
        &self.tcti
    }

    /// The address that it listens at.
    pub(crate) fn host(&self) -> &str {
        &self.host
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

    /// The same, where it must succeed: what it printed, or an error that says what it said.
    pub fn must(&self, name: &str, arguments: &[&str]) -> io::Result<Vec<u8>> {
        let output = self.tool(name, arguments)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(io::Error::other(format!(
            "{name} {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        )))
    }

    /// The transient objects and loaded sessions that are in the TPM, by handle; both lists are empty where every tool cleans up.
    pub fn leaked_handles(&self) -> io::Result<Vec<String>> {
        let mut handles = Vec::new();
        for capability in [
            "handles-transient",
            "handles-loaded-session",
            "handles-saved-session",
        ] {
            let listed = self.must("tpm2_getcap", &[capability])?;
            handles.extend(
                String::from_utf8_lossy(&listed)
                    .lines()
                    .map(|line| format!("{capability} {line}")),
            );
        }
        Ok(handles)
    }

    /// Flushes what a killed program left in the TPM, as the kernel's resource manager does when a program is gone.
    pub fn flush_leaked_handles(&self) -> io::Result<()> {
        for kind in ["-t", "-l", "-s"] {
            self.must("tpm2_flushcontext", &[kind])?;
        }
        Ok(())
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        // An unclean stop counts as a dictionary-attack failure at the next start.
        if self.daemon.is_some() {
            let _ = self.tool("tpm2_shutdown", &["-c"]);
        }
    }
}
