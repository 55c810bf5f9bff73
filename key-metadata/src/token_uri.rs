//! PKCS#11 URIs (RFC 7512), as far as they name a token, a key in it and the module that reaches it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cka_id::CkaId;
use crate::text::written_as_text;

/// The label of a PKCS#11 token: 1 to 32 bytes of UTF-8 without control characters or blanks at its ends (CK_TOKEN_INFO pads with blanks).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenLabel(String);

/// Why a text is no token label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenLabelError {
    /// A token would cut it.
    #[error("a token label has at most 32 bytes, '{label}' has {length}")]
    Length {
        /// The label given.
        label: String,
        /// Its length in bytes.
        length: usize,
    },
    /// Empty, or with characters that a token cannot keep.
    #[error("a token label is not empty, and has no control characters and no blanks at its ends")]
    Characters,
}

impl TokenLabel {
    /// The label without padding.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TokenLabel {
    type Err = TokenLabelError;

    fn from_str(text: &str) -> Result<Self, TokenLabelError> {
        if text.len() > 32 {
            return Err(TokenLabelError::Length {
                label: text.to_owned(),
                length: text.len(),
            });
        }
        if text.is_empty() || text.trim() != text || text.chars().any(char::is_control) {
            return Err(TokenLabelError::Characters);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for TokenLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A PKCS#11 URI with the attributes `token`, `serial`, `object` and `id` and the query `module-path`.
///
/// Slots are not named: their numbers change. A PIN is never in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String", extend("pattern" = "^pkcs11:"))]
pub struct TokenUri {
    /// The token's label.
    pub token: TokenLabel,
    /// The token's serial number, where two tokens share a label.
    pub serial: Option<String>,
    /// The key's CKA_LABEL, by which BIND names keys. It is not unique, so that no record refers to a key by it alone.
    pub object: Option<String>,
    /// The key's CKA_ID.
    pub id: Option<CkaId>,
    /// The module that reaches the token.
    pub module_path: Option<PathBuf>,
}

/// Why a text is no PKCS#11 URI of ours. No variant quotes the URI: it might hold a PIN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenUriError {
    /// It does not start with `pkcs11:`.
    #[error("a PKCS#11 URI starts with 'pkcs11:'")]
    Scheme,
    /// It names no token.
    #[error("the PKCS#11 URI names no token; add 'token=LABEL'")]
    NoToken,
    /// It has a PIN or says where one is.
    #[error("a PKCS#11 URI with '{0}' is refused: a PIN is not kept in a URI")]
    Pin(&'static str),
    /// An attribute that we do not follow.
    #[error(
        "the PKCS#11 URI has the attribute '{0}'; 'token', 'serial', 'object', 'id', 'type' and 'module-path' are understood"
    )]
    Attribute(String),
    /// An attribute given twice (RFC 7512 2.3).
    #[error("the PKCS#11 URI has the attribute '{0}' twice")]
    Twice(&'static str),
    /// An attribute whose value is not what it must be.
    #[error("the PKCS#11 URI's attribute '{0}' has no valid value")]
    Value(&'static str),
    /// The label cannot be one.
    #[error(transparent)]
    Label(#[from] TokenLabelError),
}

const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
const ESCAPED_IN_QUERY: &AsciiSet = &ESCAPED.remove(b'/');

impl TokenUri {
    /// The URI of a token, without a key and without a module.
    pub const fn of_token(token: TokenLabel) -> Self {
        Self {
            token,
            serial: None,
            object: None,
            id: None,
            module_path: None,
        }
    }

    /// The URI of a key in this token, without the module (which differs from host to host).
    pub fn of_key(&self, id: impl Into<CkaId>) -> Self {
        Self {
            token: self.token.clone(),
            serial: self.serial.clone(),
            object: None,
            id: Some(id.into()),
            module_path: None,
        }
    }

    /// Whether it names a key in a token, and not a token.
    pub const fn names_key(&self) -> bool {
        self.id.is_some() || self.object.is_some()
    }
}

impl FromStr for TokenUri {
    type Err = TokenUriError;

    fn from_str(text: &str) -> Result<Self, TokenUriError> {
        let rest = text.strip_prefix("pkcs11:").ok_or(TokenUriError::Scheme)?;
        let (path, query) = rest.split_once('?').map_or((rest, ""), |parts| parts);
        let (mut token, mut serial, mut object, mut id, mut module_path) = (None, None, None, None, None);
        let attributes = path
            .split(';')
            .chain(query.split('&'))
            .filter(|attribute| !attribute.is_empty());
        for attribute in attributes {
            let (name, value) = attribute.split_once('=').map_or((attribute, ""), |parts| parts);
            match name {
                "token" => set(&mut token, "token", decode(value, "token")?.parse()?)?,
                "serial" => set(&mut serial, "serial", decode(value, "serial")?)?,
                "object" => set(&mut object, "object", decode(value, "object")?)?,
                "id" => set(&mut id, "id", decode_id(value)?)?,
                "type" if value == "private" => {}
                "type" => return Err(TokenUriError::Value("type")),
                "module-path" => {
                    let path = PathBuf::from(decode(value, "module-path")?);
                    if !path.is_absolute() {
                        return Err(TokenUriError::Value("module-path"));
                    }
                    set(&mut module_path, "module-path", path)?;
                }
                "pin-value" => return Err(TokenUriError::Pin("pin-value")),
                "pin-source" => return Err(TokenUriError::Pin("pin-source")),
                other => return Err(TokenUriError::Attribute(other.chars().take(40).collect())),
            }
        }
        Ok(Self {
            token: token.ok_or(TokenUriError::NoToken)?,
            serial,
            object,
            id,
            module_path,
        })
    }
}

fn set<T>(slot: &mut Option<T>, name: &'static str, value: T) -> Result<(), TokenUriError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(TokenUriError::Twice(name)),
    }
}

fn decode(value: &str, name: &'static str) -> Result<String, TokenUriError> {
    let text = percent_decode_str(value)
        .decode_utf8()
        .map_err(|_| TokenUriError::Value(name))?;
    if text.is_empty() || text.contains('\0') {
        return Err(TokenUriError::Value(name));
    }
    Ok(text.into_owned())
}

fn decode_id(value: &str) -> Result<CkaId, TokenUriError> {
    let bytes: Vec<u8> = percent_decode_str(value).collect();
    CkaId::try_from(bytes.as_slice()).map_err(|_| TokenUriError::Value("id"))
}

impl fmt::Display for TokenUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "pkcs11:token={}",
            utf8_percent_encode(self.token.as_str(), ESCAPED)
        )?;
        if let Some(serial) = &self.serial {
            write!(f, ";serial={}", utf8_percent_encode(serial, ESCAPED))?;
        }
        if let Some(object) = &self.object {
            write!(f, ";object={}", utf8_percent_encode(object, ESCAPED))?;
        }
        if let Some(id) = &self.id {
            f.write_str(";id=")?;
            for byte in id.as_bytes() {
                write!(f, "%{byte:02x}")?;
            }
        }
        if self.names_key() {
            f.write_str(";type=private")?;
        }
        if let Some(path) = self.module_path.as_deref().and_then(Path::to_str) {
            write!(f, "?module-path={}", utf8_percent_encode(path, ESCAPED_IN_QUERY))?;
        }
        Ok(())
    }
}

