//! What we write, BIND's tools read, and write the same.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use interchange::bind::{KeyFiles, SoftwareFiles, TokenLookup, read_folder, read_key};
use interchange::records::Dnskey;
use interchange::{Event, PrivatePart};
use key_metadata::{Algorithm, KeyId, KeyState, PublicKey, Role, Time};

use super::{NAMES, PACKAGE, bind, told};
use crate::tool::{record, run, zone};

/// Public keys of pairs that BIND makes, one of each algorithm.
fn public_keys(folder: &Path) -> Vec<PublicKey> {
    let key = |algorithm: Algorithm| {
        let stem = bind(
            folder,
            &[
                "dnssec-keygen",
                "-q",
                "-a",
                algorithm.mnemonic(),
                "-b",
                "2048",
                "other.example",
            ],
        );
        read_key(&folder.join(stem.trim()))
            .unwrap()
            .keys
            .remove(0)
            .public_key
    };
    Algorithm::ALL.map(key).to_vec()
}

const STATES: [KeyState; 10] = [
    KeyState::Generated,
    KeyState::PreActive,
    KeyState::Published,
    KeyState::Ready,
    KeyState::Active,
    KeyState::RetireActive,
    KeyState::Retired,
    KeyState::PostActive,
    KeyState::Dead,
    KeyState::Removed,
];

/// The key is in a TPM, so that `.private` says `External:`, which BIND reads to the end.
#[test]
fn settime_takes_what_we_write_and_writes_it_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let keys = public_keys(folder.path());
    for (index, state) in STATES.into_iter().chain([KeyState::Revoked]).enumerate() {
        for role in Role::ALL {
            let folder = folder.path().join(format!("{state}-{role}"));
            let mut record = record(
                KeyId::from_random([7; 16]),
                keys[index % keys.len()].clone(),
                role,
                state,
            );
            record.reference = "tpm2:chip".parse().unwrap();
            let files = KeyFiles::of(
                &zone("example.com"),
                &record,
                Some(3600),
                TokenLookup::Engine,
                None,
            )
            .unwrap();
            let written = files.write(&folder).unwrap();
            let modes: Vec<u32> = written
                .iter()
                .map(|path| fs::metadata(path).unwrap().permissions().mode() & 0o777)
                .collect();
            assert_eq!(modes, [0o600, 0o644, 0o644][..written.len()]);
            let ours: Vec<String> = written
                .iter()
                .map(|path| fs::read_to_string(path).unwrap())
                .collect();
            let stem = files.name.to_string();
            for ((name, value), (_, event)) in told(&folder, &stem).iter().zip(NAMES) {
                assert_eq!(
                    *value,
                    files.private.times.get(event).map(Time::unix_seconds),
                    "{name}"
                );
            }
            // BIND writes all three anew, with one change that it undoes; then they must be what they were, byte by byte.
            for delete in ["20300101000000", "none"] {
                let delete = if delete == "none" {
                    record
                        .times
                        .removed
                        .map_or_else(|| delete.to_owned(), |time| time.unix_seconds().to_string())
                } else {
                    delete.to_owned()
                };
                bind(&folder, &["dnssec-settime", "-s", "-D", &delete, &stem]);
            }
            for (path, ours) in written.iter().zip(&ours) {
                assert_eq!(&fs::read_to_string(path).unwrap(), ours, "{}", path.display());
            }
            let import = read_folder(&folder, &zone("example.com")).unwrap();
            assert!(
                import.lost.is_empty() && import.exposed.is_empty(),
                "{:?}",
                import.lost
            );
            let key = &import.keys[0];
            let told_role = if state == KeyState::Revoked && role == Role::Csk {
                Role::Ksk
            } else {
                role
            };
            assert_eq!(
                (key.role, &key.public_key, &key.times),
                (told_role, &record.public_key, &files.private.times)
            );
            assert!(matches!(key.private, PrivatePart::None));
            // By the states of its records, where the times do not tell.
            let unpublished = [KeyState::PreActive, KeyState::PostActive].contains(&state);
            if unpublished && role.signs_zone() {
                let life = key.life("2026-11-24T00:00:00Z".parse().unwrap());
                assert_eq!(life.state, state);
                assert_eq!(life.times.of(state), record.times.of(state));
            }
        }
    }
}

