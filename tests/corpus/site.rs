//! Sites that share one token, and in it one KSK and one ZSK of each algorithm: RSA keys take long to make.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use key_metadata::{Action, Change, KeyRecord, SiteFolder, ZoneKeys, ZoneName};
use sandbox::{SOFTHSM_MODULE, SoftHsm};
use tempfile::TempDir;

use crate::zones::Zone;

/// Each with the name of the zone for which its keys were made.
pub const ALGORITHMS: [&str; 4] = ["RSASHA256", "ECDSAP256SHA256", "ECDSAP384SHA384", "ED25519"];
/// As policies have them.
pub const DENIALS: [&str; 3] = ["nsec", "nsec3", "nsec3-opt-out"];

/// The token is made when the first test needs it.
#[derive(Default)]
pub struct Corpus(OnceLock<Bench>);

/// The token, and the records of its keys.
pub struct Bench {
    folder: TempDir,
    softhsm: SoftHsm,
    tools: &'static Path,
    keys: BTreeMap<&'static str, Vec<KeyRecord>>,
}

impl Corpus {
    pub fn bench(&self) -> &Bench {
        self.0.get_or_init(Bench::new)
    }
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("keyrite-").tempdir().unwrap();
        let softhsm = SoftHsm::installed(folder.path()).unwrap();
        let mut bench = Self {
            folder,
            softhsm,
            tools: keyrite_tests::tools(),
            keys: BTreeMap::new(),
        };
        let names: Vec<_> = ALGORITHMS
            .map(|algorithm| format!("{}.test", algorithm.to_lowercase()))
            .into();
        let site = bench.write_site("keys", "nsec", names.iter().map(String::as_str));
        bench.must(&site, "keyrite-tpm-init", &["token"]);
        for (algorithm, name) in ALGORITHMS.into_iter().zip(&names) {
            let zone = ["generate", "--zone", name, "--algorithm", algorithm];
            let rest = ["--role", "ksk", "--role", "zsk", "--activate", "--backup", "none"];
            bench.must(&site, "keyrite-keyctl", &[&zone[..], &rest[..]].concat());
            let made = SiteFolder::open(&site)
                .unwrap()
                .keys(&name.parse().unwrap())
                .unwrap();
            bench.keys.insert(algorithm, made.keys().to_vec());
        }
        bench
    }

    /// A folder of its own beside the sites.
    pub fn scratch(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// A site with these zones, their files, and their keys, in a folder of that name.
    pub fn site(&self, folder: &str, algorithm: &str, denial: &str, zones: &[Zone]) -> PathBuf {
        let names = zones.iter().map(|zone| zone.name.as_str());
        let folder = self.write_site(folder, denial, names);
        let site = SiteFolder::open(&folder).unwrap();
        fs::create_dir_all(site.path("zones")).unwrap();
        for zone in zones {
            for (file, text) in &zone.files {
                fs::write(site.path("zones").join(file), text).unwrap();
            }
            self.write_keys(&site, algorithm, &zone.name.parse().unwrap());
        }
        folder
    }

    fn write_site<'a>(&self, name: &str, denial: &str, zones: impl Iterator<Item = &'a str>) -> PathBuf {
        let site = self.scratch(name);
        let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/small-tld.yaml");
        let policy = fs::read_to_string(policy)
            .unwrap()
            .replace("denial: nsec3", &format!("denial: {denial}"));
        fs::create_dir_all(site.join("policies")).unwrap();
        fs::write(site.join("policies/corpus.yaml"), policy).unwrap();
        for pin in ["pin", "pin-so"] {
            fs::write(site.join(pin), "corpus-secret\n").unwrap();
            fs::set_permissions(site.join(pin), fs::Permissions::from_mode(0o600)).unwrap();
        }
        let mut text = format!(
            "version: 1\ntokens:\n  cr:\n    address: pkcs11:token=cr?module-path={SOFTHSM_MODULE}\n    pin: file:pin\n    so-pin: \
             file:pin-so\nzones:\n"
        );
        for zone in zones {
            writeln!(text, "  \"{zone}\": {{policy: corpus, token: cr}}").unwrap();
        }
        fs::write(site.join("site.yaml"), text).unwrap();
        site
    }

    /// The records of the algorithm's keys are those of the zone too.
    fn write_keys(&self, site: &SiteFolder, algorithm: &str, zone: &ZoneName) {
        let mut keys = ZoneKeys::new(zone.clone());
        for record in &self.keys[algorithm] {
            let change = Change {
                at: "2026-11-23T10:00:00Z".parse().unwrap(),
                action: Action::Import,
                tool: "corpus".to_owned(),
                operator: "corpus".to_owned(),
                reason: None,
                overrides: Vec::new(),
                ceremony: None,
            };
            keys.add(record.clone(), change);
        }
        let lock = site.lock_keys(zone).unwrap();
        site.write_keys(&keys, &lock).unwrap();
    }

    /// The DNSKEY record of an algorithm's KSK at a zone, as a line.
    pub fn ksk(&self, algorithm: &str, zone: &ZoneName) -> String {
        let ksk = self.keys[algorithm]
            .iter()
            .find(|key| key.signs_dnskey())
            .unwrap();
        dnssec::KeyRecords::new(zone, ksk).unwrap().dnskey(3600)
    }

    /// Runs a tool of the suite in a site.
    pub fn run(&self, site: &Path, tool: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.tools.join(tool));
        command.current_dir(site).args(arguments).env_clear();
        command.env("SOFTHSM2_CONF", self.softhsm.configuration());
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// The same; it must end well. What it said.
    pub fn must(&self, site: &Path, tool: &str, arguments: &[&str]) -> Output {
        let output = self.run(site, tool, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{tool} {arguments:?}: {said}");
        output
    }
}
