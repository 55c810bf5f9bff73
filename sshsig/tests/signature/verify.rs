//! Signatures that ssh-keygen made, and what becomes of them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sshsig::{ArmourError, VerifyError};

use crate::desk::{Case, Desk, KINDS, NAMESPACE, NOW};

const MESSAGE: &[u8] = b"keyrite.nic.example/cr/2026-q4\n142\nAAAA\n";

#[test]
fn every_kind_of_key_verifies_and_every_difference_is_seen() {
    let desk = Desk::new();
    let other = desk.key("other", KINDS[0]);
    for (number, kind) in KINDS.into_iter().enumerate() {
        let name = format!("key-{number}");
        let key = desk.key(&name, kind);
        let allowed = format!("# who\n\nada,eve {key} comment\nbob {other}\n");
        let signature = desk.sign(&name, NAMESPACE, "sha512", MESSAGE);
        let case = Case {
            allowed: &allowed,
            principal: "ada",
            namespace: NAMESPACE,
            at: NOW,
            signature: &signature,
            message: MESSAGE,
        };
        let verified = desk.verify(&case).good();
        assert_eq!(verified.line, 3);
        assert_eq!(verified.key_type, key.split(' ').next().unwrap());
        assert_eq!(verified.security_key, None);
        let listed = std::process::Command::new("/usr/bin/ssh-keygen")
            .arg("-lf")
            .arg(desk.file(&name))
            .output();
        let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
        assert!(listed.contains(&verified.fingerprint), "{listed}");

        let wrong = desk
            .verify(&Case {
                message: &MESSAGE[1..],
                ..case
            })
            .bad();
        assert!(matches!(wrong, VerifyError::Wrong { .. }), "{wrong}");
        let wrong = desk
            .verify(&Case {
                namespace: "file",
                ..case
            })
            .bad();
        assert!(matches!(wrong, VerifyError::Namespace { .. }), "{wrong}");
        let wrong = desk
            .verify(&Case {
                principal: "bob",
                ..case
            })
            .bad();
        assert!(matches!(wrong, VerifyError::WrongKey { .. }), "{wrong}");
        let wrong = desk
            .verify(&Case {
                principal: "carl",
                ..case
            })
            .bad();
        assert!(matches!(wrong, VerifyError::UnknownPrincipal { .. }), "{wrong}");
        desk.verify(&Case {
            principal: "eve",
            ..case
        })
        .good();

        let signature = desk.sign(&name, NAMESPACE, "sha256", MESSAGE);
        let wrong = desk
            .verify(&Case {
                signature: &signature,
                ..case
            })
            .stricter();
        assert!(matches!(wrong, VerifyError::Hash { .. }), "{wrong}");
    }
}

#[test]
fn a_key_signs_in_its_time_and_for_its_namespaces() {
    let desk = Desk::new();
    let key = desk.key("key", KINDS[0]);
    let signature = desk.sign("key", NAMESPACE, "sha512", MESSAGE);
    let verify = |options: &str, at: &str| {
        desk.verify(&Case {
            allowed: &format!("ada {options} {key}\n"),
            principal: "ada",
            namespace: NAMESPACE,
            at,
            signature: &signature,
            message: MESSAGE,
        })
    };
    let until = "valid-after=\"20261123100730Z\",valid-before=\"20261123100732Z\"";
    for (at, valid) in [
        ("2026-11-23T10:07:29Z", false),
        ("2026-11-23T10:07:30Z", true),
        ("2026-11-23T10:07:32Z", true),
        ("2026-11-23T10:07:33Z", false),
    ] {
        if valid {
            verify(until, at).good();
        } else {
            let wrong = verify(until, at).bad();
            assert!(matches!(wrong, VerifyError::NotValid { line: 1, .. }), "{wrong}");
        }
    }
    verify("valid-after=\"20261123Z\"", "2026-11-23T00:00:00Z").good();
    verify("valid-after=\"20261123Z\"", "2026-11-22T23:59:59Z").bad();
    verify("Valid-Before=\"202611231007Z\"", "2026-11-23T10:07:00Z").good();
    verify("valid-before=\"202611231007Z\"", "2026-11-23T10:07:01Z").bad();
    for (namespaces, signs) in [
        ("checkpoint@keyrite", true),
        ("backup@keyrite,checkpoint@keyrite", true),
        ("*@keyrite", true),
        ("backup@keyrite", false),
        ("*,!checkpoint@*", false),
    ] {
        let verdicts = verify(&format!("namespaces=\"{namespaces}\""), NOW);
        if signs {
            verdicts.good();
        } else {
            let wrong = verdicts.bad();
            assert!(matches!(wrong, VerifyError::NamespaceRefused { .. }), "{wrong}");
        }
    }
}

