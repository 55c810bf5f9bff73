//! docs/recovery-by-hand.md, followed word for word: real bundles are made, their tokens are lost, and the keys come back with stock programs.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod page;
mod site;
mod stranger;

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use keyrite_tests::{Secret, Stack};
use sandbox::{SOFTHSM_MODULE, SoftHsm, Swtpm};
use site::{Key, Left, Site};
use stranger::{Seen, USER_PIN, follow};

/// A token's label that nobody else has.
const TOKEN: &str = "restored";

/// A place for secrets, in memory.
struct Place {
    work: PathBuf,
    softhsm: SoftHsm,
    _memory: tempfile::TempDir,
}

impl Place {
    fn new(left: &Left, name: &str) -> Self {
        let memory = tempfile::Builder::new()
            .prefix("keyrite-")
            .tempdir_in("/dev/shm")
            .unwrap();
        let folder = left.folder().join(name);
        fs::create_dir(&folder).unwrap();
        Self {
            work: memory.path().join("recovery"),
            softhsm: SoftHsm::installed(&folder).unwrap(),
            _memory: memory,
        }
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        vec![(
            "SOFTHSM2_CONF",
            self.softhsm.configuration().display().to_string(),
        )]
    }

    /// The page with what is at hand.
    fn page(&self, left: &Left, people: &[&str], dnskeys: &Path, without: &[&str]) -> String {
        let values = [
            ("BUNDLES", list(&left.bundles())),
            ("SHARES", list(&left.shares(people))),
            ("IDENTITIES", list(&left.identities(people))),
            ("SIGNERS", text(left.archived("allowed_signers").display())),
            ("DNSKEYS", text(dnskeys.display())),
            ("MODULE", SOFTHSM_MODULE.to_owned()),
            ("TOKEN", TOKEN.to_owned()),
            ("WORK", text(self.work.display())),
        ];
        page::script(&values, without)
    }

    /// How many private keys are in the new token.
    fn private_keys(&self) -> usize {
        let said = Command::new("pkcs11-tool")
            .args([
                "--module",
                SOFTHSM_MODULE,
                "--token-label",
                TOKEN,
                "--login",
                "--pin",
                USER_PIN,
            ])
            .args(["--list-objects", "--type", "privkey"])
            .envs(self.environment())
            .output()
            .unwrap();
        let listed = String::from_utf8(said.stdout).unwrap();
        listed
            .lines()
            .filter(|line| line.starts_with("Private Key Object"))
            .count()
    }
}

fn text(value: impl Display) -> String {
    value.to_string()
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(" ")
}

/// Everything succeeded, that many signatures verified, and nothing secret is left.
fn came_back(seen: &Seen, place: &Place, left: &Left, bundles: usize, verified: usize) {
    assert!(seen.succeeded, "{}", seen.screen);
    assert_eq!(seen.count("Verified OK"), verified, "{}", seen.screen);
    assert_eq!(seen.count("payload.age: OK"), bundles, "{}", seen.screen);
    assert!(!place.work.exists(), "{} is still there", place.work.display());
    let secrets = seen.secrets();
    assert_eq!(secrets.len(), bundles);
    for secret in secrets {
        let secret = Secret::new("a bundle", secret.as_bytes()).unwrap();
        secret.search(left.folder(), &|_| false).unwrap();
    }
}

#[test]
fn keys_of_a_pkcs11_token_come_back() {
    const KEYS: [Key; 4] = [
        ("fi.cr", "RSASHA256", Some("2048")),
        ("go.cr", "RSASHA512", Some("4096")),
        ("or.cr", "ECDSAP256SHA256", None),
        ("sa.cr", "ECDSAP384SHA384", None),
    ];
    const OTHER: [&str; 1] = ["8. Into a TPM"];
    let site = Site::new(Stack::SoftHsm);
    site.keys(&KEYS);
    let left = site.lost();

    // One bit of the payload is another one: nobody is asked for a share.
    let place = Place::new(&left, "damaged-place");
    let people = ["ana", "rosa"];
    let page = place.page(&left, &people, &left.archived("dnskeys"), &OTHER);
    let payload = left.bundles()[0].join("payload.age");
    let good = fs::read(&payload).unwrap();
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 1;
    fs::write(&payload, bad).unwrap();
    let seen = follow(&page, left.folder(), &place.environment());
    assert!(
        !seen.succeeded && seen.count("payload.age: FAILED") == 1,
        "{}",
        seen.screen
    );
    assert!(!place.work.join("share-1").exists());
    fs::write(&payload, good).unwrap();

    // By what other zones publish, these are nobody's keys: nothing gets to the token.
    let strange = left.folder().join("strange");
    let dnskeys = fs::read_to_string(left.archived("dnskeys")).unwrap();
    let without_last: Vec<_> = dnskeys
        .lines()
        .filter(|line| !line.starts_with("sa.cr."))
        .collect();
    assert!(without_last.len() < dnskeys.lines().count());
    fs::write(&strange, without_last.join("\n")).unwrap();
    let place = Place::new(&left, "strange-place");
    let seen = follow(
        &place.page(&left, &people, &strange, &OTHER),
        left.folder(),
        &place.environment(),
    );
    assert!(
        !seen.succeeded && seen.count("Verified OK") == 1,
        "{}",
        seen.screen
    );
    assert_eq!(place.private_keys(), 0);

    // Too few shares give no secret.
    let place = Place::new(&left, "poor-place");
    let page = place.page(&left, &["luis"], &left.archived("dnskeys"), &OTHER);
    let seen = follow(&page, left.folder(), &place.environment());
    assert!(
        !seen.succeeded && seen.screen.contains(": 1 of 2 shares"),
        "{}",
        seen.screen
    );
    assert!(seen.secrets().is_empty());

    let place = Place::new(&left, "spare");
    let page = place.page(&left, &people, &left.archived("dnskeys"), &OTHER);
    let seen = follow(&page, left.folder(), &place.environment());
    // The token that signed the manifest, and each key.
    came_back(&seen, &place, &left, 1, 1 + KEYS.len());
    assert_eq!(place.private_keys(), KEYS.len());
}

#[test]
fn keys_of_a_tpm_come_back_in_another_one_and_in_a_pkcs11_token() {
    const KEYS: [Key; 2] = [
        ("fi.cr", "RSASHA256", Some("2048")),
        ("or.cr", "ECDSAP256SHA256", None),
    ];
    let site = Site::new(Stack::Tpm);
    site.recovery_parent();
    site.keys(&KEYS);
    let left = site.lost();
    let place = Place::new(&left, "spare");
    let tpm = Swtpm::start(&left.folder().join("spare-tpm")).unwrap();
    let mut environment = place.environment();
    environment.push(("TPM2TOOLS_TCTI", tpm.tcti().to_owned()));
    let page = place.page(&left, &["ana", "luis"], &left.archived("dnskeys"), &[]);
    let seen = follow(&page, left.folder(), &environment);
    // The TPM's statement on each bundle, and each key in either token.
    came_back(&seen, &place, &left, 2, 2 + 2 * KEYS.len());
    assert_eq!(place.private_keys(), KEYS.len());
    assert_eq!(tpm.leaked_handles().unwrap(), Vec::<String>::new());
}
