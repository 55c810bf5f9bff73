//! What `keyrite-keyctl` makes of keys that the whole world knows, and of many keys at once.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use key_metadata::step::Step;
use key_metadata::{
    Action, Algorithm, Backup, Change, Extractability, KeyId, KeyRecord, KeyReference, KeyState, KeyTimes,
    PublicKey, Role, SiteFolder, Time, TokenUri, ZoneKeys, ZoneName,
};

/// The root's KSK-2017 and KSK-2024 as they are in its DNSKEY RRset, and what IANA's root-anchors.xml says of them: since when, tag, digest.
const ROOT: [(&str, &str, &str, &str); 2] = [
    (
        "2017-02-02T00:00:00Z",
        "20326",
        "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
        "AwEAAaz/tAm8yTn4Mfeh5eyI96WSVexTBAvkMgJzkKTOiW1vkIbzxeF3+/4RgWOq7HrxRixHlFlExOLAJr5emLvN7SWXgnLh4+B5xQlNVz8Og8kvArMtNROxVQuCaSnI\
         DdD5LKyWbRd2n9WGe2R8PzgCmr3EgVLrjyBxWezF0jLHwVN8efS3rCj/EWgvIWgb9tarpVUDK/b58Da+sqqls3eNbuv7pr+eoZG+SrDK6nWeL3c6H5Apxz7LjVc1uTId\
         sIXxuOLYA4/ilBmSVIzuDWfdRUfhHdY6+cn8HFRm+2hM8AnXGXws9555KrUB5qihylGa8subX2Nn6UwNR1AkUTV74bU=",
    ),
    (
        "2024-07-18T00:00:00Z",
        "38696",
        "683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
        "AwEAAa96jeuknZlaeSrvyAJj6ZHv28hhOKkx3rLGXVaC6rXTsDc449/cidltpkyGwCJNnOAlFNKF2jBosZBU5eeHspaQWOmOElZsjICMQMC3aeHbGiShvZsx4wMYSjH8\
         e7Vrhbu6irwCzVBApESjbUdpWWmEnhathWu1jo+siFUiRAAxm9qyJNg/wOZqqzL/dL/q8PkcRU5oUKEpUge71M3ej2/7CPqpdVwuMoTvoB+ZOT4YeGyxMvHmbrxlFzGO\
         HOijtzN+u1TQNatX2XBuzZNQ1K+s2CXkPIZo7s6JgZyvaBevYtxPvYLw4z9mR7K2vaF18UYH9Z9GNUUeayffKC73PYc=",
    ),
];

/// When the first of the root's keys is told to be revoked in these tests, to see that it is still known by the tag that it had before.
const REVOKED: &str = "2027-01-11T00:00:00Z";

#[test]
fn the_roots_trust_anchors_are_those_that_iana_publishes() {
    let folder = tempfile::tempdir().unwrap();
    let mut keys = ZoneKeys::new(".".parse().unwrap());
    for (number, (since, .., public_key)) in ROOT.into_iter().enumerate() {
        let mut key = key(number, since.parse().unwrap(), public_key);
        if number == 0 {
            key.state = KeyState::Revoked;
            key.times.revoked = Some(REVOKED.parse().unwrap());
        }
        keys.add(key, change());
    }
    write(folder.path(), &[keys]);
    let source = "https://data.iana.org/root-anchors/root-anchors.xml";
    let xml = must(folder.path(), &["trust-anchor", "--source", source]);
    let file = folder.path().join("anchors.xml");
    fs::write(&file, &xml).unwrap();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/trust-anchor.rng");
    let schema = schema.display().to_string();
    assert_eq!(xmllint(&file, &["--noout", "--relaxng", &schema]), "");
    for (at, (since, tag, digest, public_key)) in ROOT.into_iter().enumerate() {
        let text = |what: &str| {
            let path = format!("string(/TrustAnchor/KeyDigest[{}]/{what})", at + 1);
            xmllint(&file, &["--xpath", &path]).trim_end().to_owned()
        };
        assert_eq!(text("KeyTag"), tag);
        assert_eq!(text("Algorithm"), "8");
        assert_eq!(text("DigestType"), "2");
        assert_eq!(text("Digest"), digest);
        assert_eq!(text("PublicKey"), public_key);
        assert_eq!(text("Flags"), "257");
        assert_eq!(text("@validFrom"), since.replace('Z', "+00:00"));
        let until = if at == 0 {
            REVOKED.replace('Z', "+00:00")
        } else {
            String::new()
        };
        assert_eq!(text("@validUntil"), until);
    }
    assert_eq!(
        xmllint(&file, &["--xpath", "string(/TrustAnchor/Zone)"]).trim_end(),
        "."
    );
    assert_eq!(
        must(folder.path(), &["trust-anchor", "--source", source]),
        xml,
        "other bytes"
    );
    let bind = must(folder.path(), &["trust-anchor", "--format", "bind"]);
    let (_, tag, digest, _) = ROOT[1];
    assert_eq!(
        bind,
        format!("trust-anchors {{\n    \".\" static-ds {tag} 8 2 \"{digest}\";\n}};\n")
    );
}

