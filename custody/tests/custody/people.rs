//! Keys of age and of OpenSSH.

use custody::{
    DecryptError, Dialogue, EncryptError, Identity, IdentityError, Plugins, check_recipient, decrypt_with,
    encrypt_to, is_age,
};
use key_metadata::{Advice, Recipient};

use crate::desk::{Desk, SECRET, encrypted};

fn asked(secret: fn(&str) -> Option<secrecy::SecretString>) -> Plugins {
    let dialogue = Dialogue {
        ask_secret: secret,
        ..Dialogue::NOBODY
    };
    Plugins::new(None, None, dialogue)
}

#[test]
fn each_key_opens_what_age_wrote_and_age_what_we_wrote() {
    let desk = Desk::new();
    let keys = [
        ("x25519", desk.age_key("x25519")),
        ("ed25519", desk.ssh_key("ed25519", "ed25519", "")),
        ("rsa", desk.ssh_key("rsa", "rsa", "")),
    ];
    for (name, recipient) in &keys {
        check_recipient(recipient, &Plugins::none()).unwrap();
        let ours = encrypted([recipient]);
        assert!(is_age(&ours));
        assert_eq!(desk.age_opens(name, &ours).unwrap(), SECRET, "{name}");
        assert_eq!(desk.open(name, &ours).unwrap(), SECRET, "{name}");
        for options in [&[][..], &["-a"]] {
            let theirs = desk.age_encrypts(recipient, options);
            assert!(is_age(&theirs));
            assert_eq!(desk.open(name, &theirs).unwrap(), SECRET, "{name}");
        }
    }
    let all = encrypted(keys.iter().map(|(_, recipient)| recipient));
    for (name, _) in &keys {
        assert_eq!(desk.age_opens(name, &all).unwrap(), SECRET);
        assert_eq!(desk.open(name, &all).unwrap(), SECRET);
    }
    desk.age_key("other");
    let wrong = desk.open("other", &all).unwrap_err();
    assert!(matches!(wrong, DecryptError::NoMatch), "{wrong:?}");
    assert!(wrong.is_credential());
}

#[test]
fn one_secret_is_never_encrypted_twice_in_the_same_way() {
    let desk = Desk::new();
    let recipient = desk.age_key("key");
    assert_ne!(encrypted([&recipient]), encrypted([&recipient]));
}

#[test]
fn a_secret_of_any_length_comes_back() {
    let desk = Desk::new();
    let recipient = desk.age_key("key");
    for length in [0, 1, 47, 48, 49, 65_535, 65_536, 65_537, 200_000] {
        let secret = vec![7; length];
        let file = encrypt_to([&recipient], &secret, &Plugins::none()).unwrap();
        assert_eq!(desk.open("key", &file).unwrap(), secret);
        assert_eq!(desk.age_opens("key", &file).unwrap(), secret);
    }
}

#[test]
fn a_passphrase_of_a_key_is_asked_for_once() {
    let desk = Desk::new();
    let recipient = desk.ssh_key("key", "ed25519", "correct horse");
    let file = encrypted([&recipient]);
    let bytes = desk.read("key");
    let right = asked(|text| {
        assert_eq!(text, "the passphrase of key");
        Some("correct horse".into())
    });
    let identities = Identity::read_file("key", &bytes, &right).unwrap();
    let opened = decrypt_with(&identities, &file, &Plugins::none()).unwrap();
    assert_eq!(&*opened, SECRET);
    let wrong = Identity::read_file("key", &bytes, &asked(|_| Some("battery".into())));
    let wrong = wrong.err().unwrap();
    assert!(
        matches!(wrong, IdentityError::WrongPassphrase { .. }),
        "{wrong:?}"
    );
    assert!(wrong.is_credential());
    let nobody = Identity::read_file("key", &bytes, &Plugins::none())
        .err()
        .unwrap();
    assert!(matches!(nobody, IdentityError::NoPassphrase { .. }), "{nobody:?}");
}

#[test]
fn files_that_are_no_identities() {
    let desk = Desk::new();
    desk.ssh_file("ecdsa", "ecdsa", "");
    desk.age_key("age");
    let good = String::from_utf8(desk.read("age")).unwrap();
    let read = |bytes: &[u8]| Identity::read_file("it", bytes, &Plugins::none());
    assert_eq!(read(good.as_bytes()).unwrap().len(), 1);
    assert_eq!(read(good.replace('\n', "\r\n").as_bytes()).unwrap().len(), 1);
    assert_eq!(read(format!("{good}{good}").as_bytes()).unwrap().len(), 2);
    let short = good.trim_end();
    for (bytes, message) in [
        (b"".to_vec(), "it has no identity in it"),
        (b"# nothing\n".to_vec(), "it has no identity in it"),
        (
            short[..short.len() - 1].into(),
            "line 3 of it is no identity of age",
        ),
        (b"\xff\n".to_vec(), "line 1 of it is no identity of age"),
        (
            b"-----BEGIN OPENSSH PRIVATE KEY-----\n".to_vec(),
            "it is no private key that age can decrypt with: it is damaged",
        ),
        (
            desk.read("ecdsa"),
            "it is no private key that age can decrypt with: it is of type ecdsa-sha2-nistp256",
        ),
    ] {
        let error = read(&bytes).err().unwrap();
        assert_eq!(error.to_string(), message);
        assert!(error.hint().is_some());
    }
}

#[test]
fn recipients_that_age_cannot_encrypt_to() {
    let desk = Desk::new();
    let good = desk.age_key("key").to_string();
    let ssh = desk.ssh_key("ssh", "ed25519", "").to_string();
    for bad in [
        good[..good.len() - 1].to_owned(),
        good.replacen("age1", "age1q", 1),
        "ssh-ed25519 AAAA".to_owned(),
        ssh.replacen("AAAA", "AAAB", 1),
    ] {
        let bad: Recipient = bad.parse().unwrap();
        let error = check_recipient(&bad, &Plugins::none()).unwrap_err();
        assert!(matches!(error, EncryptError::Recipient { .. }), "{error:?}");
        assert!(error.to_string().contains(&bad.to_string()) && error.hint().is_some());
        assert!(encrypt_to([&bad], SECRET, &Plugins::none()).is_err());
    }
    let nobody = encrypt_to([], SECRET, &Plugins::none()).unwrap_err();
    assert!(matches!(nobody, EncryptError::Nobody), "{nobody:?}");
}

#[test]
fn what_is_no_age_file() {
    let desk = Desk::new();
    desk.age_key("key");
    for bytes in [&b""[..], b"age", b"-----BEGIN PGP MESSAGE-----\n", b"\0"] {
        assert!(!is_age(bytes));
        let error = desk.open("key", bytes).unwrap_err();
        assert!(matches!(error, DecryptError::NotAge), "{error:?}");
    }
    let newer = desk
        .open("key", b"age-encryption.org/v2\n-> X25519 a\n")
        .unwrap_err();
    assert!(matches!(newer, DecryptError::NotAge), "{newer:?}");
}
