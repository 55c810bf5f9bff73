//! Auth values: what a hierarchy or an object of the TPM asks for.

use std::fmt::Write;

use key_metadata::Advice;
use secrecy::{ExposeSecret, SecretString};
use tss_esapi::Error;
use tss_esapi::structures::Auth;
use zeroize::Zeroizing;

/// The longest auth value that every TPM takes, in bytes: a SHA-256 digest's length (TPM 2.0 part 1, 19.6.4.3).
const LONGEST: usize = 32;

/// The auth value of a hierarchy; wiped when dropped.
pub struct AuthValue(Zeroizing<Vec<u8>>);

/// Bytes or a text that are no auth value. They are not quoted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthValueError {
    /// Longer than every TPM takes.
    #[error("an auth value has at most {LONGEST} bytes, not {length}")]
    Length {
        /// Its length, in bytes.
        length: usize,
    },
    /// After `hex:` there are no hex digits.
    #[error("after hex: an auth value has an even number of hex digits")]
    Hex,
    /// A TPM drops zero bytes at the end.
    #[error("an auth value cannot end with a zero byte")]
    TrailingZero,
}

impl Advice for AuthValueError {
    fn hint(&self) -> Option<String> {
        Some("an auth value is a text, or hex: and the hex digits of its bytes".to_owned())
    }

    fn is_credential(&self) -> bool {
        true
    }
}

impl AuthValue {
    /// How many bytes a drawn auth value has.
    pub const LENGTH: usize = LONGEST;

    /// The auth value of those bytes.
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Result<Self, AuthValueError> {
        match (bytes.len(), bytes.last()) {
            (length, _) if length > LONGEST => Err(AuthValueError::Length { length }),
            // It would be another value for whoever computes an HMAC with it.
            (_, Some(0)) => Err(AuthValueError::TrailingZero),
            (_, _) => Ok(Self(bytes)),
        }
    }

    /// The auth value of a text: bytes in hex after `hex:`, as tpm2-tools write it, otherwise the text's own bytes.
    pub fn from_text(text: &SecretString) -> Result<Self, AuthValueError> {
        let text = text.expose_secret();
        let bytes = match text.strip_prefix("hex:") {
            Some(digits) => hex::decode(digits).map_err(|_| AuthValueError::Hex)?,
            None => text.as_bytes().to_vec(),
        };
        Self::new(Zeroizing::new(bytes))
    }

    /// The text for [`Self::from_text`], and for tpm2-tools.
    pub fn to_text(&self) -> SecretString {
        let mut text = String::with_capacity(4 + 2 * self.0.len());
        text.push_str("hex:");
        for byte in self.0.iter() {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text.into()
    }

    /// As the library takes it.
    pub(crate) fn value(&self) -> Result<Auth, Error> {
        self.0.as_slice().try_into()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let parse = |text: &str| AuthValue::from_text(&text.to_owned().into());
        assert_eq!(parse("hex:00ff").unwrap().0.as_slice(), [0, 0xff]);
        assert_eq!(parse("secret").unwrap().0.as_slice(), b"secret");
        assert_eq!(parse("hex:00ff").unwrap().to_text().expose_secret(), "hex:00ff");
        assert!(matches!(parse("hex:0"), Err(AuthValueError::Hex)));
        assert!(matches!(parse("hex:aa00"), Err(AuthValueError::TrailingZero)));
        assert!(matches!(
            parse(&"x".repeat(33)),
            Err(AuthValueError::Length { length: 33 })
        ));
    }
}
