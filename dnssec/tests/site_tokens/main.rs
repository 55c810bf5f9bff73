//! A site's tokens as they are: SoftHSM, and a software TPM with native keys. Nothing is mocked.
//!
//! SoftHSM reads its store's place from the environment of its process, so each test runs in a process of its own: this program again,
//! with `--child` and the test's name.

mod files;
mod resigning;
mod signing;
mod softhsm;
mod tpm;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::LazyLock;

use key_metadata::Backup;
use key_metadata::{
    Extractability, KeyId, KeyRecord, KeyReference, KeyState, KeyTimes, PublicKey, Role, SiteFolder, Time,
    TokenName, ZoneName,
};
use keyrite_dnssec::{KeyOwner, SiteTokens};
use libtest_mimic::{Arguments, Failed, Trial};
use sandbox::SoftHsm;
use secrecy::SecretString;

/// What a test came to.
pub type Outcome = Result<(), Box<dyn Error>>;
/// The work of a test, in its own process and folder.
pub type Body = fn(&Path) -> Outcome;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, child, name, folder] = arguments.as_slice()
        && child == "--child"
    {
        return run_child(name, Path::new(folder));
    }
    let trials = tests().map(|(name, _)| Trial::test(*name, || run(name).map_err(Failed::from)));
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

fn tests() -> impl Iterator<Item = &'static (&'static str, Body)> {
    softhsm::TESTS
        .iter()
        .chain(signing::TESTS)
        .chain(resigning::TESTS)
        .chain(tpm::TESTS)
        .chain(files::TESTS)
}

fn run(name: &str) -> Outcome {
    let folder = tempfile::tempdir()?;
    let store = SoftHsm::new(folder.path())?;
    let output = Command::new(std::env::current_exe()?)
        .args(["--child", name])
        .arg(folder.path())
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("SOFTHSM2_CONF", store.configuration())
        .env("TSS2_LOG", "all+NONE")
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr)).into())
}

#[expect(
    clippy::print_stderr,
    reason = "a test's process tells its parent what failed"
)]
fn run_child(name: &str, folder: &Path) -> ExitCode {
    let test = tests().find(|(known, _)| *known == name);
    let Some((_, body)) = test else {
        eprintln!("there is no test '{name}'");
        return ExitCode::FAILURE;
    };
    let Err(error) = body(folder) else {
        return ExitCode::SUCCESS;
    };
    eprintln!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("cause: {error}");
        cause = error.source();
    }
    ExitCode::FAILURE
}

/// A site with those tokens, by name and address.
pub fn site(folder: &Path, tokens: &[(&str, String)]) -> Result<SiteFolder, Box<dyn Error>> {
    let folder = folder.join("site");
    fs::create_dir(&folder)?;
    let mut text = "version: 1\ntokens:\n".to_owned();
    for (name, address) in tokens {
        text += &format!("  {name}:\n    address: {address}\n    pin: prompt\n");
    }
    fs::write(folder.join("site.yaml"), text + "zones: {}\n")?;
    Ok(SiteFolder::open(&folder)?)
}

/// A token's name.
pub fn name(text: &str) -> Result<TokenName, Box<dyn Error>> {
    Ok(text.parse()?)
}

/// The PIN of every token here.
pub fn pin() -> SecretString {
    SecretString::from("user-secret")
}

/// A key id of sixteen times that byte.
pub fn id(byte: u8) -> KeyId {
    KeyId::from_random([byte; 16])
}

/// Whose every key here is.
#[expect(clippy::unwrap_used, reason = "a name and a time that are right")]
pub fn owner() -> KeyOwner<'static> {
    static CR: LazyLock<(ZoneName, Time)> =
        LazyLock::new(|| ("cr".parse().unwrap(), "2026-11-23T10:00:00Z".parse().unwrap()));
    KeyOwner {
        zone: &CR.0,
        role: Role::Zsk,
        now: CR.1,
    }
}

/// A record of that key.
pub fn record(
    id: KeyId,
    public_key: PublicKey,
    reference: KeyReference,
) -> Result<KeyRecord, Box<dyn Error>> {
    Ok(KeyRecord {
        id,
        role: Role::Zsk,
        public_key,
        reference,
        state: KeyState::Generated,
        times: KeyTimes::generated("2026-11-23T10:00:00Z".parse()?),
        backup: Backup {
            extractability: Extractability::Never,
            bundles: Vec::new(),
        },
    })
}

/// Whether the key that is found in that token signs as the record's.
pub fn proves(tokens: &SiteTokens<'_>, token: &str, key: &KeyRecord) -> Result<bool, Box<dyn Error>> {
    match tokens.signing_key_in(&name(token)?, key)? {
        Some(found) => {
            found.prove(&key.public_key, b"a nonce")?;
            Ok(true)
        }
        None => Ok(false),
    }
}
