//! knot: keymgr, with a keystore on a SoftHSM token.

use std::fs;
use std::path::{Path, PathBuf};

use interchange::knot::{Custody, Listing, import, import_bind, import_pkcs11, import_public};
use interchange::{Event, Import, PrivatePart, records};
use key_metadata::{Algorithm, KeyState, Role, Time, ZoneName};
use sandbox::SOFTHSM_MODULE;

use crate::tool::{PIN, Token, record, succeed, time, zone};

const PACKAGE: &str = "knot";

struct Knot {
    folder: PathBuf,
    token: Token,
}

impl Knot {
    fn new(folder: &Path) -> Self {
        let folder = fs::canonicalize(folder).unwrap();
        let shown = folder.display();
        let user = String::from_utf8(
            std::process::Command::new("id")
                .arg("-un")
                .output()
                .unwrap()
                .stdout,
        )
        .unwrap();
        let user = user.trim();
        let zones = ["example.com", "plain.example"].map(|zone| {
            let policy = if zone.starts_with("plain") {
                "plain"
            } else {
                "token"
            };
            format!("  - domain: {zone}\n    dnssec-signing: on\n    dnssec-policy: {policy}\n")
        });
        let text = format!(
            "server:\n  rundir: \"{shown}\"\n  user: {user}\ndatabase:\n  storage: \"{shown}\"\nkeystore:\n\
             \x20 - id: token\n    backend: pkcs11\n    config: \"pkcs11:token=cr%20zsk;pin-value={PIN} {SOFTHSM_MODULE}\"\n\
             \x20 - id: plain\n    backend: pem\n    config: \"{shown}/pem\"\n\
             policy:\n  - id: token\n    keystore: token\n    manual: on\n  - id: plain\n    keystore: plain\n    manual: on\nzone:\n{}",
            zones.concat()
        );
        fs::write(folder.join("knot.conf"), text).unwrap();
        Self {
            token: Token::new(&folder),
            folder,
        }
    }

    fn configuration(&self) -> PathBuf {
        self.folder.join("knot.conf")
    }

    fn run(&self, argv: &[&str]) -> String {
        succeed(PACKAGE, &self.folder, Some(&self.token.configuration), argv)
    }

    /// Runs a command of ours by a shell, as its line says.
    fn obey(&self, command: &interchange::Command) {
        let line = command.to_string();
        let told = self.run(&["sh", "-c", &line]);
        assert!(told.ends_with("OK\n"), "{line}: {told}");
    }

    /// What `keymgr` lists, with the record of each key.
    fn import(&self, zone: &ZoneName) -> Import {
        let list = |format: &[&str]| {
            let argv = [
                &["keymgr", "-c", "knot.conf", "-j", zone.as_str(), "list"],
                format,
            ]
            .concat();
            Listing::parse(Path::new("list"), &self.run(&argv)).unwrap()
        };
        let listing = list(&[]);
        assert_eq!(list(&["iso"]).keys, listing.keys, "the two formats of times");
        let mut known = Vec::new();
        for key in &listing.keys {
            let text = self.run(&[
                "keymgr",
                "-c",
                "knot.conf",
                zone.as_str(),
                "dnskey",
                &key.tag.to_string(),
            ]);
            known.extend(records::read(Path::new("dnskey"), &text).unwrap().0);
            let text = self.run(&[
                "keymgr",
                "-c",
                "knot.conf",
                zone.as_str(),
                "ds",
                &key.tag.to_string(),
            ]);
            let (_, lost) =
                records::read(Path::new("ds"), &format!("{}\n{text}", known.last().unwrap())).unwrap();
            assert_eq!(lost.len(), 2, "both DS, checked");
        }
        import(listing, &known).unwrap()
    }
}

