//! A site of two small zones with keys in a SoftHSM store or a TPM of its own, and `keyrite-signer run` at work on it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use keyrite_tests::tools;
use rustix::process::{Pid, Signal, kill_process};
use sandbox::{SOFTHSM_MODULE, SoftHsm, Swtpm};
use serde_json::Value;
use tempfile::TempDir;

/// Long enough for a machine that does many other things; nothing is said by how long it took.
const LONGEST: Duration = Duration::from_secs(120);
/// The zones.
pub const ZONES: [&str; 2] = ["fi.cr", "go.cr"];
pub const PIN: &str = "7350926";
const ZONE: &str = "$TTL 3600\n@ SOA ns1 h 1 3600 600 86400 300\n@ NS ns1\nns1 A 192.0.2.1\n$INCLUDE hosts\n";

pub struct Place {
    // It ends before its folder goes.
    pub tpm: Option<Swtpm>,
    folder: TempDir,
    pub site: PathBuf,
    environment: Vec<(String, String)>,
}

/// A signer that runs.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    /// What it told so far.
    pub told: Vec<Value>,
}

impl Place {
    /// Keys in SoftHSM.
    pub fn softhsm() -> Self {
        let place = Self::new(|_| None);
        place.must("keyrite-tpm-init", &["token"]);
        place.with_keys()
    }

    /// Keys in a TPM.
    pub fn tpm() -> Self {
        let place = Self::new(|root| Some(Swtpm::start(&root.join("tpm")).unwrap()));
        place.must("keyrite-tpm-init", &["provision"]);
        place.with_keys()
    }

    fn new(tpm: impl FnOnce(&Path) -> Option<Swtpm>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        let tpm = tpm(&root);
        let store = SoftHsm::installed(&root).unwrap();
        let site = root.join("site");
        fs::create_dir_all(site.join("zones")).unwrap();
        let address = match &tpm {
            None => format!("pkcs11:token=cr?module-path={SOFTHSM_MODULE}"),
            Some(tpm) => format!("tpm2:{}", tpm.tcti()),
        };
        let rest = match tpm {
            None => "    so-pin: file:pin\n",
            Some(_) => {
                "    setup:\n      owner-auth: tpm:0x81020010\n      endorsement-auth: tpm:0x81020011\n      \
                 lockout-auth: tpm:0x81020012\n      accepted: {identity: a test, firmware-advisories: a test, \
                 firmware-known: a test, endorsement-key: a test}\n"
            }
        };
        let zones = ZONES
            .map(|zone| format!("  {zone}: {{policy: csk, token: cr}}\n"))
            .concat();
        fs::write(
            site.join("site.yaml"),
            format!(
                "version: 1\ntokens:\n  cr:\n    address: {address}\n    pin: file:pin\n{rest}zones:\n{zones}"
            ),
        )
        .unwrap();
        let place = Self {
            environment: vec![(
                "SOFTHSM2_CONF".to_owned(),
                store.configuration().display().to_string(),
            )],
            site,
            folder,
            tpm,
        };
        place.write_pin(PIN);
        for zone in ZONES {
            fs::write(place.zone(zone), ZONE).unwrap();
        }
        fs::write(place.site.join("zones/hosts"), "www A 192.0.2.80\n").unwrap();
        place
    }

    fn with_keys(self) -> Self {
        let generate = [
            "generate",
            "--all",
            "--role",
            "csk",
            "--backup",
            "none",
            "--activate",
        ];
        self.must("keyrite-keyctl", &generate);
        self
    }

    /// The folder around the site: `tokens` is the store.
    pub fn root(&self) -> PathBuf {
        fs::canonicalize(self.folder.path()).unwrap()
    }

    pub fn write_pin(&self, pin: &str) {
        let path = self.site.join("pin");
        fs::write(&path, format!("{pin}\n")).unwrap();
        fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
    }

    /// The unsigned file of a zone.
    pub fn zone(&self, zone: &str) -> PathBuf {
        self.site.join(format!("zones/{zone}.zone"))
    }

    /// The text of the signed one.
    pub fn signed(&self, zone: &str) -> String {
        fs::read_to_string(self.site.join(format!("signed/{zone}.zone"))).unwrap()
    }

    /// Adds a line to a file of the site.
    pub fn append(&self, file: &str, line: &str) {
        let path = self.site.join(file);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, text + line).unwrap();
    }

    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.site)
            .env_clear()
            .env("PATH", format!("{}:/usr/sbin:/usr/bin:/bin", tools().display()))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs a tool to its end.
    pub fn run(&self, tool: &str, arguments: &[&str]) -> Output {
        self.command(tool, arguments).output().unwrap()
    }

    /// The same, where it must succeed: what it printed.
    pub fn must(&self, tool: &str, arguments: &[&str]) -> String {
        let output = self.run(tool, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{tool} {arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts a signer that logs JSON; `limit` is for its shell, before it.
    pub fn start(&self, limit: &str, options: &[&str]) -> Running {
        let script = format!("{limit}exec keyrite-signer run --json \"$@\"");
        let mut command = self.command("sh", &["-c", &script, "sh"]);
        let mut child = command.args(options).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Running {
            child,
            lines,
            told: Vec::new(),
        }
    }

    /// Every signed zone is good, and nothing half-written is left.
    pub fn is_good(&self) {
        self.must("keyrite-signer", &["verify"]);
        for entry in fs::read_dir(self.site.join("signed")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(
                !name.starts_with('.') || name.ends_with(".lock"),
                "{name} is left behind"
            );
        }
    }
}

impl Running {
    /// Waits for the next event of that kind, of that zone or token where one is named.
    pub fn wait(&mut self, event: &str, about: &str) -> Value {
        self.wait_any(&[event], about)
    }

    /// The same of several kinds.
    fn wait_any(&mut self, events: &[&str], about: &str) -> Value {
        let start = Instant::now();
        loop {
            let line = match self.lines.recv_timeout(Duration::from_secs(1)) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) if start.elapsed() < LONGEST => continue,
                Err(error) => panic!("no {events:?} of '{about}': {error}; it told {:#?}", self.told),
            };
            let told: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
            self.told.push(told.clone());
            let is_about = ["zone", "token"].iter().any(|field| told[field] == about);
            if events.iter().any(|event| told["event"] == *event) && (about.is_empty() || is_about) {
                return told;
            }
        }
    }

    /// Waits until one of these was told of each zone, in whatever order, and gives them in that of the zones.
    pub fn each(&mut self, events: &[&str]) -> [Value; 2] {
        let mut told = ZONES.map(|_| None);
        while told.iter().any(Option::is_none) {
            let next = self.wait_any(events, "");
            for (zone, told) in ZONES.iter().zip(&mut told) {
                if next["zone"] == *zone {
                    *told = Some(next.clone());
                }
            }
        }
        told.map(Option::unwrap)
    }

    /// Waits until both zones were signed, or nothing of them was due.
    pub fn all_signed(&mut self) {
        self.each(&["signed", "unchanged"]);
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits for its end.
    pub fn end(mut self) -> (ExitStatus, Vec<Value>) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(
                start.elapsed() < LONGEST,
                "it does not end; it told {:#?}",
                self.told
            );
            thread::sleep(Duration::from_millis(10));
        };
        let rest = self.lines.iter().map(|line| serde_json::from_str(&line).unwrap());
        let told = self.told.drain(..).chain(rest).collect();
        (status, told)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that failed leaves none at work. One that ended is not there any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
