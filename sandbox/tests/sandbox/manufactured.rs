//! Endorsement keys and their certificates, as openssl sees them.

use std::path::Path;
use std::process::Command;

use keyrite_sandbox::{EkCa, Swtpm};

/// The index of each certificate, and the handle of its key.
const KEYS: [(&str, &str); 2] = [("0x1c00002", "0x81010001"), ("0x1c00016", "0x81010016")];

#[test]
fn the_certificates_of_a_manufactured_tpm_are_its_own_and_of_its_ca() {
    let folder = tempfile::tempdir().unwrap();
    let ca = EkCa::new(&folder.path().join("ca"), "Here").unwrap();
    let foreign = EkCa::new(&folder.path().join("foreign"), "Elsewhere").unwrap();
    let swtpm = Swtpm::manufactured(&folder.path().join("tpm"), &ca).unwrap();
    for (index, handle) in KEYS {
        let certificate = certificate(&swtpm, index);
        assert!(verifies(&certificate, &ca) && !verifies(&certificate, &foreign));
        assert_eq!(certified(&certificate), key(&swtpm, handle));
    }
    // What the checklist wants closed is open: no firmware closes it here.
    swtpm.must("tpm2_changeauth", &["-c", "platform", "x"]).unwrap();
}

#[test]
fn what_is_not_genuine_shows() {
    let folder = tempfile::tempdir().unwrap();
    let ca = EkCa::new(&folder.path().join("ca"), "Here").unwrap();
    let tampered = Swtpm::with_tampered_ek(&folder.path().join("tampered"), &ca).unwrap();
    let other = Swtpm::with_other_ek(&folder.path().join("other"), &ca).unwrap();
    for (index, handle) in KEYS {
        let certificate = certificate(&tampered, index);
        assert!(!verifies(&certificate, &ca));
        assert_eq!(certified(&certificate), key(&tampered, handle));
        let certificate = self::certificate(&other, index);
        assert!(verifies(&certificate, &ca));
        assert_ne!(certified(&certificate), key(&other, handle));
    }
}

/// The PEM file of the certificate at that index.
fn certificate(swtpm: &Swtpm, index: &str) -> std::path::PathBuf {
    let (der, pem) = (
        swtpm.state().join(format!("{index}.der")),
        swtpm.state().join(format!("{index}.pem")),
    );
    let bytes = swtpm.must("tpm2_nvread", &["-C", "o", index]).unwrap();
    std::fs::write(&der, bytes).unwrap();
    let mut convert = Command::new("openssl");
    convert
        .args(["x509", "-inform", "der", "-in"])
        .arg(der)
        .arg("-out")
        .arg(&pem);
    assert!(convert.status().unwrap().success());
    pem
}

fn verifies(certificate: &Path, ca: &EkCa) -> bool {
    let output = Command::new("openssl")
        .arg("verify")
        .arg("-CAfile")
        .arg(ca.root())
        .arg("-untrusted")
        .arg(ca.issuer())
        .arg(certificate)
        .output()
        .unwrap();
    output.status.success()
}

/// The certificate's public key, as PEM.
fn certified(certificate: &Path) -> String {
    let output = Command::new("openssl")
        .args(["x509", "-noout", "-pubkey", "-in"])
        .arg(certificate)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The public key at that handle, as PEM.
fn key(swtpm: &Swtpm, handle: &str) -> String {
    let file = swtpm.state().join(format!("{handle}.pem"));
    let path = file.display().to_string();
    swtpm
        .must("tpm2_readpublic", &["-c", handle, "-f", "pem", "-o", &path])
        .unwrap();
    std::fs::read_to_string(file).unwrap()
}
