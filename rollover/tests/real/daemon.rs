//! A server that runs for as long as a test does.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The process. It is killed when it is dropped, and with the thread that started it.
pub struct Daemon(Child);

impl Daemon {
    /// Starts a program of that Debian package; what it says is in `log`.
    pub fn start(package: &str, folder: &Path, log: &Path, argv: &[&str]) -> Self {
        Self::start_with(package, folder, log, &[], argv)
    }

    /// The same, with that in its environment.
    pub fn start_with(
        package: &str,
        folder: &Path,
        log: &Path,
        environment: &[(&str, &str)],
        argv: &[&str],
    ) -> Self {
        let file = File::create(log).unwrap();
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .args(argv)
            .current_dir(folder)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("TZ", "UTC")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn();
        Self(
            child
                .unwrap_or_else(|error| panic!("{}: {error}; install the Debian package {package}", argv[0])),
        )
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a program to its end, which must be a good one.
pub fn run(package: &str, folder: &Path, argv: &[&str]) -> String {
    run_with(package, folder, &[], argv)
}

/// The same, with that in its environment.
pub fn run_with(package: &str, folder: &Path, environment: &[(&str, &str)], argv: &[&str]) -> String {
    attempt(package, folder, environment, argv).unwrap_or_else(|told| panic!("{argv:?}: {told}"))
}

/// The same; what it said, if its end was not good.
pub fn attempt(
    package: &str,
    folder: &Path,
    environment: &[(&str, &str)],
    argv: &[&str],
) -> Result<String, String> {
    let out = Command::new(argv[0])
        .args(&argv[1..])
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("TZ", "UTC")
        .envs(environment.iter().copied())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; install the Debian package {package}", argv[0]));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match out.status.success() {
        true => Ok(text(&out.stdout)),
        false => Err(text(&out.stdout) + &text(&out.stderr)),
    }
}

/// Waits until something is so, at most ten seconds.
pub fn until<T>(what: &str, log: &Path, mut is: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = is() {
            return found;
        }
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{what} did not come: {}",
            fs::read_to_string(log).unwrap()
        );
        sleep(Duration::from_millis(10));
    }
}

/// A port of the loopback interface that nobody has at the moment, and that no other test was given.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        if GIVEN.lock().unwrap().insert(port) {
            return port;
        }
    }
}
