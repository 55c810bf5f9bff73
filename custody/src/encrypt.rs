//! A secret to custodians: one age file that each of them can open.

use std::io::{self, Write};

use age::Encryptor;
use key_metadata::{Advice, Recipient};

use crate::armour::with_armour;
use crate::plugin::{PluginError, PluginRecipient, Plugins};

/// Why nothing was encrypted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncryptError {
    /// A recipient that age cannot encrypt to.
    #[error("age cannot encrypt to the recipient '{recipient}'")]
    Recipient {
        /// The recipient.
        recipient: String,
        /// The cause.
        source: RecipientProblem,
    },
    /// A plugin did not do its work.
    #[error("a plugin did not encrypt")]
    Plugin(#[source] PluginError),
    /// Recipients that must not be in one file, as one that resists quantum computers with one that does not.
    #[error("these recipients cannot be those of one file: {0}")]
    Incompatible(String),
    /// Nobody could open it.
    #[error("there is no recipient")]
    Nobody,
    /// Anything else.
    #[error("the secret could not be encrypted")]
    Io(#[source] io::Error),
}

/// What is wrong with a recipient.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecipientProblem {
    /// Not of its form.
    #[error("{0}")]
    Form(String),
    /// Its plugin is not there.
    #[error(transparent)]
    Plugin(PluginError),
}

impl Advice for EncryptError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Recipient { source, .. } => source.hint(),
            Self::Plugin(source) => source.hint(),
            Self::Incompatible(_) => Some("encrypt to each of them alone".to_owned()),
            Self::Nobody | Self::Io(_) => None,
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Plugin(source) => source.is_credential(),
            Self::Recipient { .. } | Self::Incompatible(_) | Self::Nobody | Self::Io(_) => false,
        }
    }
}

impl Advice for RecipientProblem {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Form(_) => Some(
                "it is the line that age-keygen -y or a plugin prints, or an ssh-ed25519 or ssh-rsa public key"
                    .to_owned(),
            ),
            Self::Plugin(source) => source.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}

/// Checks that age can encrypt to a recipient: its form, and that its plugin is there. Nothing is started.
pub fn check_recipient(recipient: &Recipient, plugins: &Plugins) -> Result<(), EncryptError> {
    parse(recipient, plugins).map(drop)
}

/// Encrypts to recipients, each of whom can open the file alone; in age's armour.
pub fn encrypt_to<'r>(
    recipients: impl IntoIterator<Item = &'r Recipient>,
    secret: &[u8],
    plugins: &Plugins,
) -> Result<Vec<u8>, EncryptError> {
    let recipients = recipients.into_iter();
    let parsed: Result<Vec<_>, _> = recipients.map(|it| parse(it, plugins)).collect();
    let parsed = parsed?;
    let borrowed = parsed.iter().map(|it| &**it as &dyn age::Recipient);
    let encryptor = Encryptor::with_recipients(borrowed).map_err(of_age)?;
    encrypt(encryptor, secret)
        .and_then(|binary| with_armour(&binary))
        .map_err(EncryptError::Io)
}

/// The secret in an age file, without armour.
pub(crate) fn encrypt(encryptor: Encryptor, secret: &[u8]) -> io::Result<Vec<u8>> {
    let mut file = Vec::new();
    let mut plain = encryptor.wrap_output(&mut file)?;
    plain.write_all(secret)?;
    plain.finish()?;
    Ok(file)
}

/// An error of ours on its way through the crate age.
pub(crate) fn within_age(error: PluginError) -> io::Error {
    io::Error::other(error)
}

/// What [`within_age`] put in, or what else there was.
pub(crate) fn out_of_age(error: io::Error) -> Result<PluginError, io::Error> {
    error.downcast::<PluginError>()
}

fn parse<'p>(
    recipient: &Recipient,
    plugins: &'p Plugins,
) -> Result<Box<dyn age::Recipient + 'p>, EncryptError> {
    let text = recipient.to_string();
    parse_text(&text, plugins).map_err(|source| EncryptError::Recipient {
        recipient: text,
        source,
    })
}

fn parse_text<'p>(
    text: &str,
    plugins: &'p Plugins,
) -> Result<Box<dyn age::Recipient + 'p>, RecipientProblem> {
    if text.starts_with("ssh-") {
        let key: Result<age::ssh::Recipient, _> = text.parse();
        return match key {
            Ok(key) => Ok(Box::new(key)),
            Err(error) => Err(RecipientProblem::Form(of_ssh(error))),
        };
    }
    match PluginRecipient::read(text, plugins) {
        Some(recipient) => {
            recipient.find().map_err(RecipientProblem::Plugin)?;
            Ok(Box::new(recipient))
        }
        None => {
            let key: Result<age::x25519::Recipient, &str> = text.parse();
            let key = key.map_err(|why| RecipientProblem::Form(why.to_owned()))?;
            Ok(Box::new(key))
        }
    }
}

fn of_ssh(error: age::ssh::ParseRecipientKeyError) -> String {
    use age::ssh::ParseRecipientKeyError as Why;
    match error {
        Why::Invalid(why) => why.to_owned(),
        Why::RsaModulusTooLarge => "its RSA modulus is too large".to_owned(),
        Why::RsaModulusTooSmall => "its RSA modulus has less than 2048 bits".to_owned(),
        Why::Unsupported(kind) => format!("age does not encrypt to keys of type {kind}"),
        // A line that age skips, and what the crate adds.
        _ => "it is no key that age knows".to_owned(),
    }
}

fn of_age(error: age::EncryptError) -> EncryptError {
    match error {
        age::EncryptError::Io(error) => match out_of_age(error) {
            Ok(error) => EncryptError::Plugin(error),
            Err(error) => EncryptError::Io(error),
        },
        age::EncryptError::MissingRecipients => EncryptError::Nobody,
        age::EncryptError::IncompatibleRecipients { .. } => EncryptError::Incompatible(error.to_string()),
        other => EncryptError::Io(io::Error::other(other)),
    }
}
