//! Through tpm2-abrmd. The C library finds its bus by the environment, so this program runs itself again with that set.

#![expect(clippy::unwrap_used, reason = "what a test needs and lacks is a failure")]

use std::process::{Command, ExitCode};

use key_metadata::{Algorithm, KeySpec, NvIndex, TpmHandle};
use keyrite_tpm::{Anchor, AttestationKey, Credential, EkPublicKey, EkTemplate, Holds, PcrValues, Tpm};
use libtest_mimic::{Arguments, Failed, Trial};
use sandbox::{Abrmd, Swtpm};
use secrecy::{ExposeSecret, SecretString};

const INSIDE: &str = "KEYRITE_TEST_INSIDE";

fn main() -> ExitCode {
    if std::env::var_os(INSIDE).is_some() {
        inside();
        return ExitCode::SUCCESS;
    }
    let trial = Trial::test("keys_and_secrets_through_the_resource_manager", outside);
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

fn outside() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let swtpm = Swtpm::start(&folder.path().join("tpm"))?;
    // Debian: tpm2-abrmd, libtss2-tcti-tabrmd0, dbus-daemon.
    let abrmd = Abrmd::start(folder.path(), &swtpm)?;
    let output = Command::new(std::env::current_exe()?)
        .env(INSIDE, "1")
        .env("DBUS_SESSION_BUS_ADDRESS", abrmd.bus())
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    drop(abrmd);
    let leaked = swtpm.leaked_handles()?;
    if leaked.is_empty() {
        Ok(())
    } else {
        Err(leaked.join(", ").into())
    }
}

fn inside() {
    let tpm = Tpm::connect(&Abrmd::TCTI.parse().unwrap()).unwrap();
    tpm.ensure_srk(None).unwrap();
    let (handle, pin) = (0x8102_0000.try_into().unwrap(), SecretString::from("1234"));
    let (at, template) = (0x8101_0020.try_into().unwrap(), EkTemplate::P384);
    let ak = tpm.create_attestation_key(at, template, None, None).unwrap();
    let ek = tpm.endorsement_key(template, None).unwrap();
    let ek = EkPublicKey::from_spki(&ek.spki).unwrap();
    let credential = Credential::make(template, &ek, ak.name(), b"secret").unwrap();
    let given = tpm.activate(&credential, at, template, None).unwrap();
    assert_eq!(given.as_slice(), b"secret");
    let statement = tpm.attest(at, b"nonce").unwrap();
    statement
        .verify_quote(ak.spki(), b"nonce", &PcrValues::new())
        .unwrap();
    seal(&tpm, at, &ak);
    tpm.seal(&pin, handle, None).unwrap();
    assert_eq!(tpm.unseal(handle).unwrap().expose_secret(), "1234");
    tpm.simulate_update().unwrap();
    let spec = KeySpec::new(Algorithm::EcdsaP256Sha256, None).unwrap();
    let blob = tpm.create_key(spec, Some(&pin)).unwrap();
    // More keys than the TPM has slots: the resource manager swaps them.
    let keys: Vec<_> = (0..6).map(|_| tpm.load(&blob, Some(&pin)).unwrap()).collect();
    for key in keys.iter().cycle().take(18) {
        assert_eq!(key.sign(Algorithm::EcdsaP256Sha256, b"data").unwrap().len(), 64);
    }
}

/// The log's anchors: their commands go through a connection of their own.
fn seal(tpm: &Tpm, at: TpmHandle, ak: &AttestationKey) {
    let index: NvIndex = "0x01800020".parse().unwrap();
    tpm.define_anchor(Anchor::Log, index, None).unwrap();
    tpm.extend_log(index, &[7; 32]).unwrap();
    let value = tpm.log_value(index).unwrap().unwrap();
    let before = tpm.clock().unwrap();
    let statement = tpm.certify_nv(at, Anchor::Log, index, b"checkpoint").unwrap();
    let name = Anchor::Log.name(index, Holds::Something).unwrap();
    let shown = statement.verify_log(ak.spki(), b"checkpoint", &name).unwrap();
    assert_eq!(shown.value, value);
    assert!(shown.clock.clock_ms >= before.clock_ms);
}