/// A list that is written piece by piece is one JSON document; and whoever reads only its beginning is not told of an error.
#[test]
fn a_long_list_is_one_document_and_ends_quietly_when_its_reader_does() {
    const ZONES: usize = 500;
    let folder = tempfile::tempdir().unwrap();
    let (since, .., public_key) = ROOT[0];
    let zones: Vec<_> = (0..ZONES)
        .map(|number| {
            let mut keys = ZoneKeys::new(format!("z{number}.example").parse().unwrap());
            keys.add(key(number, since.parse().unwrap(), public_key), change());
            keys
        })
        .collect();
    write(folder.path(), &zones);
    for (verb, list) in [("list", "keys"), ("dnskey", "records"), ("cds", "records")] {
        let json = must(folder.path(), &[verb, "--json"]);
        let report: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(report["version"], 1);
        let items = report[list].as_array().unwrap();
        let of_one = items.iter().filter(|item| item["zone"] == "z7.example").count();
        assert_eq!((of_one > 0, items.len()), (true, ZONES * of_one), "{verb}");
    }
    for words in [&["list"][..], &["list", "--json"], &["ds"], &["ds", "--json"]] {
        let mut child = keyctl(folder.path(), words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let Output { status, stderr, .. } = child.wait_with_output().unwrap();
        assert_eq!(
            (status.code(), String::from_utf8(stderr).unwrap()),
            (Some(0), String::new()),
            "{words:?}"
        );
    }
}

/// A site of those zones, whose keys are in a token that nobody asks.
fn write(folder: &Path, zones: &[ZoneKeys]) {
    let token = "  cr: {address: 'pkcs11:token=cr?module-path=/usr/lib/softhsm/libsofthsm2.so'}\n";
    let line = |keys: &ZoneKeys| format!("  {}: {{policy: small-tld, token: cr}}\n", quoted(keys.zone()));
    let lines: String = zones.iter().map(line).collect();
    fs::write(
        folder.join("site.yaml"),
        format!("version: 1\ntokens:\n{token}zones:\n{lines}"),
    )
    .unwrap();
    let site = SiteFolder::open(folder).unwrap();
    for keys in zones {
        let lock = site.lock_keys(keys.zone()).unwrap();
        site.write_keys(keys, &lock).unwrap();
    }
}

fn quoted(zone: &ZoneName) -> String {
    format!("'{zone}'")
}

/// A KSK of that base64 in a DNSKEY record, active.
fn key(number: usize, since: Time, public_key: &str) -> KeyRecord {
    let id = KeyId::from_random((number as u128 + 1).to_be_bytes());
    let bytes = STANDARD.decode(public_key).unwrap();
    let mut key = KeyRecord {
        id,
        role: Role::Ksk,
        public_key: PublicKey::from_dnskey(Algorithm::RsaSha256, &bytes).unwrap(),
        reference: KeyReference::Pkcs11("pkcs11:token=cr".parse::<TokenUri>().unwrap().of_key(id)),
        state: KeyState::Generated,
        times: KeyTimes::generated(since),
        backup: Backup::none(Extractability::Never),
    };
    key.take(Step::Activate, since);
    key
}

fn change() -> Change {
    Change::new(
        "2026-11-23T10:00:00Z".parse().unwrap(),
        Action::Import,
        "keyrite-tests",
        "uid 0",
    )
}

fn keyctl(site: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyrite-keyctl"));
    command
        .args(words)
        .arg("--site")
        .arg(site)
        .env_clear()
        .stdin(Stdio::null());
    command
}

/// What keyctl prints.
fn must(site: &Path, words: &[&str]) -> String {
    text(keyctl(site, words).output().unwrap())
}

fn xmllint(file: &Path, options: &[&str]) -> String {
    let output = Command::new("xmllint").args(options).arg(file).output();
    text(output.expect("xmllint of Debian's libxml2-utils"))
}

fn text(output: Output) -> String {
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}