#[test]
fn a_token_key_goes_to_keymgr_and_comes_back_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let knot = Knot::new(folder.path());
    let zone = zone("example.com");
    let states = [
        (KeyState::Generated, Role::Zsk, Algorithm::EcdsaP256Sha256),
        (KeyState::Published, Role::Ksk, Algorithm::EcdsaP256Sha256),
        (KeyState::Ready, Role::Csk, Algorithm::EcdsaP384Sha384),
        (KeyState::Active, Role::Ksk, Algorithm::RsaSha256),
        (KeyState::Retired, Role::Zsk, Algorithm::RsaSha512),
        (KeyState::Dead, Role::Zsk, Algorithm::Ed25519),
        (KeyState::Removed, Role::Ksk, Algorithm::Ed25519),
        (KeyState::Revoked, Role::Ksk, Algorithm::EcdsaP256Sha256),
        (KeyState::PreActive, Role::Zsk, Algorithm::EcdsaP384Sha384),
        (KeyState::PreActive, Role::Csk, Algorithm::Ed25519),
        (KeyState::RetireActive, Role::Csk, Algorithm::RsaSha256),
        (KeyState::PostActive, Role::Zsk, Algorithm::RsaSha256),
        (KeyState::PostActive, Role::Csk, Algorithm::RsaSha512),
    ];
    let mut all = Vec::new();
    for (last, (state, role, algorithm)) in (1..).zip(states) {
        let (id, public_key) = knot.token.generate(last, algorithm);
        let record = record(id, public_key, role, state);
        let command = import_pkcs11(&zone, &record, Some(&knot.configuration())).unwrap();
        assert_eq!(
            command.lost.is_empty(),
            record.times.dead.is_none() && record.times.submitted.is_none()
        );
        assert!(!command.to_string().contains(PIN));
        knot.obey(&command);
        all.push(record);
    }
    let import = knot.import(&zone);
    assert!(import.lost.is_empty(), "{:?}", import.lost);
    assert_eq!(import.keys.len(), all.len());
    for record in &all {
        let key = import
            .keys
            .iter()
            .find(|key| key.public_key == record.public_key)
            .unwrap();
        assert_eq!(
            (key.role, key.public_key.key_tag(key.role)),
            (record.role, record.key_tag())
        );
        assert!(
            matches!(&key.private, PrivatePart::Keystore { id, repository: None } if id == record.id.as_bytes())
        );
        let times = &record.times;
        let expected = [
            (Event::PreActive, times.pre_active),
            (Event::Published, times.published),
            (Event::Ready, times.ready),
            (Event::Active, times.active),
            (Event::RetireActive, times.retire_active),
            (Event::Retired, times.retired),
            (Event::PostActive, times.post_active),
            (Event::Revoked, times.revoked),
            (Event::Removed, times.removed),
        ];
        for (event, time) in expected {
            assert_eq!(
                key.times.get(event),
                time,
                "{event:?} of a key that is {}",
                record.state
            );
        }
        // When it was made is told by Knot 3.4 only.
        assert!(
            key.times
                .get(Event::Generated)
                .is_none_or(|time| time == times.generated)
        );
        let now = time("2026-11-24T00:00:00Z");
        let state = if record.state == KeyState::Dead {
            KeyState::Retired
        } else {
            record.state
        };
        let life = key.life(now);
        assert_eq!(life.state, state);
        assert!(life.lost.is_empty(), "{:?}", life.lost);
        let ours = [times.pre_active, times.retire_active, times.post_active];
        assert_eq!(
            [
                life.times.pre_active,
                life.times.retire_active,
                life.times.post_active
            ],
            ours
        );
        // Before anything happened, all of it is a plan.
        let life = key.life(time("2026-11-23T00:30:00Z"));
        assert_eq!(
            (life.state, life.lost.len()),
            (KeyState::Generated, key.times.iter().count())
        );
    }
}

