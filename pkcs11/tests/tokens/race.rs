//! SoftHSM's login race: its C_Login rewrites token.object, and whoever starts meanwhile finds no token.

use std::process::{Child, Stdio};

use key_metadata::{Algorithm, Extractability, KeySpec};
use keyrite_pkcs11::Token;
use sandbox::SoftHsm;

use crate::softhsm::sign_in_threads;
use crate::{Outcome, child as program, id, pin, ready, softhsm_module, uri};

const PROCESSES: usize = 8;
const ROUNDS: usize = 20;

/// Eight processes at once, twenty times: each loads, opens, logs in and signs in two threads while the others start; none may fail.
///
/// Without the lock, 36 to 57 of 160 failed (SoftHSM 2.6.1, two cores).
pub fn run() -> Outcome {
    let folder = tempfile::tempdir()?;
    let store = SoftHsm::new(folder.path())?;
    let start = |name| {
        let mut command = program(name)?;
        command
            .env("SOFTHSM2_CONF", store.configuration())
            .stderr(Stdio::piped())
            .spawn()
    };
    let mut failures = finish(vec![start("prepare")?])?;
    for _ in 0..ROUNDS {
        let started: Result<Vec<Child>, _> = (0..PROCESSES).map(|_| start("sign")).collect();
        failures.extend(finish(started?)?);
    }
    match failures.first() {
        None => Ok(()),
        Some(first) => Err(format!(
            "{} of {} failed, first: {first}",
            failures.len(),
            PROCESSES * ROUNDS
        )
        .into()),
    }
}

fn finish(children: Vec<Child>) -> std::io::Result<Vec<String>> {
    let mut failures = Vec::new();
    for child in children {
        let output = child.wait_with_output()?;
        if !output.status.success() {
            failures.push(String::from_utf8_lossy(&output.stderr).into_owned());
        }
    }
    Ok(failures)
}

/// The token that the race is about.
pub fn prepare() -> Outcome {
    let spec = KeySpec::new(Algorithm::EcdsaP256Sha256, None)?;
    ready(&softhsm_module()?, "cr")?.generate(spec, id(1), "zsk", Extractability::Never)?;
    Ok(())
}

/// One process of the race.
pub fn sign() -> Outcome {
    let token = Token::open(&softhsm_module()?, &uri("cr")?)?;
    token.login(&pin("user-secret"))?;
    let algorithm = Algorithm::EcdsaP256Sha256;
    let public = token.key(id(1))?.public_key(algorithm)?;
    sign_in_threads(&token, algorithm, &public, 2, 10)
}
