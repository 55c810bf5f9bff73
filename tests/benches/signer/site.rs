//! A laboratory's site, whose keys other signers use too, and how each of them is called.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::measure::run;
use crate::zones;

/// Keys and figures of a case.
#[derive(Clone, Copy)]
pub struct Policy {
    /// The algorithm's mnemonic.
    pub algorithm: &'static str,
    /// Lines of `signatures` beside the shipped ones.
    pub signatures: &'static str,
}

pub const P256: Policy = Policy {
    algorithm: "ECDSAP256SHA256",
    signatures: "",
};
pub const RSA: Policy = Policy {
    algorithm: "RSASHA256",
    signatures: "",
};

/// A site in a folder of its own.
pub struct Laboratory {
    folder: PathBuf,
}

impl Laboratory {
    /// Makes the site, its zones with so many delegations, and a KSK and a ZSK for each.
    pub fn new(folder: &Path, policy: Policy, sizes: &[(&'static str, usize)]) -> Self {
        let site = Self {
            folder: folder.to_owned(),
        };
        let site_folder = site.folder();
        for name in ["zones", "policies"] {
            fs::create_dir_all(site_folder.join(name)).expect("a folder");
        }
        let mut text =
            "version: 1\npurpose: laboratory\ntokens:\n  lab: {address: \"file:lab\"}\nzones:\n".to_owned();
        for (zone, _) in sizes {
            text.push_str(&format!("  {zone}: {{policy: bench, token: lab}}\n"));
        }
        fs::write(site_folder.join("site.yaml"), text).expect("a site");
        site.set_policy(policy);
        for (zone, delegations) in sizes {
            zones::write(&site.unsigned(zone), zone, *delegations, 0).expect("a zone");
            let words = format!("generate --zone {zone} --role ksk --role zsk --activate --backup none");
            run(site.command("keyrite-keyctl").args(words.split(' ')));
        }
        site
    }

    /// The folder of the site.
    pub fn folder(&self) -> PathBuf {
        self.folder.join("site")
    }

    pub fn set_policy(&self, policy: Policy) {
        write_policy(&self.folder().join("policies/bench.yaml"), policy);
    }

    pub fn unsigned(&self, zone: &str) -> PathBuf {
        self.folder().join(format!("zones/{zone}.zone"))
    }

    /// The folder of the keys.
    pub fn keys(&self) -> PathBuf {
        self.folder().join("lab")
    }

    /// A tool of ours in the site.
    pub fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(crate::tool(tool));
        command.current_dir(self.folder());
        command
    }

    pub fn signer(&self) -> Command {
        let mut command = self.command("keyrite-signer");
        command.args(["sign", "--json"]);
        command
    }

    /// So many signatures by the ZSK of a zone, with two threads and no zone around.
    pub fn raw(&self, zone: &str, count: u64) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("this executable"));
        let count = count.to_string();
        command.current_dir(self.folder()).args(["--raw", zone, &count]);
        command
    }

    /// kzonesign, with two threads, and the keys in its own store.
    pub fn knot(&self, zone: &str, algorithm: &str) -> Command {
        let folder = self.folder.join("knot");
        fs::create_dir_all(&folder).expect("a folder");
        let configuration = folder.join("knot.conf");
        let text = format!(
            "server:\n  rundir: {folder}\ndatabase:\n  storage: {folder}\npolicy:\n  - id: bench\n    manual: on\n    algorithm: {algorithm}\n    \
             signing-threads: 2\n    nsec3: on\n    nsec3-iterations: 0\n    nsec3-salt-length: 0\nzone:\n  - domain: {zone}\n    file: {unsigned}\n    \
             journal-content: none\n    dnssec-signing: on\n    dnssec-policy: bench\n",
            folder = folder.display(),
            unsigned = self.unsigned(zone).display(),
        );
        fs::write(&configuration, text).expect("a configuration");
        for key in self.key_files(zone) {
            let mut import = Command::new("keymgr");
            import.arg("-c").arg(&configuration).args([zone, "import-bind"]);
            run(import.arg(format!("{}.key", key.display())));
        }
        let mut command = Command::new("kzonesign");
        command
            .arg("-c")
            .arg(configuration)
            .arg("-o")
            .arg(folder)
            .arg(zone);
        command
    }

    pub fn ldns(&self, zone: &str) -> Command {
        let mut command = Command::new("ldns-signzone");
        command
            .args(["-n", "-o", zone, "-f"])
            .arg(self.folder.join("ldns"));
        command.arg(self.unsigned(zone)).args(self.key_files(zone));
        command
    }

    /// dnssec-signzone with one thread, which is as fast as with two, and without its check.
    pub fn bind(&self, zone: &str, input: &Path, output: &Path, more: &[&str]) -> Command {
        let mut command = Command::new("dnssec-signzone");
        command.args(["-q", "-P", "-n", "1", "-x", "-S", "-3", "-", "-o", zone]);
        command.args(more).arg("-K").arg(self.keys());
        command.arg("-d").arg(&self.folder);
        command.arg("-f").arg(output).arg(input);
        command
    }

    /// The keys' files, without what they end in.
    fn key_files(&self, zone: &str) -> Vec<PathBuf> {
        let files = fs::read_dir(self.keys()).expect("keys");
        let files = files.map(|entry| entry.expect("an entry").path());
        let prefix = format!("K{zone}.+");
        let is_key = |file: &PathBuf| {
            let name = file.file_name().expect("a name").to_string_lossy();
            name.starts_with(&prefix) && name.ends_with(".key")
        };
        files.filter(is_key).map(|file| file.with_extension("")).collect()
    }
}

/// The shipped policy with another algorithm, and more lines of `signatures`.
pub fn write_policy(file: &Path, policy: Policy) {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/small-tld.yaml");
    let text = fs::read_to_string(shipped).expect("the shipped policy");
    let bits = match policy.algorithm {
        "RSASHA256" => "\n    bits: 2048",
        _ => "",
    };
    let algorithm = format!("algorithm: {}{bits}", policy.algorithm);
    let mut text = text.replace("algorithm: ECDSAP256SHA256", &algorithm);
    if !policy.signatures.is_empty() {
        text = text.replace(
            "  validity: 14d\n",
            &format!("{}\n", policy.signatures.trim_end()),
        );
    }
    fs::write(file, text).expect("a policy");
}