#[test]
fn a_later_line_with_the_same_key_may_do() {
    let desk = Desk::new();
    let key = desk.key("key", KINDS[0]);
    let signature = desk.sign("key", NAMESPACE, "sha512", MESSAGE);
    let allowed = format!("ada namespaces=\"file\" {key}\nada valid-after=\"20200101Z\" {key}\n");
    let verified = desk.verify(&Case {
        allowed: &allowed,
        principal: "ada",
        namespace: NAMESPACE,
        at: NOW,
        signature: &signature,
        message: MESSAGE,
    });
    assert_eq!(verified.good().line, 2);
}

/// Each byte is changed in eight ways, and each is left out and said twice: nothing passes, with us or, but for the way of writing it, with
/// ssh-keygen.
#[test]
fn no_byte_of_a_signature_can_be_changed() {
    for kind in [KINDS[0], KINDS[1], KINDS[4]] {
        let desk = Desk::new();
        let key = desk.key("key", kind);
        let allowed = format!("ada {key}\n");
        let signature = desk.sign("key", NAMESPACE, "sha512", MESSAGE);
        let case = Case {
            allowed: &allowed,
            principal: "ada",
            namespace: NAMESPACE,
            at: NOW,
            signature: &signature,
            message: MESSAGE,
        };
        desk.verify(&case).good();
        let signers = sshsig::AllowedSigners::parse(allowed.as_bytes()).unwrap();
        let expected = sshsig::Expected {
            allowed: &signers,
            principal: "ada",
            namespace: NAMESPACE,
            at: NOW.parse().unwrap(),
        };
        for place in 0..signature.len() {
            for bit in 0..8 {
                let mut changed = signature.clone();
                changed[place] ^= 1 << bit;
                let ours = sshsig::verify(&expected, &changed, MESSAGE);
                assert!(ours.is_err(), "byte {place}, bit {bit}");
            }
            let mut less = signature.clone();
            less.remove(place);
            let mut more = signature.clone();
            more.insert(place, signature[place]);
            let ours = sshsig::verify(&expected, &more, MESSAGE);
            assert!(ours.is_err(), "byte {place} twice");
            let ours = sshsig::verify(&expected, &less, MESSAGE);
            assert!(ours.is_err(), "without byte {place}");
        }
        // The referee takes none of them in which the signature itself is another one.
        for place in (28..signature.len() - 30).step_by(7) {
            let mut changed = signature.clone();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            desk.verify(&Case {
                signature: &changed,
                ..case
            })
            .bad();
        }
    }
}

/// Inside the base64: each byte of the blob. Lengths of fields within fields are where readers differ.
#[test]
fn no_byte_of_the_blob_can_be_changed() {
    let desk = Desk::new();
    let key = desk.key("key", KINDS[1]);
    let allowed = format!("ada {key}\n");
    let signature = desk.sign("key", NAMESPACE, "sha512", MESSAGE);
    let case = Case {
        allowed: &allowed,
        principal: "ada",
        namespace: NAMESPACE,
        at: NOW,
        signature: &signature,
        message: MESSAGE,
    };
    let blob = blob_of(&signature);
    assert_eq!(armoured(&blob), signature);
    // OpenSSH takes any version up to its own, and does not sign it: 0 is the last byte of the version, changed in its last bit.
    let version = 9;
    for place in 0..blob.len() {
        for change in [0x01, 0x04, 0x80] {
            let mut changed = blob.clone();
            changed[place] ^= change;
            let changed = armoured(&changed);
            let verdicts = desk.verify(&Case {
                signature: &changed,
                ..case
            });
            if (place, change) == (version, 0x01) {
                assert_eq!(verdicts.stricter(), VerifyError::Armour(ArmourError::Version(0)));
            } else {
                verdicts.bad();
            }
        }
    }
    // A byte more at the end, and one more within the last field.
    let mut longer = blob.clone();
    longer.push(0);
    desk.verify(&Case {
        signature: &armoured(&longer),
        ..case
    })
    .bad();
}

