use std::process::Command;

use key_metadata::Advice;
use keyrite_tpm::{ConnectError, Tpm};
use sandbox::Swtpm;
use secrecy::ExposeSecret;

use crate::{connect, with_state, with_tpm};

#[test]
fn nothing_there() {
    let tcti = "swtpm:host=127.250.250.250,port=4".parse().unwrap();
    let Err(error) = Tpm::connect(&tcti) else {
        panic!("connected to nothing")
    };
    assert_eq!(
        error.to_string(),
        "no TPM answers at swtpm:host=127.250.250.250,port=4"
    );
    assert!(error.is_credential() && error.hint().unwrap().contains("swtpm"));
    let Err(error) = Tpm::connect(&"device:/dev/null/tpm".parse().unwrap()) else {
        panic!("connected to nothing")
    };
    assert!(
        matches!(&error, ConnectError::Unreachable { .. }) && error.hint().unwrap().contains("tss"),
        "{error}"
    );
}

#[test]
fn a_tpm_that_was_not_started_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let swtpm = &Swtpm::start(folder.path()).unwrap();
    let host = swtpm.tcti().split(['=', ',']).nth(1).unwrap();
    let reset = Command::new("swtpm_ioctl")
        .args(["--tcp", &format!("{host}:2322"), "-i"])
        .status()
        .unwrap();
    assert!(reset.success());
    assert!(!swtpm.tool("tpm2_getrandom", &["4"]).unwrap().status.success());
    assert_eq!(connect(swtpm).random(4).unwrap().expose_secret().len(), 4);
}

#[test]
fn connections_take_turns() {
    let folder = tempfile::tempdir().unwrap();
    let swtpm = &Swtpm::start(folder.path()).unwrap();
    connect(swtpm).ensure_srk(None).unwrap();
    std::thread::scope(|scope| {
        // More than the TPM has session slots.
        for _ in 0..8 {
            scope.spawn(|| connect(swtpm).random(16).unwrap());
        }
    });
    assert!(swtpm.leaked_handles().unwrap().is_empty());
}

#[test]
fn info_says_that_it_is_software() {
    with_tpm(|tpm, _| {
        let info = tpm.info().unwrap();
        assert_eq!(
            (info.manufacturer.as_str(), info.vendor.as_str()),
            ("IBM", "SW   TPM")
        );
        assert!(info.is_software() && info.revision >= 138, "{info:?}");
    });
}

#[test]
fn random_bytes_with_and_without_an_srk() {
    let folder = tempfile::tempdir().unwrap();
    with_state(folder.path(), |tpm, _| {
        let first = tpm.random(100).unwrap();
        tpm.ensure_srk(None).unwrap();
        let second = tpm.random(100).unwrap();
        assert_eq!(
            (first.expose_secret().len(), second.expose_secret().len()),
            (100, 100)
        );
        assert_ne!(first.expose_secret(), second.expose_secret());
        assert!(tpm.random(0).unwrap().expose_secret().is_empty());
    });
}

#[test]
fn bytes_that_test_the_generator_come_in_any_number_and_take_no_session() {
    with_tpm(|tpm, swtpm| {
        for length in [0, 1, 63, 64, 65, 1000] {
            assert_eq!(tpm.throwaway_random(length).unwrap().len(), length);
        }
        assert_ne!(
            *tpm.throwaway_random(64).unwrap(),
            *tpm.throwaway_random(64).unwrap()
        );
        assert!(swtpm.leaked_handles().unwrap().is_empty());
    });
}

#[test]
fn clones_share_the_connection_between_threads() {
    with_tpm(|tpm, _| {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let tpm = tpm.clone();
                scope.spawn(move || (0..5).for_each(|_| drop(tpm.random(8).unwrap())));
            }
        });
    });
}
