//! An ssh-agent of one's own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::desk::Desk;

pub struct SshAgent {
    process: Child,
    socket: PathBuf,
}

impl SshAgent {
    pub fn start(desk: &Desk) -> Self {
        let socket = desk.file("agent");
        let mut agent = Command::new("/usr/bin/ssh-agent");
        let process = agent
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn();
        let agent = Self {
            process: process.unwrap(),
            socket,
        };
        let start = Instant::now();
        while !agent.socket.exists() {
            assert!(
                start.elapsed() < Duration::from_secs(10),
                "ssh-agent does not start"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        agent
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }

    pub fn add(&self, key: &Path) {
        let mut add = Command::new("/usr/bin/ssh-add");
        add.arg("-q").arg(key).env("SSH_AUTH_SOCK", &self.socket);
        assert!(add.status().unwrap().success());
    }
}

impl Drop for SshAgent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
