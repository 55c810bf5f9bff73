//! The key in a PKCS#11 token that a foreign file names by a label.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// A key in a PKCS#11 token, by what an RFC 7512 URI or a plain label says. Never a PIN.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenKey {
    /// The token's label.
    pub token: Option<String>,
    /// The token's serial number.
    pub serial: Option<String>,
    /// The key's CKA_ID.
    pub id: Option<Vec<u8>>,
    /// The key's CKA_LABEL.
    pub object: Option<String>,
    /// The other attributes, decoded: `manufacturer`, `model`, `type`, `module-path`. In the order of the URI.
    pub others: Vec<(String, String)>,
}

/// What was left out of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PinFound {
    No,
    Yes,
}

/// Why a text names no key in a token. No variant quotes it: it might hold a PIN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// Nothing there, or longer than any is.
    #[error(
        "a label has 1 to {LONGEST} bytes of text, also when it is written as a URI, and no control characters"
    )]
    Text,
    /// An attribute without `=`, with bad percent-encoding or without a value.
    #[error("the label is no PKCS#11 URI: an attribute is not NAME=VALUE")]
    Attribute,
    /// An attribute given twice (RFC 7512 2.3).
    #[error("the label is no PKCS#11 URI: an attribute is there twice")]
    Twice,
    /// Neither id nor object.
    #[error("the label is a PKCS#11 URI without 'id' and 'object', so it names no key")]
    NoKey,
    /// A plain label that has a PIN in it.
    #[error("the label is no PKCS#11 URI, and a PIN stands in it")]
    Pin,
}

/// The longest label, in bytes. BIND's own limit for a field is 512.
const LONGEST: usize = 1024;
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
const SCHEME: &str = "pkcs11:";

impl TokenKey {
    /// Reads a PKCS#11 URI, or else the CKA_LABEL itself. Attributes with a PIN or where one is are left out.
    pub(crate) fn parse(text: &str) -> Result<(Self, PinFound), LabelError> {
        if text.is_empty() || text.len() > LONGEST || text.chars().any(char::is_control) {
            return Err(LabelError::Text);
        }
        let is_uri = text
            .get(..SCHEME.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(SCHEME));
        if !is_uri {
            return match is_pin(text) {
                true => Err(LabelError::Pin),
                false => Self {
                    object: Some(text.to_owned()),
                    ..Self::default()
                }
                .of_usual_length(PinFound::No),
            };
        }
        let mut key = Self::default();
        let mut found = PinFound::No;
        let attributes = text[SCHEME.len()..].split([';', '?', '&']);
        for attribute in attributes.filter(|attribute| !attribute.is_empty()) {
            let (name, value) = attribute.split_once('=').ok_or(LabelError::Attribute)?;
            if is_pin(name) {
                found = PinFound::Yes;
                continue;
            }
            let bytes: Vec<u8> = percent_decode_str(value).collect();
            if bytes.is_empty() {
                return Err(LabelError::Attribute);
            }
            if name == "id" {
                set(&mut key.id, bytes)?;
                continue;
            }
            let value = String::from_utf8(bytes).map_err(|_| LabelError::Attribute)?;
            if value.chars().any(char::is_control) {
                return Err(LabelError::Attribute);
            }
            match name {
                "token" => set(&mut key.token, value)?,
                "serial" => set(&mut key.serial, value)?,
                "object" => set(&mut key.object, value)?,
                _ => {
                    let known = name
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
                    if !known || name.is_empty() {
                        return Err(LabelError::Attribute);
                    }
                    if key.others.iter().any(|(other, _)| other == name) {
                        return Err(LabelError::Twice);
                    }
                    key.others.push((name.to_owned(), value));
                }
            }
        }
        if key.id.is_none() && key.object.is_none() {
            return Err(LabelError::NoKey);
        }
        key.of_usual_length(found)
    }

    /// A label can be short as it is and long as a URI, where most characters take three.
    fn of_usual_length(self, found: PinFound) -> Result<(Self, PinFound), LabelError> {
        if self.to_string().len() > LONGEST {
            return Err(LabelError::Text);
        }
        Ok((self, found))
    }
}

