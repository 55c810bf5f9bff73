//! Plugins, as real processes.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use custody::{
    DecryptError, Dialogue, EncryptError, Identity, PluginError, Plugins, check_recipient, decrypt_with,
    encrypt_to,
};
use key_metadata::{Advice, Recipient};

use crate::desk::{Desk, SECRET, given};

const RECORD: &str = include_str!("age-plugin-record");
/// The places of the plugin's interpreter and of its modules.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A folder that has the plugin, and is its home.
struct Bench {
    desk: Desk,
}

impl Bench {
    fn new() -> Self {
        let desk = Desk::new();
        let program = desk.write("age-plugin-record", RECORD.as_bytes());
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        Self { desk }
    }

    fn path(&self) -> OsString {
        format!("relative::{}:{PATH}", self.desk.file("").display()).into()
    }

    fn plugins(&self, dialogue: Dialogue) -> Plugins {
        Plugins::new(Some(self.path()), Some(self.desk.file("").into()), dialogue)
    }

    fn encrypt(&self, does: &str) -> Result<Vec<u8>, EncryptError> {
        encrypt_to([&recipient(does)], SECRET, &self.plugins(Dialogue::NOBODY))
    }

    fn decrypt(&self, file: &[u8], does: &str) -> Result<Vec<u8>, DecryptError> {
        let plugins = self.plugins(Dialogue::NOBODY);
        let identity = Identity::read_file("it", identity(does).as_bytes(), &plugins).unwrap();
        decrypt_with(&identity, file, &plugins).map(|secret| secret.to_vec())
    }
}

fn data(does: &str) -> Vec<u8> {
    [b"sixteen letters!", does.as_bytes()].concat()
}

fn recipient(does: &str) -> Recipient {
    bech32("age1record", &data(does)).parse().unwrap()
}

fn identity(does: &str) -> String {
    bech32("age-plugin-record-", &data(does)).to_uppercase()
}

/// BIP 173.
fn bech32(human: &str, data: &[u8]) -> String {
    const CHARSET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let mut values = Vec::new();
    let (mut number, mut bits) = (0_u32, 0);
    for byte in data {
        number = (number << 8 | u32::from(*byte)) & 0xfffff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            values.push((number >> bits) as u8 & 31);
        }
    }
    if bits > 0 {
        values.push((number << (5 - bits)) as u8 & 31);
    }
    let high = human.bytes().map(|byte| byte >> 5);
    let low = human.bytes().map(|byte| byte & 31);
    let all = high
        .chain([0])
        .chain(low)
        .chain(values.iter().copied())
        .chain([0; 6]);
    let mut checksum = 1_u32;
    for value in all {
        let top = checksum >> 25;
        checksum = (checksum & 0x01ff_ffff) << 5 ^ u32::from(value);
        for (bit, generator) in [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3]
            .into_iter()
            .enumerate()
        {
            if top >> bit & 1 == 1 {
                checksum ^= generator;
            }
        }
    }
    checksum ^= 1;
    values.extend((0..6).map(|place| (checksum >> (5 * (5 - place))) as u8 & 31));
    let letters = values
        .iter()
        .map(|value| char::from(CHARSET[usize::from(*value)]));
    format!("{human}1{}", letters.collect::<String>())
}

#[test]
fn a_plugin_sees_path_and_home_and_nothing_else() {
    // What cargo sets for a test is in our environment: it must not be in the plugin's.
    assert!(std::env::var_os("CARGO_PKG_NAME").is_some());
    let bench = Bench::new();
    let file = bench.encrypt("").unwrap();
    assert_eq!(bench.decrypt(&file, "").unwrap(), SECRET);
    let record = String::from_utf8(bench.desk.read("record")).unwrap();
    let home = bench.desk.file("");
    let path = bench.path();
    let environment = format!("HOME={} PATH={}", home.display(), path.display());
    assert_eq!(
        record,
        format!("recipient-v1 in / with {environment}\nidentity-v1 in / with {environment}\n")
    );
}

#[test]
fn age_speaks_with_the_same_plugin() {
    let bench = Bench::new();
    let age = |arguments: &[&str], input: &[u8]| {
        let mut age = Command::new("/usr/bin/age");
        age.args(arguments).env("PATH", bench.path());
        given(age, input)
    };
    let path = bench.desk.write("identity", identity("").as_bytes());
    let ours = bench.encrypt("").unwrap();
    assert_eq!(age(&["-d", "-i", path.to_str().unwrap()], &ours).unwrap(), SECRET);
    let theirs = age(&["-r", &recipient("").to_string()], SECRET).unwrap();
    assert_eq!(bench.decrypt(&theirs, "").unwrap(), SECRET);
}

#[test]
fn a_plugin_and_keys_open_the_same_file() {
    let bench = Bench::new();
    let recipients = [
        bench.desk.age_key("x25519"),
        recipient(""),
        bench.desk.ssh_key("ed", "ed25519", ""),
    ];
    let file = encrypt_to(&recipients, SECRET, &bench.plugins(Dialogue::NOBODY)).unwrap();
    assert_eq!(bench.decrypt(&file, "").unwrap(), SECRET);
    assert_eq!(bench.desk.open("x25519", &file).unwrap(), SECRET);
    assert_eq!(bench.desk.age_opens("ed", &file).unwrap(), SECRET);
    // It has no stanza in this one.
    let other = encrypt_to(&recipients[..1], SECRET, &Plugins::none()).unwrap();
    let error = bench.decrypt(&other, "").unwrap_err();
    assert!(matches!(error, DecryptError::NoMatch), "{error:?}");
}

