//! The names in a script.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A name in a script: `a-z`, then `a-z 0-9 -`, at most 40.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String", extend("pattern" = "^[a-z0-9][a-z0-9-]{0,39}$"))]
pub struct Word(String);

/// A role: a word that does not end as a seat does, in a dash and a number.
pub type Role = Word;

/// One person's place: a role and a number from 1, such as `officer-2`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String", extend("pattern" = "^[a-z0-9][a-z0-9-]*-[1-9][0-9]?$"))]
pub struct Seat {
    role: Role,
    number: u8,
}

/// A role, which stands for all of its seats, or one seat.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Who(Word);

/// The name of a log: host, path and the ceremony's id, such as `keyrite.nic.example/cr/2026-q4`. It is the first line of the log's
/// checkpoints (C2SP tlog-checkpoint).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
pub struct Origin(String);

/// A text that is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no name here; one has 1 to 40 small letters, digits and dashes, such as officer or officer-1"
)]
pub struct NameError(String);

/// A text that is no log's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no log's name; one is like keyrite.nic.example/cr/2026-q4, its last part the ceremony's id"
)]
pub struct OriginError(String);

/// What a rehearsal's log has in front of its name, so that no checkpoint of it passes for one of the ceremony.
const REHEARSAL: &str = "REHEARSAL/";

impl Word {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Word {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-');
        if text.is_empty() || text.len() > 40 || text.starts_with('-') || !text.chars().all(allowed) {
            return Err(NameError(text.chars().take(60).collect()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Seat {
    /// The place of that number, from 1.
    pub fn new(role: Role, number: u8) -> Self {
        Self { role, number }
    }

    /// Its role.
    pub fn role(&self) -> &Role {
        &self.role
    }
}

impl FromStr for Seat {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let refused = || NameError(text.chars().take(60).collect());
        let (role, number) = text.rsplit_once('-').ok_or_else(refused)?;
        match number.parse() {
            Ok(1..=99) if number.starts_with('0') => Err(refused()),
            Ok(number @ 1..=99) => Ok(Self::new(role.parse()?, number)),
            Ok(_) | Err(_) => Err(refused()),
        }
    }
}

impl Who {
    /// The role that it names, if it is no seat.
    pub fn as_role(&self) -> Option<Role> {
        match self.as_seat() {
            Some(_) => None,
            None => Some(self.0.clone()),
        }
    }

    /// The seat that it names.
    pub fn as_seat(&self) -> Option<Seat> {
        self.0.as_str().parse().ok()
    }
}

impl Origin {
    /// The part after the last slash.
    pub fn id(&self) -> &str {
        self.0.rsplit_once('/').map_or(&*self.0, |(_, id)| id)
    }

    /// The same log's name in a rehearsal.
    pub fn in_rehearsal(&self) -> Self {
        Self(format!("{REHEARSAL}{}", self.0))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let name = text.strip_prefix(REHEARSAL).map_or(text, |name| name);
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let parts: Vec<&str> = name.split('/').collect();
        let good = |part: &&str| !part.is_empty() && !part.starts_with('.') && part.chars().all(allowed);
        let id = parts.last().is_some_and(|id| id.parse::<Word>().is_ok());
        if text.len() > 200 || parts.len() < 2 || !parts.iter().all(good) || !id {
            return Err(OriginError(text.chars().take(80).collect()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.role, self.number)
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

key_metadata::written_as_text!(Word, NameError);
key_metadata::written_as_text!(Seat, NameError);
key_metadata::written_as_text!(Origin, OriginError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_seats_and_origins() {
        assert!("officer".parse::<Word>().is_ok() && "Officer".parse::<Word>().is_err());
        assert_eq!(
            "crypto-officer-2".parse::<Seat>().unwrap().to_string(),
            "crypto-officer-2"
        );
        for bad in ["officer", "officer-0", "officer-01", "officer-100", "-1"] {
            assert!(bad.parse::<Seat>().is_err(), "{bad}");
        }
        let origin: Origin = "keyrite.nic.example/cr/2026-q4".parse().unwrap();
        assert_eq!(origin.id(), "2026-q4");
        let rehearsed = origin.in_rehearsal();
        assert_eq!(rehearsed.to_string().parse::<Origin>().unwrap(), rehearsed);
        assert_eq!(rehearsed.id(), "2026-q4");
        for bad in ["", "2026", "a/../b", "a//b", "a/b c", "a/.b", "REHEARSAL/x"] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }
}