/// Whether somebody put a PIN there, however the attribute is spelt.
fn is_pin(text: &str) -> bool {
    let decoded: Vec<u8> = percent_decode_str(text).collect();
    let lower = String::from_utf8_lossy(&decoded).to_ascii_lowercase();
    lower.contains("pin-value")
        || lower.contains("pin-source")
        || lower.starts_with("pin")
        || lower.contains("pin=")
}

fn set<T>(slot: &mut Option<T>, value: T) -> Result<(), LabelError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(LabelError::Twice),
    }
}

impl fmt::Display for TokenKey {
    /// The URI; it has no PIN.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = SCHEME;
        let texts = [("token", &self.token), ("serial", &self.serial)];
        for (name, value) in texts {
            if let Some(value) = value {
                write!(f, "{separator}{name}={}", utf8_percent_encode(value, ESCAPED))?;
                separator = ";";
            }
        }
        if let Some(id) = &self.id {
            write!(f, "{separator}id=")?;
            for byte in id {
                write!(f, "%{byte:02x}")?;
            }
            separator = ";";
        }
        if let Some(object) = &self.object {
            write!(f, "{separator}object={}", utf8_percent_encode(object, ESCAPED))?;
            separator = ";";
        }
        // RFC 7512 2.3: these stand in the path, and all that is not known there in the query.
        let in_path = |name: &str| {
            [
                "manufacturer",
                "model",
                "type",
                "library-manufacturer",
                "library-description",
                "library-version",
            ]
            .contains(&name)
                || name.starts_with("slot-")
        };
        for (name, value) in self.others.iter().filter(|(name, _)| in_path(name)) {
            write!(f, "{separator}{name}={}", utf8_percent_encode(value, ESCAPED))?;
            separator = ";";
        }
        separator = "?";
        for (name, value) in self.others.iter().filter(|(name, _)| !in_path(name)) {
            write!(f, "{separator}{name}={}", utf8_percent_encode(value, ESCAPED))?;
            separator = "&";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_label_is_read_without_its_pin() {
        let (key, pin) =
            TokenKey::parse("pkcs11:token=cr%20zsk;object=key1;id=%00%11?pin-value=s3cr3t&module-path=/x.so")
                .unwrap();
        assert_eq!(pin, PinFound::Yes);
        assert_eq!(
            key.to_string(),
            "pkcs11:token=cr%20zsk;id=%00%11;object=key1?module-path=%2Fx%2Eso".replace("%2E", ".")
        );
        for pin in [
            "pin-source=/pin",
            "PIN-VALUE=1",
            "%70in-value=1",
            " pin-value=1",
            "pin=1",
        ] {
            assert_eq!(
                TokenKey::parse(&format!("pkcs11:object=a;{pin}")).unwrap().1,
                PinFound::Yes,
                "{pin}"
            );
        }
        assert_eq!(
            TokenKey::parse("ksk-2026").unwrap().0.to_string(),
            "pkcs11:object=ksk-2026"
        );
        assert_eq!(TokenKey::parse(&"é".repeat(400)), Err(LabelError::Text));
        for bad in [
            "",
            "pkcs11:",
            "pkcs11:token=a",
            "pkcs11:object=a;object=b",
            "pkcs11:object",
            "pkcs11:object=%ff",
            "a;pin-value=1",
        ] {
            let error = TokenKey::parse(bad).unwrap_err().to_string();
            assert!(!error.contains("=1"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn a_label_that_is_read_is_written_so_that_it_reads_the_same(text in "(pkcs11:)?((token|id|object|model|x-y|module-path)=[ -~é]{1,9}[;&?]){0,5}") {
            if let Ok((key, _)) = TokenKey::parse(&text) {
                let (again, pin) = TokenKey::parse(&key.to_string()).unwrap();
                prop_assert_eq!(pin, PinFound::No);
                let sorted = |mut key: TokenKey| { key.others.sort(); key };
                prop_assert_eq!(sorted(again), sorted(key));
            }
        }
    }
}
