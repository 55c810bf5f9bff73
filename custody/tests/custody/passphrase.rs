//! Files that a passphrase opens.

use custody::{
    DecryptError, Dialogue, Identity, OpenError, Plugins, WorkFactor, open_with_passphrase,
    seal_with_passphrase,
};
use proptest::prelude::*;
use secrecy::SecretString;

use crate::desk::{Desk, SECRET, encrypted, given};
use crate::terminal::at_a_terminal;

const PASSPHRASE: &str = "2f4b7c6d0e1f2a3b4c5d6e7f80910a2b3c4d5e6f708192a3b4c5d6e7f8091a2b";

fn passphrase() -> SecretString {
    PASSPHRASE.into()
}

fn work(factor: u8) -> WorkFactor {
    factor.try_into().unwrap()
}

fn sealed(factor: u8) -> Vec<u8> {
    seal_with_passphrase(&passphrase(), work(factor), SECRET).unwrap()
}

#[test]
fn age_opens_what_we_sealed() {
    let desk = Desk::new();
    for factor in [1, 10, 18] {
        let file = sealed(factor);
        assert!(file.starts_with(b"age-encryption.org/v1\n-> scrypt "));
        let path = desk.write("sealed.age", &file);
        let path = path.to_str().unwrap();
        let opened = at_a_terminal(&["/usr/bin/age", "-d", path], PASSPHRASE);
        assert_eq!(opened.unwrap(), SECRET);
        assert_eq!(at_a_terminal(&["/usr/bin/age", "-d", path], "another"), None);
        assert_eq!(&*open_with_passphrase(&passphrase(), &file).unwrap(), SECRET);
    }
}

#[test]
fn we_open_what_age_sealed() {
    let desk = Desk::new();
    let plain = desk.write("plain", SECRET);
    for options in [&["-p"][..], &["-p", "-a"]] {
        let program = [&["/usr/bin/age"], options, &[plain.to_str().unwrap()]].concat();
        let file = at_a_terminal(&program, PASSPHRASE).unwrap();
        assert_eq!(&*open_with_passphrase(&passphrase(), &file).unwrap(), SECRET);
        let wrong = open_with_passphrase(&"another".into(), &file).unwrap_err();
        assert_eq!(wrong, OpenError::WrongPassphrase);
    }
}

#[test]
fn no_bit_of_a_sealed_file_can_be_changed() {
    let file = sealed(2);
    for place in 0..file.len() {
        for bit in 0..8 {
            let mut changed = file.clone();
            changed[place] ^= 1 << bit;
            let opened = open_with_passphrase(&passphrase(), &changed);
            assert!(opened.is_err(), "byte {place}, bit {bit}");
        }
        assert!(
            open_with_passphrase(&passphrase(), &file[..place]).is_err(),
            "{place} bytes"
        );
    }
    let longer = [&file[..], b"\0"].concat();
    assert_eq!(
        open_with_passphrase(&passphrase(), &longer),
        Err(OpenError::Damaged)
    );
}

#[test]
fn each_thing_that_is_wrong_has_its_own_word() {
    let desk = Desk::new();
    let open = |file: &[u8]| open_with_passphrase(&passphrase(), file).unwrap_err();
    assert_eq!(open(b"no"), OpenError::NotAge);
    assert_eq!(open(&encrypted([&desk.age_key("key")])), OpenError::NoPassphrase);
    let file = sealed(1);
    assert_eq!(open(&file[..file.len() - 1]), OpenError::Damaged);
    let text = String::from_utf8_lossy(&file);
    let first = text.split('\n').nth(1).unwrap();
    let heavy = first.strip_suffix(" 1").unwrap().to_owned() + " 21";
    let at = file
        .windows(first.len())
        .position(|it| it == first.as_bytes())
        .unwrap();
    let heavy = [&file[..at], heavy.as_bytes(), &file[at + first.len()..]].concat();
    assert_eq!(open(&heavy), OpenError::Work { factor: 21 });
    assert_eq!(
        open(&heavy).to_string(),
        "its work factor is 21, and no more than 20 is taken"
    );
    desk.age_key("key-2");
    let error = desk.open("key-2", &file).unwrap_err();
    assert!(matches!(error, DecryptError::Passphrase), "{error:?}");
    for factor in [0, 21, 64, 255] {
        let error = WorkFactor::try_from(factor).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("a work factor is from 1 to 20, not {factor}")
        );
    }
}

/// `age -p` around a file of identities is what many custodians have.
#[test]
fn a_file_of_identities_may_be_sealed() {
    let desk = Desk::new();
    let recipient = desk.age_key("key");
    let file = encrypted([&recipient]);
    let sealed = seal_with_passphrase(&passphrase(), work(1), &desk.read("key")).unwrap();
    let dialogue = Dialogue {
        ask_secret: |_| Some(PASSPHRASE.into()),
        ..Dialogue::NOBODY
    };
    let identities = Identity::read_file("key", &sealed, &Plugins::new(None, None, dialogue)).unwrap();
    let opened = custody::decrypt_with(&identities, &file, &Plugins::none()).unwrap();
    assert_eq!(&*opened, SECRET);
    assert!(Identity::read_file("key", &sealed, &Plugins::none()).is_err());
    let mut age = std::process::Command::new("/usr/bin/age");
    age.args(["-d", "-i"]).arg(desk.file("key"));
    assert_eq!(given(age, &file).unwrap(), SECRET);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn what_is_sealed_comes_back(secret: Vec<u8>, passphrase in "\\PC{1,40}") {
        let passphrase = SecretString::from(passphrase);
        let file = seal_with_passphrase(&passphrase, work(1), &secret).unwrap();
        prop_assert_eq!(&*open_with_passphrase(&passphrase, &file).unwrap(), &secret);
    }

    #[test]
    fn anything_may_be_opened(mut bytes: Vec<u8>) {
        prop_assert!(open_with_passphrase(&passphrase(), &bytes).is_err());
        bytes.splice(0..0, *b"age-encryption.org/v1\n");
        prop_assert!(open_with_passphrase(&passphrase(), &bytes).is_err());
    }
}
