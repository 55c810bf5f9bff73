//! Tokens as they are: SoftHSM, kryoptic, tpm2-pkcs11 over a software TPM, and opencryptoki's in software and under a TPM 1.2. Nothing is mocked,
//! and a missing module fails.
//!
//! A module reads its store's place from the environment of its process, so each test runs in a process of its own: this program
//! again, with `--child` and the test's name.

mod import;
mod inventory;
mod killed;
mod kryoptic;
mod log_key;
mod opencryptoki;
mod pins;
mod probe;
mod race;
mod softhsm;
mod tpm2_pkcs11;
mod wrapping;

use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use key_metadata::{KeyId, TokenUri};
use keyrite_pkcs11::{Initialised, Module, Token};
use libtest_mimic::{Arguments, Failed, Trial};
use sandbox::{Abrmd, Kryoptic, Opencryptoki, SoftHsm, Swtpm};
use secrecy::SecretString;

/// What a test came to.
pub type Outcome = Result<(), Box<dyn Error>>;
/// The work of a test, in its own process.
pub type Body = fn() -> Outcome;

/// The processes of the tests that need several.
const PARTS: &[(&str, Body)] = &[
    ("prepare", race::prepare),
    ("sign", race::sign),
    ("initialise", killed::initialise),
    ("make the log key", log_key::make),
    ("make a key that leaves", wrapping::prepare),
    ("restore", wrapping::restore),
    ("restore again", wrapping::restore_again),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, child, name] = arguments.as_slice()
        && child == "--child"
    {
        return run_child(name);
    }
    let softhsm = softhsm::TESTS
        .iter()
        .map(|(name, _)| trial("softhsm", name, in_softhsm));
    let kryoptic = kryoptic::TESTS
        .iter()
        .map(|(name, _)| trial("kryoptic", name, in_kryoptic));
    let tpm = tpm2_pkcs11::TESTS
        .iter()
        .map(|(name, _)| trial("tpm2-pkcs11", name, in_tpm));
    let refusal = Opencryptoki::refusal();
    let opencryptoki = |kind, tests: &'static [(&'static str, Body)], run: fn(&str) -> Outcome| {
        let refusal = &refusal;
        tests.iter().map(move |(name, _)| match refusal {
            // Ignored, by name and with the reason.
            Ok(Some(reason)) => {
                trial(&format!("{kind} (ignored, {reason})"), name, run).with_ignored_flag(true)
            }
            Ok(None) | Err(_) => trial(kind, name, run),
        })
    };
    let soft = opencryptoki("opencryptoki-soft", opencryptoki::SOFT, in_opencryptoki);
    let tpm12 = opencryptoki("tpm12", opencryptoki::TPM12, in_tpm12);
    let processes = [
        Trial::test(
            "softhsm: processes that start at once all find their token",
            || Ok(race::run()?),
        ),
        Trial::test(
            "softhsm: an initialisation killed anywhere is completed by the next",
            || Ok(killed::run()?),
        ),
        Trial::test(
            "softhsm: a log key whose making was killed anywhere is made by the next run",
            || Ok(log_key::killed()?),
        ),
        Trial::test(
            "softhsm: a restore killed anywhere leaves what is told and removed, and the next is whole",
            || Ok(wrapping::killed()?),
        ),
    ];
    libtest_mimic::run(
        &Arguments::from_args(),
        softhsm
            .chain(kryoptic)
            .chain(tpm)
            .chain(soft)
            .chain(tpm12)
            .chain(processes)
            .collect(),
    )
    .exit_code()
}

fn trial(kind: &str, name: &'static str, run: fn(&str) -> Outcome) -> Trial {
    Trial::test(format!("{kind}: {name}"), move || run(name).map_err(Failed::from))
}

fn run_child(name: &str) -> ExitCode {
    let body = softhsm::TESTS
        .iter()
        .chain(kryoptic::TESTS)
        .chain(tpm2_pkcs11::TESTS)
        .chain(opencryptoki::SOFT)
        .chain(opencryptoki::TPM12)
        .chain(PARTS)
        .find(|(known, _)| *known == name);
    let result = match body {
        Some((_, body)) => body(),
        None => Err(format!("there is no test '{name}'").into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&*error);
            ExitCode::FAILURE
        }
    }
}

