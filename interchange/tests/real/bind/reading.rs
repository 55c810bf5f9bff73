//! What BIND's tools write, we read whole, and refuse when it was mixed up.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use interchange::bind::{read_folder, read_key};
use interchange::{Event, PrivatePart, Reason, RecordState, Revocation};
use key_metadata::{Algorithm, KeyState, Role, SoftwareSecret, Time};

use super::{NAMES, bind, told};
use crate::tool::{time, zone};

#[test]
fn all_that_keygen_writes_is_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir(folder.join("keys")).unwrap();
    for algorithm in Algorithm::ALL {
        let name = algorithm.to_string();
        let size: &[&str] = match algorithm {
            Algorithm::RsaSha256 | Algorithm::RsaSha512 => &["-b", "2048"],
            Algorithm::EcdsaP256Sha256 | Algorithm::EcdsaP384Sha384 | Algorithm::Ed25519 => &[],
        };
        let kinds: [&[&str]; 2] = [
            &["-P", "now", "-A", "+1d", "-I", "+30d", "-D", "+40d"],
            &[
                "-f", "KSK", "-L", "3600", "-P", "now", "-P", "sync", "+2d", "-A", "now", "-I", "+100d",
                "-R", "+110d", "-D", "+150d", "-D", "sync", "+120d",
            ],
        ];
        for kind in kinds {
            let argv = [
                &["dnssec-keygen", "-q", "-K", "keys", "-a", &name],
                size,
                kind,
                &["Example.com"],
            ]
            .concat();
            let stem = bind(folder, &argv).trim().to_owned();
            let states = [
                "-s",
                "-g",
                "omnipresent",
                "-k",
                "rumoured",
                "now",
                "-z",
                "unretentive",
                "+1d",
                "-d",
                "hidden",
                "now",
                "-r",
                "omnipresent",
                "now",
                "-P",
                "ds",
                "+3d",
                "-D",
                "ds",
                "+4d",
            ];
            bind(
                folder,
                &[&["dnssec-settime", "-K", "keys"], &states[..], &[&stem]].concat(),
            );
        }
    }
    let import = read_folder(&folder.join("keys"), &zone("example.com")).unwrap();
    assert_eq!(import.keys.len(), 10);
    assert!(import.lost.is_empty(), "{:?}", import.lost);
    assert!(import.exposed.is_empty(), "{:?}", import.exposed);
    for key in &import.keys {
        let ksk = key.role == Role::Ksk;
        assert_eq!(key.ttl, ksk.then_some(3600));
        let stem = key.source.with_extension("");
        for ((name, value), (expected, event)) in told(folder, stem.to_str().unwrap()).iter().zip(NAMES) {
            assert_eq!(
                (name.as_str(), *value),
                (expected, key.times.get(event).map(Time::unix_seconds))
            );
        }
        assert_eq!(key.times.iter().count(), if ksk { 10 } else { 7 });
        let records = &key.records;
        let told = [
            records.goal,
            records.dnskey.state,
            records.zone_signatures.state,
            records.ds.state,
            records.key_signatures.state,
        ];
        assert_eq!(
            told.map(Option::unwrap),
            [
                RecordState::Omnipresent,
                RecordState::Rumoured,
                RecordState::Unretentive,
                RecordState::Hidden,
                RecordState::Omnipresent
            ]
        );
        assert!(records.zone_signatures.since > records.dnskey.since);
        let PrivatePart::Software(software) = &key.private else {
            panic!("{key:?}")
        };
        assert_eq!(software.public_key, key.public_key);
        match &software.secret {
            SoftwareSecret::Rsa(rsa) => {
                assert!((126..=128).contains(&rsa.prime1.len()) && rsa.private_exponent.len() > 250)
            }
            SoftwareSecret::Scalar(scalar) => {
                assert_eq!(scalar.len(), usize::from(key.public_key.bits()) / 8)
            }
        }
    }
}

#[test]
fn names_policies_and_revoked_keys_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let policy = "dnssec-policy p { keys { ksk lifetime P1Y algorithm 13; zsk lifetime P30D algorithm 13; csk lifetime unlimited algorithm 15; }; };";
    fs::write(folder.join("kasp.conf"), policy).unwrap();
    for name in [".", "0/25.2.0.192.in-addr.arpa", "_a.example"] {
        bind(
            folder,
            &["dnssec-keygen", "-q", "-k", "p", "-l", "kasp.conf", name],
        );
        let import = read_folder(folder, &zone(name)).unwrap();
        let mut roles: Vec<Role> = import.keys.iter().map(|key| key.role).collect();
        roles.sort();
        assert_eq!(roles, Role::ALL, "{name}: one of each");
        assert!(import.lost.is_empty(), "{:?}", import.lost);
        let lifetimes: Vec<_> = Role::ALL
            .iter()
            .map(|role| import.keys.iter().find(|key| key.role == *role).unwrap().lifetime)
            .collect();
        assert_eq!(lifetimes, [Some(31_536_000), Some(2_592_000), Some(0)]);
    }
    let stem = bind(
        folder,
        &["dnssec-keygen", "-q", "-a", "15", "-f", "KSK", "example"],
    )
    .trim()
    .to_owned();
    let before = read_key(&folder.join(&stem)).unwrap().keys.remove(0);
    let revoked = bind(folder, &["dnssec-revoke", "-r", &stem])
        .trim()
        .trim_start_matches("./")
        .to_owned();
    let after = read_key(&folder.join(format!("{revoked}.key")))
        .unwrap()
        .keys
        .remove(0);
    assert_eq!(
        (after.revocation, after.key_tag()),
        (Revocation::Revoked, before.public_key.revoked_key_tag(Role::Ksk))
    );
    assert_eq!(
        after.life(after.times.get(Event::Revoked).unwrap()).state,
        KeyState::Revoked
    );
    // ED448 is read, and its private key is not taken.
    let stem = bind(folder, &["dnssec-keygen", "-q", "-a", "ED448", "ed448.example"])
        .trim()
        .to_owned();
    let import = read_key(&folder.join(stem)).unwrap();
    assert_eq!(
        import.lost.iter().map(|lost| lost.why).collect::<Vec<_>>(),
        [Reason::NoSuchPrivateKey]
    );
    assert!(matches!(import.keys[0].private, PrivatePart::None));
}

