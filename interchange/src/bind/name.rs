//! The names of BIND's key files.

use std::fmt;
use std::str::FromStr;

use key_metadata::ZoneName;
use percent_encoding::percent_decode_str;

use crate::error::FieldError;
use crate::records::Dnskey;

/// `K<zone>.+<algorithm>+<tag>`: what the three files of a key have in common. The zone is in lower case and percent-encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFileName {
    /// The zone.
    pub zone: ZoneName,
    /// The algorithm's number, three digits in the name.
    pub algorithm: u8,
    /// The key tag with the flags that the DNSKEY has, five digits in the name.
    pub tag: u16,
}

const FORM: FieldError = FieldError::Form("K<zone>.+<algorithm>+<tag>");

impl KeyFileName {
    /// The name that BIND gives to the files of this key.
    pub fn of(key: &Dnskey) -> Self {
        Self {
            zone: key.zone.clone(),
            algorithm: key.public_key.algorithm().number(),
            tag: key.key_tag(),
        }
    }
}

impl FromStr for KeyFileName {
    type Err = FieldError;

    /// Reads a name with or without `.key`, `.private` or `.state`.
    fn from_str(text: &str) -> Result<Self, FieldError> {
        let stem = [".key", ".private", ".state"]
            .iter()
            .find_map(|suffix| text.strip_suffix(suffix))
            .map_or(text, |stem| stem);
        let (rest, tag) = stem.rsplit_once('+').ok_or(FORM)?;
        let (zone, algorithm) = rest.rsplit_once(".+").ok_or(FORM)?;
        let digits =
            |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(tag, 5) || !digits(algorithm, 3) {
            return Err(FORM);
        }
        let zone = zone.strip_prefix('K').ok_or(FORM)?;
        let zone = match zone {
            "" => ".".into(),
            name => percent_decode_str(name).decode_utf8().map_err(|_| FORM)?,
        };
        Ok(Self {
            zone: zone.parse()?,
            algorithm: algorithm.parse().map_err(|_| FORM)?,
            tag: tag.parse().map_err(|_| FORM)?,
        })
    }
}

impl fmt::Display for KeyFileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = match self.zone.as_str() {
            "." => String::new(),
            _ => self.zone.file_stem(),
        };
        write!(f, "K{zone}.+{:03}+{:05}", self.algorithm, self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_bind_gives_are_read_and_written() {
        for name in [
            "Kexample.com.+013+19644",
            "K.+008+20326",
            "K0%2F25.2.0.192.in-addr.arpa.+013+11864",
            "K_foo%2A.example.com.+013+00005",
        ] {
            let read: KeyFileName = format!("{name}.private").parse().unwrap();
            assert_eq!(read.to_string(), name);
        }
        for bad in [
            "",
            "K",
            "example.com.+013+19644",
            "Kexample.com+013+19644",
            "Kexample.com.+13+19644",
            "Kexample.com.+013+99999",
            "K../x.+013+00001",
        ] {
            assert!(bad.parse::<KeyFileName>().is_err(), "{bad}");
        }
    }
}