/// The whole chain of an error on stderr, which the parent shows.
#[expect(
    clippy::print_stderr,
    reason = "a test's process tells its parent what failed"
)]
fn report(error: &dyn Error) {
    eprintln!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("cause: {error}");
        cause = error.source();
    }
}

fn in_softhsm(name: &str) -> Outcome {
    let folder = tempfile::tempdir()?;
    let store = SoftHsm::new(folder.path())?;
    wait_for(child(name)?.env("SOFTHSM2_CONF", store.configuration()))
}

/// With a SoftHSM store beside it.
fn in_kryoptic(name: &str) -> Outcome {
    let folder = tempfile::tempdir()?;
    let (softhsm, kryoptic) = (SoftHsm::new(folder.path())?, Kryoptic::new(folder.path(), 2)?);
    wait_for(
        child(name)?
            .env("SOFTHSM2_CONF", softhsm.configuration())
            .env("KRYOPTIC_CONF", kryoptic.configuration()),
    )
}

fn in_tpm(name: &str) -> Outcome {
    let folder = tempfile::tempdir()?;
    let swtpm = Swtpm::start(&folder.path().join("tpm"))?;
    let abrmd = Abrmd::start(folder.path(), &swtpm)?;
    let store = folder.path().join("store");
    std::fs::create_dir(&store)?;
    let outcome = wait_for(
        child(name)?
            .env("TPM2_PKCS11_STORE", store)
            .env("TPM2_PKCS11_TCTI", Abrmd::TCTI)
            .env("DBUS_SESSION_BUS_ADDRESS", abrmd.bus())
            .env("TSS2_LOG", "all+NONE"),
    );
    drop(abrmd);
    drop(swtpm);
    outcome
}

fn in_opencryptoki(name: &str) -> Outcome {
    let folder = tempfile::tempdir()?;
    let soft = Opencryptoki::soft(folder.path())?;
    wait_for(&mut child_in(&soft, folder.path(), name)?)
}

fn in_tpm12(name: &str) -> Outcome {
    let folder = tempfile::tempdir()?;
    let tpm12 = Opencryptoki::tpm12(folder.path())?;
    wait_for(&mut child_in(&tpm12, folder.path(), name)?)
}

/// This program as a child beside the slot daemon.
fn child_in(opencryptoki: &Opencryptoki, folder: &Path, name: &str) -> std::io::Result<Command> {
    let mut command = opencryptoki.command(std::env::current_exe()?, folder);
    command.args(["--child", name]).stdin(Stdio::null());
    Ok(command)
}

/// This program as a child, in an empty environment.
pub fn child(name: &str) -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--child", name]).env_clear().stdin(Stdio::null());
    Ok(command)
}

fn wait_for(command: &mut Command) -> Outcome {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr)).into())
}

/// SoftHSM, over the store of this process.
pub fn softhsm_module() -> Result<Module, keyrite_pkcs11::LoadError> {
    Module::load(Path::new(sandbox::SOFTHSM_MODULE))
}

/// tpm2-pkcs11, over the store and the TPM of this process.
pub fn tpm_module() -> Result<Module, keyrite_pkcs11::LoadError> {
    Module::load(Path::new(&sandbox::tpm2_pkcs11_module()))
}

/// The token of that label.
pub fn uri(label: &str) -> Result<TokenUri, Box<dyn Error>> {
    Ok(TokenUri::of_token(label.parse()?))
}

/// A PIN.
pub fn pin(text: &str) -> SecretString {
    SecretString::from(text)
}

/// A key id of sixteen times that byte.
pub fn id(byte: u8) -> KeyId {
    KeyId::from_random([byte; 16])
}

/// A new token of that label, opened and logged in to.
pub fn ready(module: &Module, label: &str) -> Result<Token, Box<dyn Error>> {
    let made = Token::initialise(module, &label.parse()?, &pin("so-secret"), &pin("user-secret"))?;
    assert_eq!(made, Initialised::New);
    let token = Token::open(module, &uri(label)?)?;
    token.login(&pin("user-secret"))?;
    Ok(token)
}
