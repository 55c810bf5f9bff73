//! Files of lines `Name: value`, as BIND's `.private` and `.state` are.

use std::path::Path;

use crate::error::{FieldError, Place, ReadError};
use crate::quote::Quote;
use crate::times;
use key_metadata::Time;

/// Whether values of the file can be repeated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrecy {
    Public,
    Secret,
}

/// One line of such a file.
pub(crate) struct Field<'a> {
    pub(crate) file: &'a Path,
    pub(crate) line: usize,
    pub(crate) name: &'a str,
    /// Without the blanks at its ends.
    pub(crate) value: &'a str,
    secrecy: Secrecy,
}

/// The lines of a file that are not empty, comments (`;`) included as fields named `;`.
pub(crate) fn fields<'a>(
    file: &'a Path,
    text: &'a str,
    secrecy: Secrecy,
) -> impl Iterator<Item = Result<Field<'a>, ReadError>> {
    let numbered = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()));
    numbered
        .filter(|(_, line)| !line.is_empty())
        .map(move |(line, content)| {
            let field = |name, value: &'a str| Field {
                file,
                line,
                name,
                value: value.trim(),
                secrecy,
            };
            match (content.strip_prefix(';'), content.split_once(':')) {
                (Some(comment), _) => Ok(field(";", comment)),
                (None, Some((name, value))) => Ok(field(name.trim(), value)),
                (None, None) => Err(field("line", "").refused(FieldError::Form("'Name: value'"))),
            }
        })
}

impl Field<'_> {
    pub(crate) fn place(&self) -> Box<Place> {
        let name: String = match self.secrecy {
            Secrecy::Public => self.name.chars().take(60).flat_map(char::escape_debug).collect(),
            Secrecy::Secret => self.safe_name().to_owned(),
        };
        Place::at(self.file, Some(self.line), name)
    }

    /// A name that can be shown: in a broken file, a line of a private key could pass for one.
    pub(crate) fn safe_name(&self) -> &str {
        let harmless = self.name.len() <= 24
            && self
                .name
                .bytes()
                .all(|byte| byte.is_ascii_alphabetic() || byte == b'-' || byte == b' ')
            || self.name.bytes().all(|byte| byte.is_ascii_alphanumeric()) && self.name.len() <= 12;
        match self.secrecy {
            Secrecy::Secret if !harmless => "a field of another name",
            Secrecy::Secret | Secrecy::Public => self.name,
        }
    }

    pub(crate) fn quote(&self) -> Quote {
        match self.secrecy {
            Secrecy::Public => Quote::of(self.value),
            Secrecy::Secret => Quote::withheld(),
        }
    }

    pub(crate) fn refused(&self, source: impl Into<FieldError>) -> ReadError {
        ReadError::Field {
            place: self.place(),
            source: source.into(),
        }
    }

    /// A decimal number.
    pub(crate) fn number<N: TryFrom<u64>>(&self, most: u64) -> Result<N, ReadError> {
        let digits = !self.value.is_empty() && self.value.bytes().all(|byte| byte.is_ascii_digit());
        let number = self
            .value
            .parse()
            .ok()
            .filter(|number: &u64| digits && *number <= most);
        number
            .and_then(|number| N::try_from(number).ok())
            .ok_or_else(|| self.refused(FieldError::Number(self.quote(), most)))
    }

    /// `YYYYMMDDHHMMSS`, and what may stand behind it in parentheses.
    pub(crate) fn time(&self) -> Result<Time, ReadError> {
        let digits = self.value.split_whitespace().next().map_or("", |digits| digits);
        times::from_digits(digits, self.quote()).map_err(|error| self.refused(error))
    }

    /// Puts a value where none is yet.
    pub(crate) fn once<T>(&self, slot: &mut Option<T>, value: T) -> Result<(), ReadError> {
        match slot.replace(value) {
            None => Ok(()),
            Some(_) => Err(self.twice()),
        }
    }

    pub(crate) fn twice(&self) -> ReadError {
        ReadError::Twice { place: self.place() }
    }
}

/// The place of a field that is not there.
pub(crate) fn missing(file: &Path, field: &str) -> ReadError {
    ReadError::Missing {
        place: Place::at(file, None, field),
    }
}
