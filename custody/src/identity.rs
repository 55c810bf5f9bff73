//! Who opens: a file of age's or OpenSSH's private keys.

use key_metadata::Advice;

use crate::armour::is_age;
use crate::passphrase::{OpenError, open_with_passphrase};
use crate::plugin::{PluginIdentity, Plugins};

/// A private key, or what a plugin finds one by.
pub struct Identity(pub(crate) Kind);

pub(crate) enum Kind {
    X25519(age::x25519::Identity),
    Ssh(age::ssh::Identity),
    Plugin(PluginIdentity),
}

/// Why a file has no identities. None quotes the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A line that is none.
    #[error("line {line} of {file} is no identity of age")]
    Line {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
    },
    /// No line at all.
    #[error("{file} has no identity in it")]
    Empty {
        /// The file.
        file: String,
    },
    /// A private key of another kind.
    #[error("{file} is no private key that age can decrypt with: {why}")]
    Key {
        /// The file.
        file: String,
        /// Why not.
        why: String,
    },
    /// Nobody gave the passphrase.
    #[error("{file} has a passphrase, and nobody gave it")]
    NoPassphrase {
        /// The file.
        file: String,
    },
    /// A wrong one.
    #[error("the passphrase of {file} is wrong")]
    WrongPassphrase {
        /// The file.
        file: String,
    },
    /// A file that age encrypted with a passphrase does not open.
    #[error("{file} does not open")]
    Sealed {
        /// The file.
        file: String,
        /// The cause.
        source: OpenError,
    },
}

impl Advice for IdentityError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Line { .. } | Self::Empty { .. } | Self::Key { .. } => Some(
                "it is what age-keygen or a plugin wrote, or a private key of OpenSSH: ed25519 or rsa"
                    .to_owned(),
            ),
            Self::NoPassphrase { .. } => Some("run this at a terminal".to_owned()),
            Self::WrongPassphrase { .. } => None,
            Self::Sealed { source, .. } => source.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::NoPassphrase { .. } | Self::WrongPassphrase { .. } => true,
            Self::Sealed { source, .. } => source.is_credential(),
            Self::Line { .. } | Self::Empty { .. } | Self::Key { .. } => false,
        }
    }
}

impl Identity {
    /// Reads a file of identities: age's own and plugins', one in a line, or a private key of OpenSSH. `file` is its name; a passphrase is
    /// asked for at once.
    pub fn read_file(file: &str, bytes: &[u8], plugins: &Plugins) -> Result<Vec<Self>, IdentityError> {
        if bytes.starts_with(b"-----BEGIN ") && !is_age(bytes) {
            return Ok(vec![ssh(file, bytes, plugins)?]);
        }
        if !is_age(bytes) {
            return lines(file, bytes);
        }
        let named = || file.to_owned();
        let passphrase = (plugins.dialogue().ask_secret)(&format!("the passphrase of {file}"));
        let passphrase = passphrase.ok_or_else(|| IdentityError::NoPassphrase { file: named() })?;
        match open_with_passphrase(&passphrase, bytes) {
            Ok(text) => lines(file, &text),
            Err(OpenError::WrongPassphrase) => Err(IdentityError::WrongPassphrase { file: named() }),
            Err(source) => Err(IdentityError::Sealed {
                file: named(),
                source,
            }),
        }
    }
}

fn lines(file: &str, bytes: &[u8]) -> Result<Vec<Identity>, IdentityError> {
    let mut identities = Vec::new();
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let line = line.strip_suffix(b"\r").map_or(line, |line| line);
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let identity = std::str::from_utf8(line).ok().and_then(of_line);
        identities.push(identity.ok_or_else(|| IdentityError::Line {
            file: file.to_owned(),
            line: number,
        })?);
    }
    if identities.is_empty() {
        return Err(IdentityError::Empty {
            file: file.to_owned(),
        });
    }
    Ok(identities)
}

fn of_line(line: &str) -> Option<Identity> {
    match PluginIdentity::read(line) {
        Some(identity) => Some(Identity(Kind::Plugin(identity))),
        None => line.parse().ok().map(|key| Identity(Kind::X25519(key))),
    }
}

fn ssh(file: &str, bytes: &[u8], plugins: &Plugins) -> Result<Identity, IdentityError> {
    let file = file.to_owned();
    let identity = match age::ssh::Identity::from_buffer(bytes, Some(file.clone())) {
        Ok(identity) => identity,
        Err(_) => {
            let why = "it is damaged".to_owned();
            return Err(IdentityError::Key { file, why });
        }
    };
    match identity {
        age::ssh::Identity::Unencrypted(_) => Ok(Identity(Kind::Ssh(identity))),
        age::ssh::Identity::Encrypted(key) => {
            let passphrase = (plugins.dialogue().ask_secret)(&format!("the passphrase of {file}"));
            let Some(passphrase) = passphrase else {
                return Err(IdentityError::NoPassphrase { file });
            };
            match key.decrypt(passphrase) {
                Ok(key) => Ok(Identity(Kind::Ssh(key.into()))),
                Err(_) => Err(IdentityError::WrongPassphrase { file }),
            }
        }
        age::ssh::Identity::Unsupported(why) => Err(IdentityError::Key {
            file,
            why: unsupported(why),
        }),
    }
}

fn unsupported(key: age::ssh::UnsupportedKey) -> String {
    use age::ssh::UnsupportedKey as Why;
    match key {
        Why::EncryptedPem => "its passphrase is in an old form; ssh-keygen -p writes it anew".to_owned(),
        Why::EncryptedSsh(cipher) => format!("it is encrypted with {cipher}"),
        Why::Hardware(kind) | Why::Type(kind) => format!("it is of type {kind}"),
    }
}
