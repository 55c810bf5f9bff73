//! Auth values to custodians: one age file that each of them can open.

use std::collections::BTreeMap;
use std::env;
use std::path::Path;

use cli::{Exit, Failure, Outcome, dialogue};
use custody::{Dialogue, Plugins, check_recipient, encrypt_to};
use key_metadata::store::replace;
use key_metadata::{Advice, Recipient};
use secrecy::ExposeSecret;
use tpm::AuthValue;
use zeroize::Zeroizing;

/// Writes the auth value to `path`, as `hex:` and its digits, for those custodians. The file is on the disk when this returns.
pub fn deliver(auth: &AuthValue, custodians: &BTreeMap<String, Recipient>, path: &Path) -> Outcome {
    let text = auth.to_text();
    let line = Zeroizing::new([text.expose_secret().as_bytes(), b"\n"].concat());
    let encrypted = encrypt_to(custodians.values(), &line, &plugins()).map_err(|error| {
        Failure::from(error).within("an auth value could not be encrypted to the custodians")
    })?;
    replace(path, |out| out.write_all(&encrypted))?;
    Ok(())
}

/// Checks that age can encrypt to each custodian, before anything is changed.
pub fn check(custodians: &BTreeMap<String, Recipient>) -> Outcome {
    let plugins = plugins();
    for (name, recipient) in custodians {
        check_recipient(recipient, &plugins).map_err(|error| {
            Failure::of(Exit::Usage, &error)
                .within(format!("custodians.{name} cannot get an auth value"))
                .hint(error.hint())
        })?;
    }
    Ok(())
}

fn plugins() -> Plugins {
    let dialogue = Dialogue {
        tell: dialogue::tell,
        ask: dialogue::ask,
        ask_secret: dialogue::ask_secret,
        choose: dialogue::choose,
    };
    Plugins::new(env::var_os("PATH"), env::var_os("HOME"), dialogue)
}
