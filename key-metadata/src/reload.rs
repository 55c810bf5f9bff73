//! How a name server is told that a zone was replaced.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::span::Span;

/// What is put into an argument.
const PLACES: [&str; 2] = ["{zone}", "{file}"];

/// The longest time that is waited for a command, a day: nobody means more.
const LONGEST: Span = Span::from_seconds(86_400);

/// A command that is run after a zone was replaced. It is no shell's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Reload {
    /// The program and its arguments, in which `{zone}` becomes the zone's name and `{file}` the path of the signed zone; empty, nothing is run.
    pub command: Vec<String>,
    /// How long it may take; a minute when absent.
    // Our choice: a name server loads a zone after it has said that it will, so that the command itself is over at once.
    #[serde(default = "a_minute")]
    pub timeout: Span,
}

/// Why a command cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// An argument names something that is not put in.
    #[error("command: '{argument}' names {place}; only {} and {} are put in", PLACES[0], PLACES[1])]
    Place {
        /// The argument.
        argument: String,
        /// What it names.
        place: String,
    },
    /// A program without a name, or an argument that no process can have.
    #[error("command: '{}' is no program or argument", .argument.escape_debug())]
    Argument {
        /// The argument.
        argument: String,
    },
    /// A time in which nothing can be done, or longer than anybody waits.
    #[error("timeout: {0} is not between 1s and {LONGEST}")]
    Timeout(Span),
}

const fn a_minute() -> Span {
    Span::from_seconds(60)
}

impl Reload {
    /// Whether it can be run.
    pub(crate) fn check(&self) -> Result<(), ReloadError> {
        if self.timeout.seconds() == 0 || self.timeout > LONGEST {
            return Err(ReloadError::Timeout(self.timeout));
        }
        for (number, argument) in self.command.iter().enumerate() {
            let argument = || argument.clone();
            if argument().contains('\0') || (number == 0 && argument().is_empty()) {
                return Err(ReloadError::Argument { argument: argument() });
            }
            if let Some(place) = unknown_place(&argument()) {
                let argument = argument();
                return Err(ReloadError::Place { argument, place });
            }
        }
        Ok(())
    }

    /// The program and its arguments for a zone; nothing where nothing is run.
    pub fn of(&self, zone: &str, file: &str) -> Option<(String, Vec<String>)> {
        let mut words = self.command.iter().map(|word| put_in(word, zone, file));
        Some((words.next()?, words.collect()))
    }
}

/// A word with what it names; what was put in is not looked at again.
fn put_in(word: &str, zone: &str, file: &str) -> String {
    let mut made = String::new();
    let mut rest = word;
    while let Some(at) = rest.find('{') {
        made.push_str(&rest[..at]);
        rest = &rest[at..];
        let (value, place) = match (rest.strip_prefix(PLACES[0]), rest.strip_prefix(PLACES[1])) {
            (Some(after), _) => (zone, after),
            (None, Some(after)) => (file, after),
            (None, None) => ("{", &rest[1..]),
        };
        made.push_str(value);
        rest = place;
    }
    made + rest
}

/// A name in braces that is none of ours.
fn unknown_place(word: &str) -> Option<String> {
    let mut rest = word;
    while let Some(at) = rest.find('{') {
        rest = &rest[at..];
        let end = rest.find('}')?;
        let name = &rest[1..end];
        let is_name = !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphabetic());
        if is_name && !PLACES.contains(&&rest[..=end]) {
            return Some(rest[..=end].to_owned());
        }
        rest = &rest[1..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reload(command: &[&str]) -> Reload {
        Reload {
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            timeout: a_minute(),
        }
    }

    #[test]
    fn names_are_put_in_once_and_no_others_are_known() {
        let both = reload(&["load", "{zone}.", "--from={file}", "{}", "{a b}"]);
        both.check().unwrap();
        let (program, arguments) = both.of("{file}", "signed/x.zone").unwrap();
        assert_eq!(program, "load");
        assert_eq!(arguments, ["{file}.", "--from=signed/x.zone", "{}", "{a b}"]);
        assert_eq!(
            reload(&["load", "x{{name}"]).check().unwrap_err().to_string(),
            "command: 'x{{name}' names {name}; only {zone} and {file} are put in"
        );
        assert!(reload(&[""]).check().is_err() && reload(&["a", "b\0"]).check().is_err());
        assert!(reload(&["a", ""]).check().is_ok());
        assert_eq!(reload(&[]).of("a", "b"), None);
        let never = Reload {
            timeout: Span::from_seconds(0),
            ..reload(&["a"])
        };
        assert!(never.check().is_err());
    }
}
