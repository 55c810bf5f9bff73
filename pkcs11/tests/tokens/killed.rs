//! An initialisation that is killed, at each of many moments, and run again.

use std::thread::sleep;
use std::time::Duration;

use keyrite_pkcs11::Token;
use sandbox::SoftHsm;

use crate::{Outcome, child, pin, softhsm_module, uri};

/// The kill comes after 0, 1, 2 ... 39 milliseconds, each time in a new store; the run takes about 35.
pub fn run() -> Outcome {
    for millis in 0..40 {
        let folder = tempfile::tempdir()?;
        let store = SoftHsm::new(folder.path())?;
        let mut command = child("initialise")?;
        command.env("SOFTHSM2_CONF", store.configuration());
        let mut killed = command.spawn()?;
        sleep(Duration::from_millis(millis));
        killed.kill()?;
        killed.wait()?;
        let output = command.output()?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            return Err(format!("killed after {millis} ms, then: {stderr}").into());
        }
    }
    Ok(())
}

/// Initialises the token and logs in.
pub fn initialise() -> Outcome {
    let module = softhsm_module()?;
    Token::initialise(&module, &"cr".parse()?, &pin("so-secret"), &pin("user-secret"))?;
    Token::open(&module, &uri("cr")?)?.login(&pin("user-secret"))?;
    Ok(())
}
