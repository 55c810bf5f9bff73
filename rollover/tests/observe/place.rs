//! A site with the keys of one zone, its name servers, and the tool run on it.

use std::cell::Cell;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use key_metadata::{
    Action, Algorithm, Backup, Change, Extractability, KeyId, KeyRecord, KeyReference, KeyState, KeyTimes,
    Observations, PublicKey, Role, SiteFolder, Time, TokenUri, ZoneName,
};
use sandbox::{Knotd, ServedZone, SignedZone};
use tempfile::TempDir;

/// The zone that all of it is about.
pub const ZONE: &str = "fi.cr";
const SITE: &str = "\
version: 1
tokens:
  cr:
    address: pkcs11:token=cr?module-path=/m.so
    pin: prompt
zones:
  fi.cr: {policy: small-tld, token: cr}
";
const UNSIGNED: &str =
    "$ORIGIN fi.cr.\n$TTL 3600\n@ SOA ns1 h 7 3600 600 604800 300\n@ NS ns1\nns1 A 127.0.0.1\n";

/// The folder of one test.
pub struct Place {
    folder: TempDir,
    count: Cell<usize>,
}

/// What a run of the tool came to.
pub struct Ran {
    /// What it printed on stdout.
    pub out: String,
    /// What it said on stderr.
    pub said: String,
    /// Its exit code.
    pub exit: Option<i32>,
}

impl Place {
    /// A site whose zone has no keys in its records.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("site.yaml"), SITE).unwrap();
        Self {
            folder,
            count: Cell::new(0),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn fresh(&self, name: &str) -> PathBuf {
        self.count.set(self.count.get() + 1);
        self.path(&format!("{name}-{}", self.count.get()))
    }

    /// Signs the zone with new keys.
    pub fn sign(&self) -> SignedZone {
        SignedZone::make(&self.fresh("keys"), ZONE, UNSIGNED).unwrap()
    }

    /// A server of the parent, whose DS records have that TTL.
    pub fn parent(&self, ttl: u32, ds: &[&str]) -> Knotd {
        let mut text = "$ORIGIN cr.\n$TTL 86400\n@ SOA ns h 1 3600 600 604800 900\n@ NS ns\nns A 127.0.0.1\n\
                        fi NS ns1.fi\nns1.fi A 127.0.0.1\n"
            .to_owned();
        for record in ds {
            text.push_str(&record.replace("fi.cr. IN", &format!("fi.cr. {ttl} IN")));
        }
        self.serve("cr", &text)
    }

    /// A server of the zone.
    pub fn child(&self, text: &str) -> Knotd {
        self.serve(ZONE, text)
    }

    fn serve(&self, name: &str, text: &str) -> Knotd {
        Knotd::start(&self.fresh("knotd"), &[ServedZone { name, text }]).unwrap()
    }

    /// Puts keys into the records, each the one of a DNSKEY record.
    pub fn record(&self, keys: &[(&str, KeyState)]) {
        let site = self.site();
        let zone: ZoneName = ZONE.parse().unwrap();
        let mut records = site.keys(&zone).unwrap();
        let now: Time = "2026-01-01T00:00:00Z".parse().unwrap();
        for (number, (dnskey, state)) in keys.iter().enumerate() {
            let id = KeyId::from_random([number as u8 + 1; 16]);
            let words: Vec<_> = dnskey.split_whitespace().collect();
            let at = words.iter().position(|word| *word == "DNSKEY").unwrap();
            let public_key = STANDARD.decode(words[at + 4..].concat()).unwrap();
            // Whatever its state: when it got there does not matter here.
            let times = KeyTimes {
                published: Some(now),
                ready: Some(now),
                submitted: Some(now),
                active: Some(now),
                retired: Some(now),
                dead: Some(now),
                removed: Some(now),
                revoked: Some(now),
                destroyed: Some(now),
                ..KeyTimes::generated(now)
            };
            let key = KeyRecord {
                id,
                role: if words[at + 1] == "257" {
                    Role::Ksk
                } else {
                    Role::Zsk
                },
                public_key: PublicKey::from_dnskey(Algorithm::EcdsaP256Sha256, &public_key).unwrap(),
                reference: KeyReference::Pkcs11("pkcs11:token=cr".parse::<TokenUri>().unwrap().of_key(id)),
                state: *state,
                times,
                backup: Backup {
                    extractability: Extractability::Never,
                    bundles: Vec::new(),
                },
            };
            records.add(key, Change::new(now, Action::Generate, "test", "test"));
        }
        site.write_keys(&records, &site.lock_keys(&zone).unwrap())
            .unwrap();
    }

    fn site(&self) -> SiteFolder {
        SiteFolder::open(self.folder.path()).unwrap()
    }

    /// What is recorded.
    pub fn observations(&self) -> Observations {
        self.site().observations(&ZONE.parse().unwrap()).unwrap()
    }

    /// Runs `observe`, which waits a second for each answer, once.
    pub fn observe(&self, servers: &[String], more: &[&str]) -> Ran {
        let options = ["--zone", ZONE, "--timeout", "1s", "--tries", "1"];
        let servers: Vec<_> = servers.iter().map(String::as_str).collect();
        self.run(&[&["observe"], &options[..], &servers, more].concat(), "")
    }

    /// Runs the tool in the site's folder.
    pub fn run(&self, arguments: &[&str], input: &str) -> Ran {
        let mut child = Command::new(env!("CARGO_BIN_EXE_keyrite-rollover"))
            .args(arguments)
            .args(["--operator", "officer"])
            .current_dir(self.folder.path())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It may end before it has read all.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Ran {
            out: String::from_utf8(output.stdout).unwrap(),
            said: String::from_utf8(output.stderr).unwrap(),
            exit: output.status.code(),
        }
    }
}

/// The options that name these servers.
pub fn servers(parents: &[SocketAddr], children: &[SocketAddr]) -> Vec<String> {
    let option = |option: &'static str, letter: char| {
        move |(number, address): (usize, &SocketAddr)| {
            [
                option.to_owned(),
                format!("{letter}{}.example={address}", number + 1),
            ]
        }
    };
    let parents = parents
        .iter()
        .enumerate()
        .flat_map(option("--parent-server", 'p'));
    let children = children
        .iter()
        .enumerate()
        .flat_map(option("--child-server", 'c'));
    parents.chain(children).collect()
}