/// Debian 12's BIND has no way to a token: it is built for OpenSSL 3, and only without engines. It reads the file of an RSA or Ed25519 key to its
/// end, checks that nothing is missing, and then says so; a file without the label it calls invalid. That of an ECDSA key it calls invalid
/// either way, so of those only the public half is checked here.
#[test]
fn settime_reads_a_label_up_to_the_engine_that_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (index, key) in (0..).zip(public_keys(folder)) {
        let record = record(KeyId::from_random([index; 16]), key, Role::Ksk, KeyState::Active);
        let files = KeyFiles::of(
            &zone("example.com"),
            &record,
            None,
            TokenLookup::Engine,
            Some("ksk 2026"),
        )
        .unwrap();
        let written = files.write(folder).unwrap();
        let stem = files.name.to_string();
        let refused = || {
            let out = run(PACKAGE, folder, None, &["dnssec-settime", "-p", "all", &stem]);
            assert!(!out.status.success());
            String::from_utf8_lossy(&out.stderr).into_owned()
        };
        let algorithm = record.algorithm().made().unwrap();
        let says = match algorithm {
            Algorithm::RsaSha256 | Algorithm::RsaSha512 | Algorithm::Ed25519 => "no engine\n",
            Algorithm::EcdsaP256Sha256 | Algorithm::EcdsaP384Sha384 => "private key is invalid\n",
        };
        assert!(refused().ends_with(says), "{algorithm}: {}", refused());
        let text = fs::read_to_string(&written[0]).unwrap();
        let import = read_key(&written[0]).unwrap();
        assert!(import.lost.is_empty(), "{:?}", import.lost);
        let PrivatePart::Token(token) = &import.keys[0].private else {
            panic!("{:?}", import.keys)
        };
        assert_eq!(
            token.to_string(),
            format!(
                "pkcs11:token=cr%20zsk;id={};object=ksk%202026",
                format!("%{index:02x}").repeat(16)
            )
        );
        fs::write(
            &written[0],
            text.lines()
                .filter(|line| !line.starts_with("Label"))
                .map(|line| format!("{line}\n"))
                .collect::<String>(),
        )
        .unwrap();
        assert!(refused().ends_with("private key is invalid\n"), "{}", refused());
    }
}

#[test]
fn a_private_key_is_not_replaced_and_a_pin_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let stem = bind(folder, &["dnssec-keygen", "-q", "-a", "15", "example.com"])
        .trim()
        .to_owned();
    let key = read_key(&folder.join(&stem)).unwrap().keys.remove(0);
    let record = record(
        KeyId::from_random([7; 16]),
        key.public_key,
        Role::Zsk,
        KeyState::Active,
    );
    let files = |object| KeyFiles::of(&zone("example.com"), &record, None, TokenLookup::Provider, object);
    let path = folder.join(format!("{stem}.private"));
    let before = fs::read(&path).unwrap();
    let error = files(None).unwrap().write(folder).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("{} has a private key in it, and is not replaced", path.display())
    );
    assert_eq!(fs::read(&path).unwrap(), before);
    // In a label, a PIN's name is only text; it is escaped, and comes back as text.
    let text = files(Some("a;pin-value=8642")).unwrap().private.render().unwrap();
    assert!(!text.contains("Engine"));
    let folder = folder.join("new");
    let written = files(None).unwrap().write(&folder).unwrap();
    // Once more over our own files.
    assert_eq!(files(None).unwrap().write(&folder).unwrap(), written);
    assert!(files(Some("a\nb")).is_err());
}

/// With the private key in it, of a laboratory: but for the comment with our id, each file is the one that dnssec-keygen wrote.
#[test]
fn a_private_key_is_written_as_keygen_writes_it() {
    let folder = tempfile::tempdir().unwrap();
    let (theirs, ours) = (folder.path(), folder.path().join("ours"));
    for algorithm in Algorithm::ALL {
        let argv = [
            "dnssec-keygen",
            "-q",
            "-a",
            algorithm.mnemonic(),
            "-b",
            "2048",
            "-f",
            "KSK",
        ];
        let argv = [&argv[..], &["-P", "now", "-A", "now", "lab.example"]].concat();
        let stem = bind(theirs, &argv).trim().to_owned();
        let key = read_key(&theirs.join(&stem)).unwrap().keys.remove(0);
        let PrivatePart::Software(secret) = key.private else {
            panic!("{algorithm}: no private key");
        };
        let dnskey = Dnskey {
            zone: key.zone,
            ttl: key.ttl,
            role: key.role,
            revocation: key.revocation,
            public_key: key.public_key,
        };
        let id = KeyId::from_random([7; 16]);
        let made = key.times.get(Event::Generated).unwrap();
        let files = SoftwareFiles::new(dnskey, &secret.secret, id, made);
        assert_eq!(files.name.to_string(), stem);
        files.write(&ours).unwrap();
        let text =
            |folder: &Path, suffix: &str| fs::read_to_string(folder.join(format!("{stem}{suffix}"))).unwrap();
        assert_eq!(text(&ours, ".private"), text(theirs, ".private"));
        let comment = format!("; Keyrite-Id: {id}\n");
        assert_eq!(text(&ours, ".key").replace(&comment, ""), text(theirs, ".key"));
        let mode = fs::metadata(ours.join(format!("{stem}.private")))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, 0o600);
        let again = read_key(&ours.join(&stem)).unwrap();
        assert!(again.lost.is_empty() && again.exposed.is_empty());
    }
}