#[test]
fn files_that_contradict_each_other_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for algorithm in ["8", "13", "14", "15"] {
        let make = || {
            let stem = bind(
                folder,
                &[
                    "dnssec-keygen",
                    "-q",
                    "-a",
                    algorithm,
                    "-b",
                    "2048",
                    "example.com",
                ],
            )
            .trim()
            .to_owned();
            bind(folder, &["dnssec-settime", "-s", "-P", "now", &stem]);
            folder.join(stem)
        };
        let (one, other) = (make(), make());
        let path =
            |stem: &Path, suffix: &str| std::path::PathBuf::from(format!("{}{suffix}", stem.display()));
        let with = |change: &dyn Fn(), stem: &Path| {
            change();
            let error = read_key(stem).unwrap_err();
            format!(
                "{error}: {}",
                std::error::Error::source(&error).map_or_else(String::new, ToString::to_string)
            )
        };
        let copy = |suffix| {
            fs::copy(path(&other, suffix), path(&one, suffix)).unwrap();
        };
        let keep = |suffix| fs::read(path(&one, suffix)).unwrap();
        let private = keep(".private");
        let says = with(&|| copy(".private"), &one);
        assert!(
            says.contains("is the private key of another key than the DNSKEY record's"),
            "{says}"
        );
        fs::write(path(&one, ".private"), private).unwrap();
        let key = keep(".key");
        let says = with(&|| copy(".key"), &one);
        assert!(says.contains("the key tag in the file's name is '"), "{says}");
        fs::write(path(&one, ".key"), key).unwrap();
        let state = String::from_utf8(keep(".state")).unwrap();
        for (field, wrong) in [
            ("Algorithm", "Algorithm: 16"),
            ("Length", "Length: 1024"),
            ("DNSKEYState", "DNSKEYState: seen"),
            ("KSK", "KSK: yes"),
        ] {
            let changed: String = state
                .lines()
                .filter(|line| !line.starts_with(field))
                .chain([wrong])
                .map(|line| format!("{line}\n"))
                .collect();
            let says = with(&|| fs::write(path(&one, ".state"), &changed).unwrap(), &one);
            assert!(says.contains(&format!(", {field}")), "{wrong}: {says}");
        }
        fs::write(path(&one, ".state"), state).unwrap();
        fs::set_permissions(path(&one, ".private"), fs::Permissions::from_mode(0o640)).unwrap();
        let import = read_key(&one).unwrap();
        assert_eq!((import.exposed.len(), import.exposed[0].mode), (1, 0o640));
        fs::remove_file(path(&one, ".key")).unwrap();
        let error = read_key(&one).unwrap_err().to_string();
        assert!(error.ends_with(".key, the public key is missing"), "{error}");
        fs::remove_file(path(&one, ".private")).unwrap();
        fs::remove_file(path(&one, ".state")).unwrap();
    }
}

#[test]
fn a_time_that_differs_is_overruled_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let stem = bind(
        folder,
        &[
            "dnssec-keygen",
            "-q",
            "-a",
            "15",
            "-A",
            "20300101000000",
            "example.com",
        ],
    )
    .trim()
    .to_owned();
    bind(folder, &["dnssec-settime", "-s", "-A", "20310101000000", &stem]);
    // Without -s, .state stays behind; named goes by it.
    bind(folder, &["dnssec-settime", "-A", "20320101000000", &stem]);
    let import = read_key(&folder.join(&stem)).unwrap();
    assert_eq!(
        import.keys[0].times.get(Event::Active),
        Some(time("2031-01-01T00:00:00Z"))
    );
    let lost: Vec<String> = import.lost.iter().map(ToString::to_string).collect();
    assert_eq!(lost.len(), 2, "{lost:?}");
    assert!(
        lost[0].contains(".key, line 4, Activate: '2032-01-01T00:00:00Z' is not kept: another file"),
        "{}",
        lost[0]
    );
    // A record of ours has no place for what is to come.
    let now = time("2026-11-23T00:00:00Z");
    let life = import.keys[0].life(now);
    assert_eq!(life.state, KeyState::Generated);
    assert!(
        life.lost
            .iter()
            .any(|lost| lost.field == "active" && lost.why == Reason::Planned)
    );
}
