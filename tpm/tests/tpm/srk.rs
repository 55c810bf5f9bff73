use key_metadata::Advice;
use std::process::Command;

use keyrite_tpm::{Srk, SrkError, SrkState, SrkTemplate, Tpm};
use sandbox::{Swtpm, tpm2_pkcs11_module};

use crate::{auth, secret, tool, with_state};

#[test]
fn made_once_and_recognised_after() {
    let folder = tempfile::tempdir().unwrap();
    with_state(folder.path(), |tpm, _| {
        assert_eq!(tpm.srk_state(None), Ok(SrkState::Absent));
        assert!(matches!(tpm.srk_name(), Err(SrkError::Absent { .. })));
        let Srk::Created { name } = tpm.ensure_srk(None).unwrap() else {
            panic!("there was an SRK")
        };
        assert_eq!(tpm.srk_name(), Ok(name.clone()));
        assert_eq!(
            tpm.ensure_srk(None),
            Ok(Srk::Matched {
                name: name.clone(),
                template: SrkTemplate::Tcg
            })
        );
        assert_eq!(
            tpm.srk_state(None),
            Ok(SrkState::Matches {
                name,
                template: SrkTemplate::Tcg
            })
        );
    });
}

/// An SRK that tpm2-tools make with the given template: attributes, and the unique field if it is not empty.
fn with_srk_of(algorithm: &str, more_attributes: &str, unique: Option<&[u8]>, test: impl FnOnce(&Tpm)) {
    let folder = tempfile::tempdir().unwrap();
    with_state(folder.path(), |tpm, swtpm| {
        let context = folder.path().join("srk.ctx");
        let unique_file = folder.path().join("unique");
        let attributes = "restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth";
        let mut line = format!(
            "tpm2_createprimary -Q -C o -g sha256 -G {algorithm} -a {attributes}{more_attributes} -c {}",
            context.display()
        );
        if let Some(bytes) = unique {
            std::fs::write(&unique_file, bytes).unwrap();
            line += &format!(" -u {}", unique_file.display());
        }
        tool(swtpm, &line);
        tool(
            swtpm,
            &format!("tpm2_evictcontrol -Q -C o -c {} 0x81000001", context.display()),
        );
        tool(swtpm, "tpm2_flushcontext -t");
        test(tpm);
    });
}

/// A point of 32 + 32 such bytes, as tpm2_createprimary takes it: two buffers of 128 bytes, each after its length.
fn point(byte: u8) -> Vec<u8> {
    let mut coordinate = vec![32, 0];
    coordinate.extend_from_slice(&[byte; 32]);
    coordinate.resize(130, 0);
    coordinate.repeat(2)
}

#[test]
fn other_programs_templates_are_recognised() {
    let point = point(0);
    // 256 as a length, and 256 zero bytes.
    let modulus: Vec<u8> = [&[0, 1][..], &[0; 256]].concat();
    let cases: [(_, _, Option<&[u8]>, _); 4] = [
        ("ecc256:aes128cfb", "|noda", Some(&point), SrkTemplate::Tcg),
        ("ecc256:aes128cfb", "|noda", None, SrkTemplate::TcgEmptyUnique),
        ("ecc256:aes128cfb", "", None, SrkTemplate::Tpm2Pkcs11),
        ("rsa2048:aes128cfb", "|noda", Some(&modulus), SrkTemplate::TcgRsa),
    ];
    for (algorithm, attributes, unique, expected) in cases {
        with_srk_of(algorithm, attributes, unique, |tpm| {
            let found = tpm.ensure_srk(None);
            assert!(
                matches!(&found, Ok(Srk::Matched { template, .. }) if *template == expected),
                "{expected:?}: {found:?}"
            );
            // A session salted to each of them works.
            tpm.random(8).unwrap();
        });
    }
}

#[test]
fn a_foreign_key_is_named_and_left_alone() {
    with_srk_of("ecc384:aes128cfb", "|noda", None, |tpm| {
        let error = tpm.ensure_srk(None).unwrap_err();
        let SrkError::Foreign {
            name,
            expected: Some(expected),
            ..
        } = &error
        else {
            panic!("{error}")
        };
        assert!(
            error.to_string().contains(&name.to_string())
                && error.to_string().contains(&expected.to_string())
        );
        assert!(error.hint().is_some() && !error.is_credential());
        assert!(matches!(tpm.srk_state(None), Ok(SrkState::Foreign { .. })));
        assert!(matches!(
            tpm.srk_name(),
            Err(SrkError::Foreign { expected: None, .. })
        ));
    });
    // A key whose public area fits, but which another unique field gave.
    with_srk_of("ecc256:aes128cfb", "|noda", Some(&point(1)), |tpm| {
        assert!(matches!(tpm.ensure_srk(None), Err(SrkError::Foreign { .. })));
    });
}

