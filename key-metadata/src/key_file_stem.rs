//! What the names of the files of one key have in common, where keys are files.

use std::fmt;
use std::str::FromStr;

/// `K<zone>.+<algorithm>+<tag>`, as BIND names the files of a key: no path, and never `.` or `..`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyFileStem(String);

/// A text that is no such name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the files of a key are named K<zone>.+<algorithm>+<tag>")]
pub struct KeyFileStemError;

impl KeyFileStem {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyFileStem {
    type Err = KeyFileStemError;

    fn from_str(text: &str) -> Result<Self, KeyFileStemError> {
        let digits =
            |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'/';
        let rest = text.strip_prefix('K').filter(|rest| rest.bytes().all(plain));
        let parts = rest
            .and_then(|rest| rest.rsplit_once('+'))
            .and_then(|(rest, tag)| Some((rest.rsplit_once(".+")?, tag)));
        match parts {
            Some(((_, algorithm), tag)) if digits(algorithm, 3) && digits(tag, 5) => {
                Ok(Self(text.to_owned()))
            }
            Some(_) | None => Err(KeyFileStemError),
        }
    }
}

impl fmt::Display for KeyFileStem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_bind_and_nothing_that_leads_elsewhere() {
        for good in [
            "Kcr.+013+12345",
            "K.+008+20326",
            "K0%2F25.in-addr.arpa.+015+00001",
        ] {
            assert_eq!(good.parse::<KeyFileStem>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "K",
            "cr.+013+12345",
            "Kcr.+13+12345",
            "K../x.+013+12345",
            "Kcr.+013+12345.key",
            "Kcr\n.+013+12345",
        ] {
            assert!(bad.parse::<KeyFileStem>().is_err(), "{bad}");
        }
    }
}
