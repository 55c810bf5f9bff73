//! The crate against real software TPMs: a fresh one for each test.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod approval;
mod attestation;
mod authority_key;
mod bus;
mod clock;
mod connect;
mod duplication;
mod endorsement;
mod hierarchy;
mod import;
mod keys;
mod lockout;
mod nv;
mod pcr;
mod seal;
mod service;
mod srk;
mod statement;

use std::path::Path;

use key_metadata::{Algorithm, KeySpec, TpmHandle};
use keyrite_tpm::{AuthValue, Tpm};
use sandbox::Swtpm;
use secrecy::SecretString;

/// Runs a test with a fresh TPM that has an SRK, and checks that it leaves nothing behind.
fn with_tpm(test: impl FnOnce(&Tpm, &Swtpm)) {
    let folder = tempfile::tempdir().unwrap();
    with_state(folder.path(), |tpm, swtpm| {
        tpm.ensure_srk(None).unwrap();
        test(tpm, swtpm);
    });
}

/// The same with the TPM's state in that folder, and no SRK made.
fn with_state(state: &Path, test: impl FnOnce(&Tpm, &Swtpm)) {
    let swtpm =
        Swtpm::start(state).expect("swtpm and tpm2-tools must be installed (Debian: swtpm, tpm2-tools)");
    let tpm = connect(&swtpm);
    test(&tpm, &swtpm);
    let held = swtpm.leaked_handles().unwrap();
    assert!(
        held.iter()
            .filter(|handle| handle.contains("handles-loaded-session"))
            .count()
            <= 1,
        "{held:?}"
    );
    assert!(held.iter().all(|handle| handle.contains("session")), "{held:?}");
    drop(tpm);
    assert_eq!(swtpm.leaked_handles().unwrap(), Vec::<String>::new());
}

fn connect(swtpm: &Swtpm) -> Tpm {
    Tpm::connect(&swtpm.tcti().parse().unwrap()).unwrap()
}

/// Runs one of tpm2-tools, which must succeed.
fn tool(swtpm: &Swtpm, line: &str) -> String {
    let words: Vec<_> = line.split(' ').collect();
    let output = swtpm.tool(words[0], &words[1..]).unwrap();
    assert!(
        output.status.success(),
        "{line}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

/// Gives one wrong auth value where one is enough to lock the TPM.
fn lock(tpm: &Tpm, swtpm: &Swtpm) {
    tool(swtpm, "tpm2_dictionarylockout -s -n 1 -t 1000 -l 1000");
    let spec = KeySpec::new(Algorithm::EcdsaP256Sha256, None).unwrap();
    let key = tpm.create_key(spec, Some(&secret("right"))).unwrap();
    let key = tpm.load(&key, Some(&secret("wrong"))).unwrap();
    assert!(key.sign(Algorithm::EcdsaP256Sha256, b"data").is_err());
    assert!(tpm.lockout().unwrap().in_lockout);
}

fn auth(text: &str) -> AuthValue {
    AuthValue::from_text(&secret(text)).unwrap()
}

fn handle(number: u32) -> TpmHandle {
    number.try_into().unwrap()
}