#[test]
fn ways_to_write_it_that_ssh_keygen_does_not_use_are_refused() {
    let desk = Desk::new();
    let key = desk.key("key", KINDS[0]);
    let allowed = format!("ada {key}\n");
    let signature = desk.sign("key", NAMESPACE, "sha512", MESSAGE);
    let case = Case {
        allowed: &allowed,
        principal: "ada",
        namespace: NAMESPACE,
        at: NOW,
        signature: &signature,
        message: MESSAGE,
    };
    let text = String::from_utf8(signature.clone()).unwrap();
    let unwrapped = format!(
        "-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n",
        STANDARD.encode(blob_of(&signature))
    );
    for (other, ssh_keygen_takes_it) in [
        (unwrapped, true),
        (format!("{text}more\n"), true),
        (format!("{text}{text}"), true),
        (text.replacen("--\nU", "--\n U", 1), true),
        (text.replace('\n', "\r\n"), false),
        (format!("before\n{text}"), false),
        (text.trim_end().to_owned(), true),
    ] {
        let case = Case {
            signature: other.as_bytes(),
            ..case
        };
        let wrong = if ssh_keygen_takes_it {
            desk.verify(&case).stricter()
        } else {
            desk.verify(&case).bad()
        };
        assert!(matches!(wrong, VerifyError::Armour(_)), "{wrong}");
    }
    let long = vec![b'A'; 1 << 20];
    let wrong = desk
        .verify(&Case {
            signature: &long,
            ..case
        })
        .bad();
    assert_eq!(wrong, VerifyError::Armour(ArmourError::Long { length: 1 << 20 }));
}

/// Where the last line of base64 is full, ssh-keygen adds nothing; an empty line after it is another way to write the same.
#[test]
fn a_full_last_line_is_read() {
    let desk = Desk::new();
    let key = desk.key("key", KINDS[0]);
    let allowed = format!("ada {key}\n");
    let mut full = 0;
    for length in 1..=105 {
        let namespace = "n".repeat(length);
        let signature = desk.sign("key", &namespace, "sha512", MESSAGE);
        full += usize::from(blob_of(&signature).len().is_multiple_of(105));
        let case = Case {
            allowed: &allowed,
            principal: "ada",
            namespace: &namespace,
            at: NOW,
            signature: &signature,
            message: MESSAGE,
        };
        desk.verify(&case).good();
        let text = String::from_utf8(signature.clone()).unwrap();
        let text = text.replacen("\n-----END", "\n\n-----END", 1);
        let wrong = desk.verify(&Case {
            signature: text.as_bytes(),
            ..case
        });
        assert_eq!(wrong.stricter(), VerifyError::Armour(ArmourError::Base64));
    }
    assert_eq!(full, 1);
}

pub fn blob_of(signature: &[u8]) -> Vec<u8> {
    let text = str::from_utf8(signature).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('-'));
    STANDARD.decode(lines.collect::<String>()).unwrap()
}

pub fn armoured(blob: &[u8]) -> Vec<u8> {
    let base64 = STANDARD.encode(blob);
    let lines = base64.as_bytes().chunks(70);
    let lines: Vec<&str> = lines.map(|line| str::from_utf8(line).unwrap()).collect();
    let lines = lines.join("\n");
    format!("-----BEGIN SSH SIGNATURE-----\n{lines}\n-----END SSH SIGNATURE-----\n").into_bytes()
}
