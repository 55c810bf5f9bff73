//! A site that makes bundles, and is gone then.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use keyrite_tests::{Rig, Stack, TpmState};
use tempfile::TempDir;

/// Who keeps shares: the first two have age identities, the last one an SSH key.
const CUSTODIANS: [&str; 3] = ["ana", "luis", "rosa"];
/// Who signs bundles.
const OFFICER: &str = "officer-1";

/// A zone, and the algorithm and size of its key.
pub type Key = (&'static str, &'static str, Option<&'static str>);

/// A site with its tokens.
pub struct Site {
    rig: Rig,
    folder: TempDir,
    tools: PathBuf,
}

/// What is left of a site when its tokens are lost: media, and people.
pub struct Left {
    folder: TempDir,
}

impl Site {
    /// Its TPM is provisioned, its token initialised, its custodians named.
    pub fn new(stack: Stack) -> Self {
        let folder = tempfile::Builder::new().prefix("keyrite-").tempdir().unwrap();
        let rig = Rig::new(&folder.path().join("place"), stack, TpmState::Fresh).unwrap();
        let tools = keyrite_tests::tools().to_owned();
        let site = Self { rig, folder, tools };
        for name in ["people", "shares", "archive"] {
            fs::create_dir(site.folder.path().join(name)).unwrap();
        }
        site.run("keyrite-tpm-init", &["provision"]);
        site.run("keyrite-tpm-init", &["token"]);
        let officer = ssh_key(&site.person(OFFICER));
        fs::write(
            site.rig.site().join("allowed_signers"),
            format!("{OFFICER} {officer}\n"),
        )
        .unwrap();
        for name in CUSTODIANS {
            let recipient = match name {
                "rosa" => ssh_key(&site.person(name)),
                _ => age_key(&site.person(name)),
            };
            site.run("keyrite-backup", &["custodian", "add", name, &recipient]);
        }
        site
    }

    fn person(&self, name: &str) -> PathBuf {
        self.folder.path().join("people").join(name)
    }

    fn run(&self, tool: &str, arguments: &[&str]) {
        let said = self
            .rig
            .command(self.tools.join(tool))
            .args(arguments)
            .output()
            .unwrap();
        let problem = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{tool} {arguments:?}: {problem}");
    }

    /// The recovery parent of its TPM, for which keys can leave it.
    pub fn recovery_parent(&self) {
        self.make(&["parent", "--token", "cr"]);
    }

    /// A key for each zone, whose DNSKEYs are published then, and a bundle of all.
    pub fn keys(&self, keys: &[Key]) {
        let mut published = String::new();
        let mut create = vec!["create"];
        for (zone, algorithm, bits) in keys {
            let mut arguments = vec![
                "generate",
                "--zone",
                zone,
                "--role",
                "csk",
                "--algorithm",
                algorithm,
                "--activate",
            ];
            arguments.extend(bits.iter().flat_map(|bits| ["--bits", bits]));
            self.run("keyrite-keyctl", &arguments);
            self.run("keyrite-signer", &["sign", "--zone", zone]);
            let signed = fs::read_to_string(self.rig.site().join(format!("signed/{zone}.zone"))).unwrap();
            published.extend(
                signed
                    .lines()
                    .filter(|line| line.contains("DNSKEY"))
                    .flat_map(|line| [line, "\n"]),
            );
            create.extend(["--zone", zone]);
        }
        fs::write(self.folder.path().join("archive/dnskeys"), published).unwrap();
        self.make(&create);
    }

    fn make(&self, arguments: &[&str]) {
        let shares = self.folder.path().join("shares").display().to_string();
        let officer = format!("{OFFICER}={}", self.person(OFFICER).display());
        let custody = ["--needed", "2", "--shares", &shares, "--officer", &officer];
        self.run("keyrite-backup", &[arguments, &custody].concat());
    }

    /// Everything is lost but for the media.
    pub fn lost(self) -> Left {
        let Self { rig, folder, .. } = self;
        let archive = folder.path().join("archive");
        fs::rename(rig.site().join("backups"), archive.join("backups")).unwrap();
        fs::rename(
            rig.site().join("allowed_signers"),
            archive.join("allowed_signers"),
        )
        .unwrap();
        drop(rig);
        fs::remove_dir_all(folder.path().join("place")).unwrap();
        Left { folder }
    }
}

/// Makes an SSH key and gives its public half.
fn ssh_key(file: &Path) -> String {
    output(
        Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
            .arg(file),
    );
    fs::read_to_string(file.with_extension("pub"))
        .unwrap()
        .trim()
        .to_owned()
}

/// Makes an age identity and gives its recipient.
fn age_key(file: &Path) -> String {
    output(Command::new("age-keygen").arg("-o").arg(file));
    output(Command::new("age-keygen").arg("-y").arg(file))
        .trim()
        .to_owned()
}

fn output(command: &mut Command) -> String {
    let said = command.output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8(said.stdout).unwrap()
}

impl Left {
    /// The folder of all.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folders of the bundles.
    pub fn bundles(&self) -> Vec<PathBuf> {
        files(&self.folder().join("archive/backups"))
    }

    /// The share files of those custodians, of all bundles.
    pub fn shares(&self, names: &[&str]) -> Vec<PathBuf> {
        let of = |path: &PathBuf| {
            let stem = path.file_stem().and_then(OsStr::to_str).unwrap();
            names.iter().any(|name| stem.ends_with(&format!("-{name}")))
        };
        files(&self.folder().join("shares"))
            .into_iter()
            .filter(of)
            .collect()
    }

    /// What opens their shares.
    pub fn identities(&self, names: &[&str]) -> Vec<PathBuf> {
        names
            .iter()
            .map(|name| self.folder().join("people").join(name))
            .collect()
    }

    /// A file of the archive.
    pub fn archived(&self, name: &str) -> PathBuf {
        self.folder().join("archive").join(name)
    }
}

/// What is in a folder, but for locks.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_lock = |path: &PathBuf| path.extension().is_some_and(|end| end == "lock");
    let mut files: Vec<_> = entries.filter(|path| !is_lock(path)).collect();
    files.sort();
    files
}
