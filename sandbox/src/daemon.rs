//! A background process that ends with its owner.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Closes what a process inherits beyond its first three descriptors. tpm2-tss opens its sockets without close-on-exec: a daemon that is started
/// meanwhile, by another test of the same program, would keep another TPM's line open, and that TPM would wait for ever.
const WITHOUT_DESCRIPTORS: &str =
    r#"for fd in /proc/self/fd/*; do fd=${fd##*/}; [ "$fd" -le 2 ] || eval "exec $fd>&-"; done; exec "$@""#;

/// Where daemons are looked for.
const PATH: &str = "/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin:/bin";

/// The programs that daemons are started by and as, and Debian's packages that have them.
const PACKAGES: [(&str, &str); 7] = [
    ("bash", "bash"),
    ("dbus-daemon", "dbus-daemon"),
    ("knotd", "knot"),
    ("setpriv", "util-linux"),
    ("swtpm", "swtpm"),
    ("tpm2-abrmd", "tpm2-abrmd"),
    ("unshare", "util-linux"),
];

/// Fails where a program is not installed, and names the package that has it.
fn installed(program: &str) -> io::Result<()> {
    if PATH
        .split(':')
        .any(|folder| Path::new(folder).join(program).exists())
    {
        return Ok(());
    }
    let package = PACKAGES.iter().find(|(known, _)| *known == program);
    let package = package.map_or(program, |(_, package)| package);
    let problem = format!("there is no {program} (Debian: {package})");
    Err(io::Error::new(io::ErrorKind::NotFound, problem))
}

/// A process that is killed when this is dropped, or when the thread that started it ends in any way.
pub struct Daemon(Child);

impl Daemon {
    /// Starts `program`; what it prints goes to `log`. `environment` is added to an empty one with PATH.
    pub fn start(
        program: &str,
        arguments: &[&OsStr],
        environment: &[(&str, &str)],
        log: &Path,
    ) -> io::Result<Self> {
        for needed in ["bash", "setpriv", program] {
            installed(needed)?;
        }
        let out = File::options().create(true).append(true).open(log)?;
        let child = Command::new("bash")
            .args(["-c", WITHOUT_DESCRIPTORS, program])
            .args(["setpriv", "--pdeathsig", "KILL", "--", program])
            .args(arguments)
            .env_clear()
            .env("PATH", PATH)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("cannot start {program}: {error}")))?;
        Ok(Self(child))
    }

    /// Its process id.
    pub fn id(&self) -> i32 {
        // The kernel gives none that is larger (pid_max is at most 2^22).
        self.0.id() as i32
    }

    /// Waits up to ten seconds for `ready`; fails at once when the process ends.
    pub fn wait_until(&mut self, what: &str, log: &Path, ready: impl Fn() -> bool) -> io::Result<()> {
        self.wait_up_to(Duration::from_secs(10), what, log, ready)
    }

    /// The same, for as long as that.
    pub fn wait_up_to(
        &mut self,
        longest: Duration,
        what: &str,
        log: &Path,
        ready: impl Fn() -> bool,
    ) -> io::Result<()> {
        let start = Instant::now();
        while !ready() {
            if let Some(status) = self.0.try_wait()? {
                return Err(io::Error::other(format!(
                    "{what} ended with {status}; see {}",
                    log.display()
                )));
            }
            if start.elapsed() > longest {
                return Err(io::Error::other(format!(
                    "{what} was not ready after {} s; see {}",
                    longest.as_secs(),
                    log.display()
                )));
            }
            sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_installed_names_its_package() {
        assert!(installed("bash").is_ok());
        let missing = installed("no-such-daemon").unwrap_err();
        assert_eq!(
            missing.to_string(),
            "there is no no-such-daemon (Debian: no-such-daemon)"
        );
    }
}
