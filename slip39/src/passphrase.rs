//! The passphrase that a secret is encrypted with before it is split.

use key_metadata::Advice;
use secrecy::{ExposeSecret, SecretString};

/// A passphrase: printable ASCII characters (SLIP-0039, "Passphrase"), perhaps none. Nothing tells a wrong one: it gives another secret.
pub struct Passphrase(SecretString);

/// A text that is no passphrase.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the passphrase of shares has other characters than printable ASCII")]
pub struct PassphraseError;

impl Advice for PassphraseError {
    fn hint(&self) -> Option<String> {
        Some(
            "letters without accents, digits, blanks and the signs of an American keyboard can be in it"
                .to_owned(),
        )
    }

    fn is_credential(&self) -> bool {
        false
    }
}

impl Passphrase {
    /// None, which is the empty one.
    pub fn empty() -> Self {
        Self(SecretString::from(""))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

impl TryFrom<SecretString> for Passphrase {
    type Error = PassphraseError;

    fn try_from(text: SecretString) -> Result<Self, PassphraseError> {
        let is_printable = text
            .expose_secret()
            .bytes()
            .all(|byte| (32..=126).contains(&byte));
        is_printable.then_some(Self(text)).ok_or(PassphraseError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_ascii_is_a_passphrase_and_nothing_else_is() {
        for text in ["", "TREZOR", " ~"] {
            assert!(Passphrase::try_from(SecretString::from(text)).is_ok(), "{text}");
        }
        for text in ["\n", "\u{7f}", "\u{e9}", "\0"] {
            assert!(Passphrase::try_from(SecretString::from(text)).is_err(), "{text}");
        }
    }
}
