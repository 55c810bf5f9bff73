//! Throws of dice, which make the secret one that no generator's maker knows.

use std::ffi::OsStr;
use std::path::Path;

use cli::{Exit, Failure, Outcome, parse_pin_source, read_pin};
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

/// The throws as digits 1 to 6, blanks left out; none where no source is given.
pub fn read(source: Option<&OsStr>) -> Outcome<Zeroizing<Vec<u8>>> {
    let Some(source) = source else {
        return Ok(Zeroizing::new(Vec::new()));
    };
    let source = parse_pin_source("--dice", source)?;
    let no_tpm = |_| Err(Failure::new(Exit::Usage, "throws of dice do not come from a TPM"));
    let text = read_pin(&source, "the throws of dice, 1 to 6 each", Path::new(""), no_tpm)?;
    let mut throws = Zeroizing::new(Vec::with_capacity(text.expose_secret().len()));
    for byte in text.expose_secret().bytes() {
        match byte {
            b'1'..=b'6' => throws.push(byte),
            b' ' => {}
            _ => {
                return Err(Failure::new(
                    Exit::Failed,
                    "a throw of a die is a digit from 1 to 6",
                ));
            }
        }
    }
    Ok(throws)
}
