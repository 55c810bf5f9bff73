//! The harness's own equipment, before it is believed.

use std::error::Error;

use keyrite_tests::{Rig, Stack, TpmState};
use libtest_mimic::Trial;

type Outcome = Result<(), Box<dyn Error>>;

/// The trials of the equipment.
pub fn trials() -> Vec<Trial> {
    let trial = |state: TpmState| {
        Trial::test(format!("the TPM is {state}"), move || Ok(is_what_it_says(state)?)).with_kind("equipment")
    };
    TpmState::ALL.map(trial).into()
}

/// Whether the TPM works, it has a certificate, the site's files verify that, and it is of the TPM's own key.
fn is_what_it_says(state: TpmState) -> Outcome {
    let folder = tempfile::tempdir()?;
    let rig = Rig::new(folder.path(), Stack::Tpm, state)?;
    let mut seen = [false; 4];
    for (seen, script) in seen.iter_mut().zip([
        "tpm2_selftest",
        "tpm2_nvread -C o 0x1c00002 >../ek.der && openssl x509 -inform der -in ../ek.der -out ../ek.pem",
        "openssl verify -CAfile tpm/ek-roots/root.pem -untrusted tpm/ek-roots/issuer.pem ../ek.pem",
        "tpm2_readpublic -Q -c 0x81010001 -f pem -o ../ek && openssl x509 -in ../ek.pem -noout -pubkey | cmp - ../ek",
    ]) {
        *seen = sh(&rig, script)?.is_ok();
    }
    let expected = match state {
        TpmState::Fresh => [true, false, false, false],
        TpmState::Manufactured => [true, true, true, true],
        TpmState::ForeignCa | TpmState::TamperedEk => [true, true, false, true],
        TpmState::OtherEk => [true, true, true, false],
        TpmState::Failed => [false, false, false, false],
    };
    if seen == expected {
        Ok(())
    } else {
        Err(format!("it is {seen:?}, not {expected:?}").into())
    }
}

/// Runs a script in the site; what it said where it failed.
fn sh(rig: &Rig, script: &str) -> Result<Result<(), String>, Box<dyn Error>> {
    let output = rig
        .command("sh")
        .args(["-c", script])
        .env("PATH", "/usr/bin:/bin")
        .output()?;
    if output.status.success() {
        return Ok(Ok(()));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Ok(Err(format!("{script}\n{said}")))
}
