//! Endorsement keys and their certificates, on software TPMs that swtpm_setup has made certificates for.

use std::fs;
use std::path::Path;
use std::process::Command;

use key_metadata::Advice;
use keyrite_tpm::{EkOrigin, EkPublicKey, EkPublicKeyError, EkTemplate, EndorsementError, Hierarchy, Tpm};
use sandbox::{EkCa, Swtpm};

use crate::{auth, tool, with_state};

/// Runs a test with a TPM that has endorsement keys at their handles and certificates for them.
pub(crate) fn with_certified(test: impl FnOnce(&Tpm, &Swtpm)) {
    let folder = tempfile::tempdir().unwrap();
    let ca = EkCa::new(&folder.path().join("ca"), "Maker").unwrap();
    let state = folder.path().join("tpm");
    drop(Swtpm::manufactured(&state, &ca).unwrap());
    with_state(&state, test);
}

#[test]
fn certificates_are_read_and_fit_the_keys() {
    with_certified(|tpm, swtpm| {
        let certificates = tpm.ek_certificates().unwrap();
        let indices: Vec<_> = certificates.iter().map(|certificate| certificate.index).collect();
        assert_eq!(indices, [0x01c0_0002, 0x01c0_0016]);
        for certificate in certificates {
            let template = EkTemplate::of_certificate(certificate.index).unwrap();
            let key = tpm.endorsement_key(template, None).unwrap();
            let kept = if template == EkTemplate::Rsa2048 {
                0x8101_0001
            } else {
                0x8101_0016
            };
            assert_eq!(key.origin, EkOrigin::Read { handle: kept });
            // openssl says what key the certificate holds.
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("ek.der");
            fs::write(&file, &certificate.der).unwrap();
            let pem = openssl(&["x509", "-inform", "der", "-noout", "-pubkey", "-in"], &file);
            fs::write(&file, pem).unwrap();
            let spki = openssl(&["pkey", "-pubin", "-outform", "der", "-in"], &file);
            assert_eq!(key.spki, spki);
            // Without the kept one it is made again, and is the same.
            tool(swtpm, &format!("tpm2_evictcontrol -Q -C o -c {kept:#x}"));
            let again = tpm.endorsement_key(template, None).unwrap();
            assert_eq!(again.origin, EkOrigin::Recomputed);
            assert_eq!((again.spki, again.name), (key.spki, key.name));
        }
    });
}

fn openssl(arguments: &[&str], file: &Path) -> Vec<u8> {
    let output = Command::new("openssl")
        .args(arguments)
        .arg(file)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

#[test]
fn a_tpm_without_certificates_says_so() {
    let folder = tempfile::tempdir().unwrap();
    with_state(folder.path(), |tpm, swtpm| {
        assert_eq!(tpm.ek_certificates().unwrap(), []);
        // Longer than one answer, with padding behind; an index that was never written holds none.
        let attributes = "ownerread|ownerwrite|authread|authwrite|no_da";
        tool(
            swtpm,
            &format!("tpm2_nvdefine -Q 0x1c0000a -C o -s 1500 -a {attributes}"),
        );
        assert_eq!(tpm.ek_certificates().unwrap(), []);
        let data = [&[0x30, 0x82, 5, 0][..], &[7; 0x500], &[0xff; 216]].concat();
        let file = folder.path().join("data");
        fs::write(&file, &data).unwrap();
        tool(
            swtpm,
            &format!("tpm2_nvwrite -Q 0x1c0000a -C o -i {}", file.display()),
        );
        let certificates = tpm.ek_certificates().unwrap();
        assert_eq!(certificates.len(), 1);
        assert_eq!(certificates[0].index, 0x01c0_000a);
        assert_eq!(certificates[0].der, data[..0x504]);
    });
}

/// Some makers write the algorithm of their RSA keys as OAEP (1.2.840.113549.1.1.7); it is the same key.
#[test]
fn an_oaep_key_is_an_rsa_key() {
    let folder = tempfile::tempdir().unwrap();
    with_state(folder.path(), |tpm, _| {
        let spki = tpm.endorsement_key(EkTemplate::Rsa2048, None).unwrap().spki;
        let rsa = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
        let at = spki.windows(9).position(|window| window == rsa).unwrap() + 8;
        let mut oaep = spki.clone();
        oaep[at] = 7;
        assert_eq!(EkPublicKey::from_spki(&oaep), EkPublicKey::from_spki(&spki));
        oaep[at] = 8;
        assert_eq!(EkPublicKey::from_spki(&oaep), Err(EkPublicKeyError));
        for length in 0..spki.len() {
            assert_eq!(EkPublicKey::from_spki(&spki[..length]), Err(EkPublicKeyError));
        }
    });
}

/// Every template, made by the TPM from our public area; tpm2_createek makes the same where it has one.
#[test]
fn every_template_gives_its_key_again() {
    let folder = tempfile::tempdir().unwrap();
    with_state(folder.path(), |tpm, swtpm| {
        for template in EkTemplate::ALL {
            let first = tpm.endorsement_key(template, None).unwrap();
            assert_eq!(first.origin, EkOrigin::Recomputed);
            assert_eq!(tpm.endorsement_key(template, None).unwrap(), first, "{template}");
        }
        for (algorithm, template) in [("rsa", EkTemplate::Rsa2048), ("ecc", EkTemplate::P256)] {
            tool(swtpm, &format!("tpm2_createek -Q -G {algorithm} -c 0x81010005"));
            let kept = tpm.endorsement_key(template, None).unwrap();
            assert_eq!(kept.origin, EkOrigin::Read { handle: 0x8101_0005 });
            tool(swtpm, "tpm2_evictcontrol -Q -C o -c 0x81010005");
            assert_eq!(tpm.endorsement_key(template, None).unwrap().name, kept.name);
            tool(swtpm, "tpm2_flushcontext -t");
        }
    });
}

#[test]
fn the_endorsement_auth_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    with_state(folder.path(), |tpm, _| {
        let (right, wrong) = (auth("mine"), auth("wrong"));
        let free = tpm.endorsement_key(EkTemplate::P256, None).unwrap();
        tpm.change_auth(Hierarchy::Endorsement, None, Some(&right))
            .unwrap();
        for given in [None, Some(&wrong)] {
            let error = tpm.endorsement_key(EkTemplate::P256, given).unwrap_err();
            assert!(
                matches!(error, EndorsementError::AuthRefused { .. }) && error.is_credential(),
                "{error}"
            );
        }
        assert_eq!(tpm.endorsement_key(EkTemplate::P256, Some(&right)).unwrap(), free);
        assert_eq!(tpm.lockout().unwrap().counter, 0);
    });
}