#[test]
fn owned_by_someone_else() {
    let folder = tempfile::tempdir().unwrap();
    with_state(folder.path(), |tpm, swtpm| {
        tool(swtpm, "tpm2_changeauth -c owner theirs");
        let error = tpm.ensure_srk(None).unwrap_err();
        assert!(
            matches!(error, SrkError::OwnerAuth { .. }) && error.is_credential(),
            "{error}"
        );
        assert!(error.hint().unwrap().contains("--owner-auth"));
        assert!(matches!(
            tpm.ensure_srk(Some(&auth("wrong"))),
            Err(SrkError::OwnerAuth { .. })
        ));
        let name = tpm.ensure_srk(Some(&auth("theirs"))).unwrap().name().clone();
        assert!(matches!(tpm.srk_state(None), Err(SrkError::OwnerAuth { .. })));
        assert!(matches!(
            tpm.srk_state(Some(&auth("theirs"))),
            Ok(SrkState::Matches { .. })
        ));
        // Everyday use takes no owner auth.
        assert_eq!(tpm.srk_name(), Ok(name));
        assert_eq!(tpm.lockout().unwrap().counter, 0);
    });
}

#[test]
fn a_pinned_name_is_the_only_one_accepted() {
    let folder = tempfile::tempdir().unwrap();
    with_state(folder.path(), |tpm, _| {
        let name = tpm.ensure_srk(None).unwrap().name().clone();
        tpm.pin_srk(&name).unwrap();
        let mut text = name.to_string();
        text.replace_range(60.., "00000000");
        let error = tpm.pin_srk(&text.parse().unwrap()).unwrap_err();
        assert!(matches!(error, SrkError::NotPinned { .. }), "{error}");
        assert!(tpm.random(4).is_err());
    });
}

/// tpm2-pkcs11 and we live in one TPM, whoever came first.
#[test]
fn beside_tpm2_pkcs11() {
    let ours_first = tempfile::tempdir().unwrap();
    with_state(ours_first.path(), |tpm, swtpm| {
        let name = tpm.ensure_srk(None).unwrap().name().clone();
        initialise_pkcs11(swtpm, ours_first.path());
        assert_eq!(
            tpm.ensure_srk(None),
            Ok(Srk::Matched {
                name,
                template: SrkTemplate::Tcg
            })
        );
    });
    let theirs_first = tempfile::tempdir().unwrap();
    with_state(theirs_first.path(), |tpm, swtpm| {
        initialise_pkcs11(swtpm, theirs_first.path());
        let srk = tpm.ensure_srk(None);
        assert!(
            matches!(
                &srk,
                Ok(Srk::Matched {
                    template: SrkTemplate::Tpm2Pkcs11,
                    ..
                })
            ),
            "{srk:?}"
        );
        tpm.seal(&secret("1234"), crate::handle(0x8102_0000), None)
            .unwrap();
    });
}

fn initialise_pkcs11(swtpm: &Swtpm, folder: &std::path::Path) {
    let store = folder.join("store");
    std::fs::create_dir(&store).unwrap();
    let steps: [&[&str]; 2] = [
        &[
            "--init-token",
            "--label",
            "cr",
            "--so-pin",
            "12345678",
            "--slot-index",
            "0",
        ],
        &[
            "--init-pin",
            "--token-label",
            "cr",
            "--so-pin",
            "12345678",
            "--pin",
            "87654321",
        ],
    ];
    for step in steps {
        let output = Command::new("pkcs11-tool")
            .args(["--module", &tpm2_pkcs11_module()])
            .args(step)
            .env("TPM2_PKCS11_STORE", &store)
            .env("TPM2_PKCS11_TCTI", swtpm.tcti())
            .output()
            .expect("pkcs11-tool must be installed (Debian: opensc, libtpm2-pkcs11-1)");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        // It leaves an object behind.
        tool(swtpm, "tpm2_flushcontext -t");
    }
}