#[test]
fn bind_files_go_to_keymgr_by_the_commands_too() {
    let folder = tempfile::tempdir().unwrap();
    let knot = Knot::new(folder.path());
    let zone = zone("plain.example");
    let make = |argv: &[&str]| {
        let stem = succeed(
            "bind9-utils",
            &knot.folder,
            None,
            &[
                &[
                    "dnssec-keygen",
                    "-q",
                    "-a",
                    "13",
                    "-P",
                    "20261123010000",
                    "-A",
                    "20261123020000",
                ],
                argv,
                &["plain.example"],
            ]
            .concat(),
        );
        knot.folder.join(format!("{}.key", stem.trim()))
    };
    let (with_private, public) = (make(&[]), make(&["-f", "KSK"]));
    let configuration = knot.configuration();
    knot.obey(&import_bind(&zone, &with_private, Some(&configuration)).unwrap());
    knot.obey(&import_public(&zone, &public, Some(&configuration)).unwrap());
    let ours = |path: &Path| interchange::bind::read_key(path).unwrap().keys.remove(0);
    let import = knot.import(&zone);
    let of = |path| {
        import
            .keys
            .iter()
            .find(|key| key.public_key == ours(path).public_key)
            .unwrap()
    };
    assert!(matches!(of(&with_private).private, PrivatePart::Keystore { .. }));
    assert_eq!(
        of(&with_private).times.get(Event::Active).map(Time::unix_seconds),
        ours(&with_private)
            .times
            .get(Event::Active)
            .map(Time::unix_seconds)
    );
    assert!(matches!(of(&public).private, PrivatePart::None) && of(&public).role == Role::Ksk);
    let listed = Listing::parse(
        Path::new("list"),
        &knot.run(&["keymgr", "-c", "knot.conf", "-j", "plain.example", "list"]),
    )
    .unwrap();
    assert_eq!(
        listed
            .keys
            .iter()
            .filter(|key| key.custody == Custody::PublicOnly)
            .count(),
        1
    );
}

#[test]
fn a_list_that_is_wrong_or_incomplete_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let knot = Knot::new(folder.path());
    let zone = zone("example.com");
    let (id, public_key) = knot.token.generate(1, Algorithm::EcdsaP256Sha256);
    let record = record(id, public_key, Role::Ksk, KeyState::Active);
    knot.obey(&import_pkcs11(&zone, &record, Some(&knot.configuration())).unwrap());
    let list = |format: &[&str]| {
        knot.run(
            &[
                &["keymgr", "-c", "knot.conf", "-j", "example.com", "list"],
                format,
            ]
            .concat(),
        )
    };
    let text = list(&[]);
    let read = |text: &str| Listing::parse(Path::new("list"), text);
    let error = import(read(&text).unwrap(), &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "no DNSKEY record of zone example.com has algorithm 13 and key tag {}",
            record.key_tag()
        )
    );
    assert!(
        key_metadata::Advice::hint(&error)
            .unwrap()
            .contains("keymgr example.com dnskey")
    );
    let dnskey = knot.run(&["keymgr", "-c", "knot.conf", "example.com", "dnskey"]);
    let (known, _) = records::read(Path::new("dnskey"), &dnskey).unwrap();
    let error = import(read(&text.replace("256", "384")).unwrap(), &known)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("size of key") && error.contains("by its DNSKEY record it is 256"),
        "{error}"
    );
    let lost = read(&text.replace("\"tag\"", "\"colour\": \"red\", \"tag\""))
        .unwrap()
        .lost;
    assert_eq!(lost.len(), 1);
    assert!(
        lost[0].to_string().starts_with("list, [0].colour: "),
        "{}",
        lost[0]
    );
    for (wrong, says) in [
        (list(&["human"]), "[0].p"),
        (text.replace("\"ksk\": true", "\"ksk\": false"), "[0].ksk"),
        (text.replace("\"tag\": ", "\"tag\": 99999"), "[0].tag"),
        (
            text.replace("\"algorithm\": 13", "\"algorithm\": 99"),
            "[0].algorithm",
        ),
        (text.replace("\"id\": \"", "\"id\": \"x"), "[0].id"),
        (text.replace("\"ksk\": true,", ""), "[0]"),
        (
            text.replace("\"ksk\": true,", "\"ksk\": true, \"ksk\": true,"),
            "[0]",
        ),
        (text.replace("]", "] x"), "the text"),
        (text[..text.len() / 2].to_owned(), "[0]"),
        (String::new(), "the text"),
    ] {
        let error = read(&wrong).unwrap_err().to_string();
        assert!(error.contains(says), "{says}: {error}");
    }
}
