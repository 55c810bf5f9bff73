//! A folder with keys, and age to ask.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use custody::{DecryptError, Identity, Plugins, decrypt_with, encrypt_to};
use key_metadata::Recipient;
use tempfile::TempDir;

pub const SECRET: &[u8] = b"academic acid academic aquatic ... a share of a secret\n";

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

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.file(name)).unwrap()
    }

    /// age's own key; its recipient.
    pub fn age_key(&self, name: &str) -> Recipient {
        let mut keygen = Command::new("/usr/bin/age-keygen");
        let keygen = keygen.arg("-o").arg(self.file(name)).stderr(Stdio::null());
        assert!(keygen.status().unwrap().success());
        let mut public = Command::new("/usr/bin/age-keygen");
        let public = public.arg("-y").arg(self.file(name)).output().unwrap();
        let public = String::from_utf8(public.stdout).unwrap();
        public.trim().parse().unwrap()
    }

    /// A key of OpenSSH's; its recipient.
    pub fn ssh_key(&self, name: &str, kind: &str, passphrase: &str) -> Recipient {
        self.ssh_file(name, kind, passphrase);
        let public = String::from_utf8(self.read(&format!("{name}.pub"))).unwrap();
        public.trim().parse().unwrap()
    }

    /// A key of OpenSSH's, of any kind.
    pub fn ssh_file(&self, name: &str, kind: &str, passphrase: &str) {
        let mut keygen = Command::new("/usr/bin/ssh-keygen");
        keygen
            .args(["-q", "-N", passphrase, "-t", kind, "-f"])
            .arg(self.file(name));
        if kind == "rsa" {
            keygen.args(["-b", "2048"]);
        }
        assert!(keygen.status().unwrap().success());
    }

    pub fn identities(&self, name: &str) -> Vec<Identity> {
        Identity::read_file(name, &self.read(name), &Plugins::none()).unwrap()
    }

    pub fn open(&self, name: &str, file: &[u8]) -> Result<Vec<u8>, DecryptError> {
        decrypt_with(&self.identities(name), file, &Plugins::none()).map(|secret| secret.to_vec())
    }

    /// What age says of a file of ours.
    pub fn age_opens(&self, identity: &str, file: &[u8]) -> Option<Vec<u8>> {
        let mut age = Command::new("/usr/bin/age");
        age.arg("-d").arg("-i").arg(self.file(identity));
        given(age, file)
    }

    /// A file of age's.
    pub fn age_encrypts(&self, recipient: &Recipient, options: &[&str]) -> Vec<u8> {
        let mut age = Command::new("/usr/bin/age");
        age.args(options).arg("-r").arg(recipient.to_string());
        given(age, SECRET).unwrap()
    }
}

/// What a program makes of its input.
pub fn given(mut program: Command, input: &[u8]) -> Option<Vec<u8>> {
    let program = program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = program.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        // It may have ended before it reads.
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output().unwrap()
    });
    output.status.success().then_some(output.stdout)
}

/// A file of ours.
pub fn encrypted<'r>(recipients: impl IntoIterator<Item = &'r Recipient>) -> Vec<u8> {
    encrypt_to(recipients, SECRET, &Plugins::none()).unwrap()
}