#[test]
fn no_bit_of_a_plugins_file_can_be_changed() {
    let bench = Bench::new();
    let file = bench.encrypt("").unwrap();
    let plugins = bench.plugins(Dialogue::NOBODY);
    let identity = Identity::read_file("it", identity("").as_bytes(), &plugins).unwrap();
    for place in 0..file.len() {
        let mut changed = file.clone();
        changed[place] ^= 1;
        assert!(
            decrypt_with(&identity, &changed, &plugins).is_err(),
            "byte {place}"
        );
    }
}

#[test]
fn the_person_is_asked_and_answers() {
    let bench = Bench::new();
    let dialogue = Dialogue {
        tell: |text| assert_eq!(text, "age-plugin-record: touch it"),
        ask: |text| (text == "age-plugin-record: its name").then(|| "slot 9".to_owned()),
        ask_secret: |text| (text == "age-plugin-record: its PIN").then(|| "1234".into()),
        choose: |text, yes, no| {
            (text == "age-plugin-record: really?").then(|| (yes, no) == ("go on", Some("stop")))
        },
    };
    let plugins = bench.plugins(dialogue);
    let file = encrypt_to([&recipient("asks")], SECRET, &plugins).unwrap();
    let identities = Identity::read_file("it", identity("asks").as_bytes(), &plugins).unwrap();
    assert_eq!(&*decrypt_with(&identities, &file, &plugins).unwrap(), SECRET);
    let error = bench.decrypt(&file, "asks").unwrap_err();
    match &error {
        DecryptError::Plugin(PluginError::Said { said, .. }) => {
            assert_eq!(said, "fail  fail  fail unsupported")
        }
        other => panic!("{other:?}"),
    }
    assert!(error.is_credential());
}

#[test]
fn a_plugin_that_does_not_do_its_work() {
    let bench = Bench::new();
    for (does, message) in [
        ("dies", "age-plugin-record ended before it was done"),
        (
            "babbles",
            "age-plugin-record does not keep to the protocol of plugins: a line is no command",
        ),
        (
            "endless",
            "age-plugin-record does not keep to the protocol of plugins: a line has no end",
        ),
        ("refuses", "age-plugin-record says: no  [31mkey is plugged in"),
        (
            "nothing",
            "age-plugin-record does not keep to the protocol of plugins: it gave neither a stanza nor an error",
        ),
        (
            "another",
            "age-plugin-record does not keep to the protocol of plugins: a stanza is for no file that it was given",
        ),
    ] {
        match bench.encrypt(does).unwrap_err() {
            EncryptError::Plugin(error) => {
                assert_eq!(error.to_string(), message);
                assert!(error.hint().is_some());
            }
            other => panic!("{does}: {other:?}"),
        }
    }
    let file = bench.encrypt("").unwrap();
    for (does, message) in [
        ("dies", "age-plugin-record ended before it was done"),
        ("refuses", "age-plugin-record says: no  [31mkey is plugged in"),
        (
            "short",
            "age-plugin-record does not keep to the protocol of plugins: a file key has not 16 bytes",
        ),
        (
            "twice",
            "age-plugin-record does not keep to the protocol of plugins: it gave two file keys",
        ),
    ] {
        match bench.decrypt(&file, does).unwrap_err() {
            DecryptError::Plugin(error) => assert_eq!(error.to_string(), message),
            other => panic!("{does}: {other:?}"),
        }
    }
}

#[test]
fn a_plugin_that_is_not_there() {
    let bench = Bench::new();
    let missing: Recipient = bech32("age1nowhere", b"x").parse().unwrap();
    for path in [None, Some(bench.path())] {
        let plugins = Plugins::new(path, None, Dialogue::NOBODY);
        let error = check_recipient(&missing, &plugins).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(
            cause,
            "there is no program age-plugin-nowhere in the folders of PATH"
        );
        assert!(error.hint().unwrap().starts_with("install age-plugin-nowhere"));
    }
    check_recipient(&recipient(""), &bench.plugins(Dialogue::NOBODY)).unwrap();
    // A file that is no program, and a name that is a path.
    let program = bench.desk.file("age-plugin-record");
    fs::set_permissions(&program, PermissionsExt::from_mode(0o644)).unwrap();
    assert!(check_recipient(&recipient(""), &bench.plugins(Dialogue::NOBODY)).is_err());
    assert!(bech32("age1../../bin/sh", b"x").parse::<Recipient>().is_err());
    let path = bech32("age-plugin-../../bin/sh-", b"x").to_uppercase();
    assert!(Identity::read_file("it", path.as_bytes(), &Plugins::none()).is_err());
    let name = bech32("age-plugin-record-", b"x").to_uppercase();
    assert!(Identity::read_file("it", name.as_bytes(), &Plugins::none()).is_ok());
}
