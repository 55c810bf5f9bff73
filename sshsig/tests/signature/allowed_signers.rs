//! Files of allowed signers.

use sshsig::{AllowedSigners, KeyError, LineError};

use crate::desk::{Case, Desk, KINDS, NAMESPACE, NOW};

fn refused(text: &str) -> (u64, LineError) {
    let error = AllowedSigners::parse(text.as_bytes()).unwrap_err();
    (error.line, error.source)
}

#[test]
fn who_is_in_it() {
    let desk = Desk::new();
    let (one, other) = (desk.key("one", KINDS[0]), desk.key("other", KINDS[1]));
    let text = format!(
        "# comment\n\t \nada@nic.example,bob {one} a comment\n  eve\t namespaces=\"a b\",valid-before=\"20270101Z\"  {other}\nada@nic.example {other}"
    );
    let allowed = AllowedSigners::parse(text.as_bytes()).unwrap();
    let names: Vec<&str> = allowed.principals().into_iter().collect();
    assert_eq!(names, ["ada@nic.example", "bob", "eve"]);
    assert_eq!(allowed.keys().len(), 3);
    let lines: Vec<u64> = allowed.keys_of("ada@nic.example").map(|key| key.line()).collect();
    assert_eq!(lines, [3, 5]);
    assert_eq!(allowed.keys_of("ada").count(), 0);
    let eve = allowed.keys_of("eve").next().unwrap();
    assert_eq!(eve.namespaces(), Some("a b"));
    assert_eq!(eve.valid_before(), Some("2027-01-01T00:00:00Z".parse().unwrap()));
    assert_eq!(eve.key().to_string(), other);
    let now = NOW.parse().unwrap();
    assert!(allowed.usable_keys_of("eve", NAMESPACE, now).is_empty());
    assert_eq!(allowed.usable_keys_of("ada@nic.example", NAMESPACE, now).len(), 2);
    let shared = allowed.shared_keys();
    let shared: Vec<Vec<&str>> = shared
        .iter()
        .map(|key| key.principals.iter().map(String::as_str).collect())
        .collect();
    assert_eq!(
        shared,
        [vec!["ada@nic.example", "bob"], vec!["ada@nic.example", "eve"]]
    );
}

#[test]
fn what_is_refused_and_where() {
    let desk = Desk::new();
    let key = desk.key("key", KINDS[0]);
    let certificate = key.replacen("ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com", 1);
    for (line, expected) in [
        (
            format!("ada cert-authority {key}"),
            LineError::CertificateAuthority,
        ),
        (
            format!("ada namespaces=\"file\",Cert-Authority {key}"),
            LineError::CertificateAuthority,
        ),
        (
            format!("ada zones=\"cr\" {key}"),
            LineError::Option {
                option: "zones=\"cr\"".to_owned(),
            },
        ),
        (
            format!("ada namespaces=file {key}"),
            LineError::Value { option: "namespaces" },
        ),
        (
            format!("ada namespaces=\"a\",namespaces=\"b\" {key}"),
            LineError::Twice { option: "namespaces" },
        ),
        (
            format!("ada valid-after=\"20261123\" {key}"),
            LineError::Time {
                value: "20261123".to_owned(),
            },
        ),
        (
            format!("ada valid-after=\"20261323Z\" {key}"),
            LineError::Time {
                value: "20261323Z".to_owned(),
            },
        ),
        (
            format!("ada valid-after=\"20261123Z\",valid-before=\"20261123Z\" {key}"),
            LineError::NeverValid,
        ),
        (
            format!("*@nic.example {key}"),
            LineError::Principal {
                principal: "*@nic.example".to_owned(),
            },
        ),
        (
            format!("ada,!bob {key}"),
            LineError::Principal {
                principal: "!bob".to_owned(),
            },
        ),
        (
            format!("ada,,bob {key}"),
            LineError::Principal {
                principal: String::new(),
            },
        ),
        ("ada".to_owned(), LineError::NoKey),
        ("ada namespaces=\"file\"".to_owned(), LineError::NoKey),
        (
            format!("ada {certificate}"),
            LineError::Key(KeyError::Type {
                key_type: "ssh-ed25519-cert-v01@openssh.com".to_owned(),
            }),
        ),
        (
            format!("ada {}", key.replacen("AAAA", "AAAB", 1)),
            LineError::Key(KeyError::Damaged {
                key_type: "ssh-ed25519".to_owned(),
            }),
        ),
        (format!("ada {key}\r"), LineError::Text),
        (format!("\u{e4}da {key}"), LineError::Text),
    ] {
        assert_eq!(refused(&format!("bob {key}\n{line}\n")), (2, expected), "{line}");
    }
}

#[test]
fn an_rsa_key_has_a_size() {
    let desk = Desk::new();
    let bits = |name: &str, bits| desk.key(name, ("rsa", bits));
    for (name, size, taken) in [("a", "1024", false), ("b", "2048", true), ("c", "4096", true)] {
        let parsed = AllowedSigners::parse(format!("ada {}", bits(name, size)).as_bytes());
        match parsed {
            Ok(_) => assert!(taken),
            Err(error) => {
                assert!(!taken);
                assert_eq!(error.source, LineError::Key(KeyError::RsaSize { bits: 1024 }));
            }
        }
    }
}

/// What we read as a name is a name for ssh-keygen too, whatever letters it has.
#[test]
fn a_name_of_any_letters_is_the_same_name() {
    let desk = Desk::new();
    let key = desk.key("key", KINDS[0]);
    let signature = desk.sign("key", NAMESPACE, "sha512", b"x");
    for letter in (0x21..0x7f_u8).map(char::from) {
        let name = format!("{letter}da{letter}");
        let allowed = format!("{name} {key}\n");
        let names_it = AllowedSigners::parse(allowed.as_bytes())
            .is_ok_and(|allowed| allowed.principals().contains(name.as_str()));
        if names_it {
            desk.verify(&Case {
                allowed: &allowed,
                principal: &name,
                namespace: NAMESPACE,
                at: NOW,
                signature: &signature,
                message: b"x",
            })
            .good();
        } else {
            assert!("*?!\"'\\,#".contains(letter), "{letter}");
        }
    }
}