written_as_text!(TokenUri, TokenUriError);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_uri_is_read_and_written() {
        let text = "pkcs11:token=cr%20zsk;serial=00ff;id=%00%01%02%03%04%05%06%07%08%09%0a%0b%0c%0d%0e%0f;type=private\
                    ?module-path=/usr/lib/softhsm/libsofthsm2.so";
        let uri: TokenUri = text.parse().unwrap();
        assert_eq!(uri.token.as_str(), "cr zsk");
        assert_eq!(uri.to_string(), text);
    }

    #[test]
    fn keys_of_other_tools_are_named_by_any_id_and_by_label() {
        let knot = format!("pkcs11:token=cr;id={};type=private", "%a5".repeat(20));
        let bind = "pkcs11:token=cr;object=example.cr%20ksk;type=private";
        for text in [
            knot.as_str(),
            bind,
            "pkcs11:token=cr;object=ksk;id=%01;type=private",
        ] {
            let uri: TokenUri = text.parse().unwrap();
            assert!(uri.names_key());
            assert_eq!(uri.to_string(), text);
        }
        let bind: TokenUri = bind.parse().unwrap();
        assert_eq!(
            (bind.object.as_deref(), &bind.id),
            (Some("example.cr ksk"), &None)
        );
        // RFC 7512 2.3: what needs no escape may be written as it is.
        let plain: TokenUri = "pkcs11:token=cr;id=ksk1".parse().unwrap();
        assert_eq!(plain.id.unwrap().as_bytes(), b"ksk1");
        let long = format!("pkcs11:token=cr;id={}", "%00".repeat(256));
        for bad in [
            "pkcs11:token=cr;id=",
            "pkcs11:token=cr;object=",
            "pkcs11:token=cr;object=a;object=b",
            &long,
        ] {
            assert!(bad.parse::<TokenUri>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_pin_is_refused_and_not_repeated() {
        let error = "pkcs11:token=cr?pin-value=s3cr3t"
            .parse::<TokenUri>()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("pin-value") && !error.contains("s3cr3t"),
            "{error}"
        );
        for bad in [
            "token=cr",
            "pkcs11:",
            "pkcs11:token=a;token=b",
            "pkcs11:slot-id=3;token=cr",
            "pkcs11:token=cr?module-path=x.so",
        ] {
            assert!(bad.parse::<TokenUri>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_so_that_it_reads_the_same(text in "pkcs11:(token=[ -~]{1,20})?(;serial=[a-z%0-9]{1,4})?(;object=[ -~]{1,9})?(;id=[a-z%0-9]{0,9})?") {
            if let Ok(uri) = text.parse::<TokenUri>() {
                prop_assert_eq!(uri.to_string().parse(), Ok(uri));
            }
        }
    }
}
