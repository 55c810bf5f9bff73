//! Auth values to custodians: one age file that each of them can open.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use age::armor::{ArmoredWriter, Format};
use age::{Encryptor, Recipient as AgeRecipient};
use cli::{Exit, Failure, Outcome};
use key_metadata::Recipient;
use key_metadata::store::replace;
use secrecy::ExposeSecret;
use tpm::AuthValue;

/// Writes the auth value to `path`, as `hex:` and its digits, for those custodians. The file is on the disk when this returns.
pub fn deliver(auth: &AuthValue, custodians: &BTreeMap<String, Recipient>, path: &Path) -> Outcome {
    let recipients = recipients(custodians)?;
    let encrypted = encrypt(auth, &recipients).map_err(|error| {
        Failure::of(Exit::Failed, &error).within("an auth value could not be encrypted to the custodians")
    })?;
    replace(path, |out| out.write_all(&encrypted))?;
    Ok(())
}

/// Checks that age can encrypt to each custodian.
pub fn check(custodians: &BTreeMap<String, Recipient>) -> Outcome {
    recipients(custodians).map(drop)
}

fn recipients(custodians: &BTreeMap<String, Recipient>) -> Outcome<Vec<Box<dyn AgeRecipient>>> {
    custodians
        .iter()
        .map(|(name, recipient)| parse(name, &recipient.to_string()))
        .collect()
}

fn parse(name: &str, text: &str) -> Outcome<Box<dyn AgeRecipient>> {
    let wrong = |why: String| {
        let failure = Failure::new(
            Exit::Usage,
            format!("custodians.{name}: age cannot encrypt to this recipient"),
        );
        failure.because(why).hint(
            "it is the line that age-keygen -y prints, or an ssh-ed25519 or ssh-rsa public key".to_owned(),
        )
    };
    if text.starts_with("ssh-") {
        let key: age::ssh::Recipient = text.parse().map_err(|error| wrong(format!("{error:?}")))?;
        return Ok(Box::new(key));
    }
    let key: age::x25519::Recipient = text.parse().map_err(|error: &str| wrong(error.to_owned()))?;
    Ok(Box::new(key))
}

fn encrypt(auth: &AuthValue, recipients: &[Box<dyn AgeRecipient>]) -> io::Result<Vec<u8>> {
    let borrowed = recipients
        .iter()
        .map(|recipient| &**recipient as &dyn AgeRecipient);
    let encryptor = Encryptor::with_recipients(borrowed).map_err(io::Error::other)?;
    let mut file = Vec::new();
    let armor = ArmoredWriter::wrap_output(&mut file, Format::AsciiArmor)?;
    let mut plain = encryptor.wrap_output(armor)?;
    plain.write_all(auth.to_text().expose_secret().as_bytes())?;
    plain.write_all(b"\n")?;
    plain.finish()?.finish()?;
    Ok(file)
}
