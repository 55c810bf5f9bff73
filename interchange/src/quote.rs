//! How much of a file an error or a report repeats.

use std::fmt;

/// The most characters of a value that are repeated.
const LONGEST: usize = 60;

/// A value of a file, cut and escaped so that it can be shown; or the word that it is withheld.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote(Option<String>);

impl Quote {
    /// This value; withheld where it has the form of a URI with a user name and perhaps a password.
    pub fn of(value: &str) -> Self {
        if value.contains("://") && value.contains('@') {
            return Self::withheld();
        }
        let mut short: String = value.chars().take(LONGEST).flat_map(char::escape_debug).collect();
        if value.chars().nth(LONGEST).is_some() {
            short.push_str("...");
        }
        Self(Some(short))
    }

    /// A value that may be secret.
    pub const fn withheld() -> Self {
        Self(None)
    }
}

impl fmt::Display for Quote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => write!(f, "'{value}'"),
            None => f.write_str("the value (not repeated, since the file can hold secrets)"),
        }
    }
}
