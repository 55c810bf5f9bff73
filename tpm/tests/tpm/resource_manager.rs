//! Through tpm2-abrmd, whose bus is named by the environment: the test runs itself again with it.

use std::process::Command;

use key_metadata::{Algorithm, KeySpec};
use keyrite_tpm::Tpm;
use sandbox::{Abrmd, Swtpm};
use secrecy::ExposeSecret;

use crate::{handle, secret};

#[test]
fn keys_and_secrets_through_the_resource_manager() {
    let folder = tempfile::tempdir().unwrap();
    let swtpm = Swtpm::start(&folder.path().join("tpm")).unwrap();
    let abrmd = Abrmd::start(folder.path(), &swtpm)
        .expect("tpm2-abrmd must be installed (Debian: tpm2-abrmd, libtss2-tcti-tabrmd0, dbus-daemon)");
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "resource_manager::inside", "--ignored", "--nocapture"])
        .env("DBUS_SESSION_BUS_ADDRESS", abrmd.bus())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    drop(abrmd);
    assert_eq!(swtpm.leaked_handles().unwrap(), Vec::<String>::new());
}

#[test]
#[ignore = "run by keys_and_secrets_through_the_resource_manager"]
fn inside() {
    let tpm = Tpm::connect(&Abrmd::TCTI.parse().unwrap()).unwrap();
    tpm.ensure_srk(None).unwrap();
    tpm.seal(&secret("1234"), handle(0x8102_0000), None).unwrap();
    assert_eq!(tpm.unseal(handle(0x8102_0000)).unwrap().expose_secret(), "1234");
    let auth = secret("a PIN");
    let spec = KeySpec::new(Algorithm::EcdsaP256Sha256, None).unwrap();
    let blob = tpm.create_key(spec, Some(&auth)).unwrap();
    // More keys than the TPM has slots: the resource manager swaps them.
    let keys: Vec<_> = (0..6).map(|_| tpm.load(&blob, Some(&auth)).unwrap()).collect();
    for _ in 0..3 {
        for key in &keys {
            assert_eq!(key.sign(Algorithm::EcdsaP256Sha256, b"data").unwrap().len(), 64);
        }
    }
}
