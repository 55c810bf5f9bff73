//! Namespaces of one's own: programs whose paths are built into them, several times at once.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::daemon::Daemon;

/// Namespaces with daemons in them, which end with this.
pub struct Private {
    /// The first process in them, as the host numbers it.
    holder: String,
    kinds: Vec<&'static str>,
    daemon: Option<Daemon>,
}

/// Sets up what every daemon may write to outside the caller's folder; the rest is the caller's script. $1 is the folder for state.
///
/// /proc shows the host's numbers until it is mounted anew. The last process stays, and is the first in its PID namespace: with it
/// every other one is killed.
const BEFORE: &str = r#"
set -eu
read -r holder rest </proc/self/stat
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
"#;
const AFTER: &str = r#"
echo "$holder" >"$1"/holder.new
mv "$1"/holder.new "$1"/holder
exec sleep infinity
"#;

/// To make RSA keys in a TPM, on a machine that runs other tests; our choice.
const PATIENCE: Duration = Duration::from_secs(120);

impl Private {
    /// Makes namespaces of those kinds (options of unshare(1)), and runs a bash script in them whose arguments are the folder and `arguments`;
    /// what it starts in the background stays. What is printed goes to `folder`/log.
    pub fn start(
        folder: &Path,
        script: &str,
        arguments: &[&str],
        kinds: &[&'static str],
    ) -> io::Result<Self> {
        if let Some(reason) = Self::refusal(kinds)? {
            return Err(io::Error::new(io::ErrorKind::Unsupported, reason));
        }
        let folder = fs::canonicalize(folder)?;
        let (log, told) = (folder.join("log"), folder.join("holder"));
        // That of an earlier start.
        match fs::remove_file(&told) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let script = [BEFORE, script, AFTER].concat();
        let state = folder.display().to_string();
        let mut words = kinds.to_vec();
        words.extend([
            "--fork",
            "--kill-child",
            "--",
            "bash",
            "-c",
            &script,
            "bash",
            &state,
        ]);
        words.extend(arguments);
        let words: Vec<&OsStr> = words.into_iter().map(OsStr::new).collect();
        let mut daemon = Daemon::start("unshare", &words, &[], &log)?;
        daemon.wait_up_to(PATIENCE, "the daemons' script", &log, || told.exists())?;
        Ok(Self {
            holder: fs::read_to_string(&told)?.trim().to_owned(),
            kinds: kinds.to_vec(),
            daemon: Some(daemon),
        })
    }

    /// Why the kernel gives no such namespaces, in the words of unshare(1); `None` where it does.
    pub fn refusal(kinds: &[&str]) -> io::Result<Option<String>> {
        let output = Command::new("/usr/bin/unshare")
            .args(kinds)
            .args(["--fork", "--", "mount", "-t", "tmpfs", "tmpfs", "/run"])
            .env_clear()
            .env("LC_ALL", "C")
            .output()
            .map_err(|error| {
                let problem = format!("cannot start unshare (Debian: util-linux): {error}");
                io::Error::new(error.kind(), problem)
            })?;
        let said = String::from_utf8_lossy(&output.stderr);
        Ok((!output.status.success()).then(|| {
            said.lines()
                .next()
                .map_or("unshare fails", |line| line)
                .to_owned()
        }))
    }

    /// A command in them, in that folder, with an empty environment.
    pub fn command(&self, program: impl AsRef<OsStr>, folder: &Path) -> Command {
        let mut command = Command::new("/usr/bin/nsenter");
        command
            .args(["--target", &self.holder])
            .args(&self.kinds)
            .arg(format!("--wdns={}", folder.display()))
            // nsenter waits for its child, and does not take it along when it is killed.
            .args(["--", "/usr/bin/setpriv", "--pdeathsig", "KILL", "--"])
            .arg(program)
            .env_clear();
        command
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        self.daemon = None;
        // The kernel kills the others first, and the first process is gone, or but a name, when all are.
        let stat = format!("/proc/{}/stat", self.holder);
        let is_there = || fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
        let start = Instant::now();
        while is_there() && start.elapsed() < PATIENCE {
            sleep(Duration::from_millis(5));
        }
    }
}
