//! The harness's own equipment, before it is believed.

use std::error::Error;
use std::fs;

use keyrite_tests::{Rig, Stack, TpmState};
use libtest_mimic::Trial;

use crate::secrets;

type Outcome = Result<(), Box<dyn Error>>;

/// Every form in which a secret (stdin) is looked for, as others write it.
const FORMS: [&str; 6] = [
    "cat",
    "od -An -v -tx1 | tr -d ' \\n'",
    "od -An -v -tx1 | tr -d ' \\n' | tr a-f A-F",
    "base64 -w0",
    "(printf 1; cat; printf 2) | base64 -w0",
    "(printf 12; cat; printf 3) | base64 -w0",
];
/// Seals the bytes of ../secret; $OPTIONS are tpm2_create's.
const SEAL: &str = "cd .. && head -c 32 /dev/urandom >secret && tpm2_createprimary -Q -C o -c primary \
    && tpm2_create -Q -C primary -i secret -u public -r private $OPTIONS && tpm2_flushcontext -t \
    && tpm2_load -Q -C primary -u public -r private -c object && tpm2_flushcontext -t \
    && tpm2_evictcontrol -Q -C o -c object $HANDLE && tpm2_flushcontext -t";

/// The trials of the equipment.
pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        Trial::test("a secret is found in every form", || Ok(every_form()?)),
        Trial::test("what a policy guards is told to have been skipped", || {
            Ok(guarded()?)
        }),
    ];
    for state in TpmState::ALL {
        trials.push(Trial::test(format!("the TPM is {state}"), move || {
            Ok(is_what_it_says(state)?)
        }));
    }
    trials
        .into_iter()
        .map(|trial| trial.with_kind("equipment"))
        .collect()
}

fn every_form() -> Outcome {
    let folder = tempfile::tempdir()?;
    let rig = Rig::new(folder.path(), Stack::SoftHsm, TpmState::Fresh)?;
    must(
        &rig,
        &SEAL.replace("$OPTIONS", "").replace("$HANDLE", "0x8102001f"),
    )?;
    // Where the secret is kept: sealed; in a file; in a file, in hexadecimal.
    for keep in [
        "true".to_owned(),
        "tpm2_evictcontrol -Q -C o -c 0x8102001f && cp ../secret auth".to_owned(),
        format!("({}) <../secret >auth", FORMS[1]),
    ] {
        must(&rig, &keep)?;
        let skipped = secrets::search(&rig, "nothing")?;
        if !skipped.is_empty() {
            return Err(skipped.join(", ").into());
        }
        for form in FORMS {
            // In another folder the name does not make it the user's own.
            must(&rig, &format!("mkdir -p deep; ({form}) <../secret >deep/auth"))?;
            let leak = fs::read(rig.site().join("deep/auth"))?;
            let found = secrets::search(&rig, "nothing").is_err();
            must(&rig, "rm deep/auth")?;
            // What is no text is not printed.
            let printed = String::from_utf8(leak).map_or(true, |text| secrets::search(&rig, &text).is_err());
            if !found || !printed {
                return Err(format!("kept by '{keep}', it was not found after '{form}'").into());
            }
        }
    }
    Ok(())
}

fn guarded() -> Outcome {
    let folder = tempfile::tempdir()?;
    let rig = Rig::new(folder.path(), Stack::SoftHsm, TpmState::Fresh)?;
    must(&rig, "tpm2_createpolicy -Q --policy-pcr -l sha256:0 -L ../policy")?;
    let options = "-L policy -a 'fixedtpm|fixedparent'";
    must(
        &rig,
        &SEAL.replace("$OPTIONS", options).replace("$HANDLE", "0x81020000"),
    )?;
    match secrets::search(&rig, "nothing")?.as_slice() {
        // TPM_RC_POLICY_FAIL: it takes another policy than that of auth values.
        [skipped] if skipped.contains("0x81020000") && skipped.contains("(0x99D)") => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
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

fn must(rig: &Rig, script: &str) -> Outcome {
    Ok(sh(rig, script)??)
}
