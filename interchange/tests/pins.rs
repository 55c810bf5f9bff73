//! A PIN in a foreign file is reported, and goes nowhere.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use interchange::bind::read_key;
use interchange::{Import, PrivatePart, ReadError, Reason};

const PIN: &str = "4711-s3cr3t";
const KEY: &str = "example.com. IN DNSKEY 257 3 15 0MRprFeyidlSnoGXAToomOoNABiBQ824gop7DURo0pk=\n";
const STEM: &str = "Kexample.com.+015+27601";

/// A key of BIND's whose private file has these lines.
fn read(lines: &str) -> Result<Import, ReadError> {
    let folder = tempfile::tempdir().unwrap();
    let path = |suffix: &str| folder.path().join(format!("{STEM}{suffix}"));
    fs::write(path(".key"), KEY).unwrap();
    fs::write(
        path(".private"),
        format!("Private-key-format: v1.3\nAlgorithm: 15 (ED25519)\n{lines}"),
    )
    .unwrap();
    fs::set_permissions(path(".private"), fs::Permissions::from_mode(0o600)).unwrap();
    read_key(&folder.path().join(STEM))
}

fn label(text: &str) -> String {
    format!("Label: {}\n", STANDARD.encode(format!("{text}\0")))
}

#[test]
fn a_pin_in_a_label_is_reported_and_left_out() {
    for uri in [
        format!("pkcs11:token=t;object=k;pin-value={PIN}"),
        format!("pkcs11:token=t;object=k?pin-source=file:/etc/{PIN}"),
        format!("PKCS11:token=t;PIN-Value={PIN};object=k"),
        format!("pkcs11:pin-value={PIN};token=t;object=k&pin-source={PIN}"),
    ] {
        let import = read(&format!(
            "Engine: cGtjczExAA==\n{}Created: 20261123183501\n",
            label(&uri)
        ))
        .unwrap();
        let PrivatePart::Token(key) = &import.keys[0].private else {
            panic!("{uri}: {:?}", import.keys)
        };
        assert_eq!(key.to_string(), "pkcs11:token=t;object=k");
        let [lost] = import.lost.as_slice() else {
            panic!("{:?}", import.lost)
        };
        assert_eq!((lost.why, lost.line), (Reason::Pin, Some(4)));
        assert!(
            lost.to_string()
                .ends_with("a PIN stands in the file, or where one is; remove it from there")
        );
        assert!(!format!("{import:?}{lost}").contains(PIN));
    }
}

#[test]
fn no_error_and_no_report_repeats_a_value_of_a_private_file() {
    let scalar = STANDARD.encode([7; 32]);
    for lines in [
        label(&format!("token;pin-value={PIN}")),
        label(&format!("pkcs11:token=t;pin-value={PIN}")),
        label(&format!("pkcs11:object={PIN};object={PIN}")),
        label(&format!("pkcs11:{PIN}")),
        format!(
            "{}{}",
            label("pkcs11:object=k"),
            label(&format!("pkcs11:object={PIN}"))
        ),
        format!("Label: {PIN}!\n"),
        format!("Engine: {}\n", STANDARD.encode(PIN)),
        format!("PrivateKey: {scalar}\nCreated: {PIN}\n"),
        format!("PrivateKey: {scalar}\nLifetime: {PIN}\n"),
        format!("PrivateKey: {PIN}\n"),
        format!("PrivateKey: {scalar}\n{PIN}\n"),
        format!("Algorithm: {PIN}\nPrivateKey: {scalar}{PIN}\n"),
        format!("External:\n{PIN}: x\nNew: {PIN}\n; {PIN}\n"),
    ] {
        let shown = match read(&lines) {
            Ok(import) => {
                assert!(!import.lost.is_empty(), "{lines}");
                format!(
                    "{import:?}{}",
                    import.lost.iter().map(ToString::to_string).collect::<String>()
                )
            }
            Err(error) => format!("{error} {error:?} {:?}", error.source().map(ToString::to_string)),
        };
        assert!(!shown.contains(PIN) && !shown.contains(&scalar), "{shown}");
    }
}

#[test]
fn a_scalar_of_another_key_is_refused() {
    let error = read(&format!("PrivateKey: {}\n", STANDARD.encode([7; 32]))).unwrap_err();
    assert!(matches!(error, ReadError::OtherPrivateKey { .. }), "{error}");
}

#[test]
fn a_file_that_is_too_large_or_not_there_is_named() {
    for file in [".key", ".private", ".state"] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(format!("{STEM}.key")), KEY).unwrap();
        let path = folder.path().join(format!("{STEM}{file}"));
        fs::write(&path, vec![b'\n'; interchange::bind::LARGEST_KEY_FILE + 1]).unwrap();
        let error = read_key(&path).unwrap_err();
        assert!(
            matches!(error, ReadError::TooLarge { .. }) && error.to_string().contains(file),
            "{error}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join(format!("{STEM}.key"));
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    assert!(
        read_key(&pipe)
            .unwrap_err()
            .source()
            .unwrap()
            .to_string()
            .contains("no regular file")
    );
    let error = read_key(Path::new("/nonexistent/Kx.+015+00001"))
        .unwrap_err()
        .to_string();
    assert_eq!(error, "/nonexistent/Kx.+015+00001.key, the public key is missing");
}
