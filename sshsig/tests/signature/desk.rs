//! A folder with keys, and ssh-keygen to ask.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use key_metadata::Time;
use sshsig::{AllowedSigners, Expected, Verified, VerifyError, verify};
use tempfile::TempDir;

pub const NAMESPACE: &str = "checkpoint@keyrite";
pub const NOW: &str = "2026-11-23T10:07:31Z";
/// The kinds of keys that ssh-keygen makes without hardware, as arguments of `-t` and `-b`.
pub const KINDS: [(&str, &str); 5] = [
    ("ed25519", "256"),
    ("ecdsa", "256"),
    ("ecdsa", "384"),
    ("ecdsa", "521"),
    ("rsa", "3072"),
];

pub struct Desk(TempDir);

impl Desk {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.file(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Makes a key; the line of its public half, without the comment.
    pub fn key(&self, name: &str, (kind, bits): (&str, &str)) -> String {
        let mut keygen = Command::new("/usr/bin/ssh-keygen");
        keygen
            .args(["-q", "-N", "", "-t", kind, "-b", bits, "-f"])
            .arg(self.file(name));
        assert!(keygen.status().unwrap().success());
        let public = fs::read_to_string(self.file(&format!("{name}.pub"))).unwrap();
        public.split(' ').take(2).collect::<Vec<_>>().join(" ")
    }

    /// What ssh-keygen makes of a message.
    pub fn sign(&self, key: &str, namespace: &str, hash: &str, message: &[u8]) -> Vec<u8> {
        let mut keygen = Command::new("/usr/bin/ssh-keygen");
        keygen.args([
            "-Y",
            "sign",
            "-n",
            namespace,
            "-O",
            &format!("hashalg={hash}"),
            "-f",
        ]);
        keygen
            .arg(self.file(key))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = keygen.spawn().unwrap();
        child.stdin.take().unwrap().write_all(message).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        output.stdout
    }

    /// Our verdict, which must not be better than that of ssh-keygen.
    pub fn verify(&self, case: &Case<'_>) -> Verdicts {
        let referee = self.referee(case);
        let ours = AllowedSigners::parse(case.allowed.as_bytes()).map(|allowed| {
            let expected = Expected {
                allowed: &allowed,
                principal: case.principal,
                namespace: case.namespace,
                at: case.at.parse().unwrap(),
            };
            verify(&expected, case.signature, case.message)
        });
        let ours = ours.unwrap_or_else(|error| panic!("{error}: {}", error.source));
        assert!(
            referee || ours.is_err(),
            "ssh-keygen refuses what we take: {case:?}"
        );
        Verdicts { ours, referee }
    }

    /// Whether ssh-keygen takes it.
    pub fn referee(&self, case: &Case<'_>) -> bool {
        let allowed = self.write("allowed_signers", case.allowed.as_bytes());
        let signature = self.write("signature", case.signature);
        let at: Time = case.at.parse().unwrap();
        let digits: String = at.to_string().chars().filter(char::is_ascii_digit).collect();
        let mut keygen = Command::new("/usr/bin/ssh-keygen");
        keygen.args([
            "-Y",
            "verify",
            "-O",
            &format!("verify-time={digits}Z"),
            "-n",
            case.namespace,
        ]);
        keygen
            .args(["-I", case.principal, "-f"])
            .arg(allowed)
            .arg("-s")
            .arg(signature);
        keygen
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = keygen.spawn().unwrap();
        // It may have refused the signature before it reads the message.
        let _ = child.stdin.take().unwrap().write_all(case.message);
        child.wait().unwrap().success()
    }
}

/// What is verified.
#[derive(Clone, Copy, Debug)]
pub struct Case<'c> {
    pub allowed: &'c str,
    pub principal: &'c str,
    pub namespace: &'c str,
    pub at: &'c str,
    pub signature: &'c [u8],
    pub message: &'c [u8],
}

/// What we say, and what ssh-keygen does.
#[derive(Debug)]
pub struct Verdicts {
    pub ours: Result<Verified, VerifyError>,
    pub referee: bool,
}

impl Verdicts {
    /// Both say yes.
    pub fn good(self) -> Verified {
        assert!(self.referee);
        self.ours.unwrap()
    }

    /// Both say no.
    pub fn bad(self) -> VerifyError {
        assert!(!self.referee);
        self.ours.unwrap_err()
    }

    /// Only ssh-keygen says yes.
    pub fn stricter(self) -> VerifyError {
        assert!(self.referee);
        self.ours.unwrap_err()
    }
}
