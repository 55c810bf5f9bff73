//! The name of a zone, and of the files that carry it.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::written_as_text;

/// The apex of a zone as an absolute name: lower case, no final dot, `.` for the root.
///
/// Labels are 1 to 63 printable ASCII characters without dot, quote, backslash, semicolon, parentheses, `@`, `$` and blank; the whole
/// is at most 255 bytes on the wire (RFC 1035 2.3.4). Internationalised names are given as A-labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
pub struct ZoneName(String);

/// A text that names no zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ZoneNameError {
    /// Nothing there; the root is `.`.
    #[error("a zone's name is missing; the root is '.'")]
    Empty,
    /// A label of zero or more than 63 characters.
    #[error("'{name}' has a label of {length} characters; one has 1 to 63")]
    Label {
        /// The name given.
        name: String,
        /// How long the label is.
        length: usize,
    },
    /// More than 255 bytes on the wire.
    #[error("a name of {length} bytes is longer than the 255 that DNS allows")]
    Length {
        /// Its length on the wire, in bytes.
        length: usize,
    },
    /// A character that a zone's name does not have.
    #[error("'{name}' has the character {character:?}, which the name of a zone does not have")]
    Character {
        /// The name given.
        name: String,
        /// The character.
        character: char,
    },
}

/// Everything that is not in a host name is escaped in a file name.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

impl ZoneName {
    /// The name without the final dot; `.` for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of a file for this zone, without its extension: the name with all but `[a-z0-9._-]` percent-encoded, `%2E` for the root.
    pub fn file_stem(&self) -> String {
        match self.as_str() {
            "." => "%2E".to_owned(),
            name => utf8_percent_encode(name, ESCAPED).to_string(),
        }
    }

    /// Whether this is a name below `above`: in its zone, or in one that is delegated from it.
    pub fn is_below(&self, above: &Self) -> bool {
        self != above
            && (above.as_str() == "."
                || self
                    .as_str()
                    .strip_suffix(above.as_str())
                    .is_some_and(|rest| rest.ends_with('.')))
    }

    /// The name as messages carry it (RFC 1035 3.1), in lower case, which is the canonical form (RFC 4034 6.2).
    pub fn wire(&self) -> Vec<u8> {
        let mut wire = Vec::with_capacity(self.0.len() + 2);
        for label in self.0.split('.').filter(|label| !label.is_empty()) {
            // A label has at most 63 bytes.
            wire.push(label.len() as u8);
            wire.extend_from_slice(label.as_bytes());
        }
        wire.push(0);
        wire
    }

    /// The name without its first label; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        match self.0.split_once('.') {
            Some(("", _)) => None,
            Some((_, rest)) => Some(Self(rest.to_owned())),
            None => Some(Self(".".to_owned())),
        }
    }

    /// The name as a zone file writes it, with the final dot.
    pub fn with_final_dot(&self) -> String {
        match self.as_str() {
            "." => ".".to_owned(),
            name => format!("{name}."),
        }
    }
}

impl FromStr for ZoneName {
    type Err = ZoneNameError;

    fn from_str(text: &str) -> Result<Self, ZoneNameError> {
        if text == "." {
            return Ok(Self(text.to_owned()));
        }
        let name = text
            .strip_suffix('.')
            .map_or(text, |absolute| absolute)
            .to_ascii_lowercase();
        if name.is_empty() {
            return Err(ZoneNameError::Empty);
        }
        if name.len() + 2 > 255 {
            return Err(ZoneNameError::Length {
                length: name.len() + 2,
            });
        }
        if let Some(character) = name
            .chars()
            .find(|c| !c.is_ascii_graphic() || r#""\;()@$"#.contains(*c))
        {
            return Err(ZoneNameError::Character { name, character });
        }
        if let Some(label) = name.split('.').find(|label| label.is_empty() || label.len() > 63) {
            return Err(ZoneNameError::Label {
                length: label.len(),
                name,
            });
        }
        Ok(Self(name))
    }
}

impl fmt::Display for ZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

written_as_text!(ZoneName, ZoneNameError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_absolute_and_lower_case() {
        assert_eq!("FI.cr.".parse::<ZoneName>().unwrap().as_str(), "fi.cr");
        assert_eq!("cr".parse::<ZoneName>().unwrap().with_final_dot(), "cr.");
        assert_eq!(".".parse::<ZoneName>().unwrap().with_final_dot(), ".");
        for bad in [
            "",
            "..",
            "a..b",
            ".cr",
            "a b",
            "a\\.b",
            "café",
            "../x/",
            &"a".repeat(64),
            &"a.".repeat(128),
        ] {
            let parsed = bad.parse::<ZoneName>();
            assert!(parsed.is_err(), "{bad}: {parsed:?}");
        }
    }

    #[test]
    fn a_zone_is_below_those_above_it() {
        let name = |text: &str| text.parse::<ZoneName>().unwrap();
        assert!(name("fi.cr").is_below(&name("cr")) && name("cr").is_below(&name(".")));
        for (zone, above) in [
            ("cr", "cr"),
            ("xcr", "cr"),
            ("cr", "fi.cr"),
            (".", "cr"),
            (".", "."),
        ] {
            assert!(!name(zone).is_below(&name(above)), "{zone} {above}");
        }
    }

    #[test]
    fn a_file_name_cannot_leave_its_folder() {
        assert_eq!(
            "0/25.2.0.192.in-addr.arpa"
                .parse::<ZoneName>()
                .unwrap()
                .file_stem(),
            "0%2F25.2.0.192.in-addr.arpa"
        );
        assert_eq!(".".parse::<ZoneName>().unwrap().file_stem(), "%2E");
    }
}
