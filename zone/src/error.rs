//! Why the text of a zone cannot be read.

use std::io;
use std::path::{Path, PathBuf};

use key_metadata::Advice;

/// Why a file is not the text of a zone. Each names file and line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file itself.
    #[error("cannot read {}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Not what a zone file has there (RFC 1035 section 5).
    #[error("{}:{place}: {reason}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// The line, from 1, and the column where one is known.
        place: Place,
        /// What was expected, or what is wrong.
        reason: String,
    },
    /// A directive that is not followed.
    #[error("{}:{line}: {directive} is not read", file.display())]
    Directive {
        /// The file.
        file: PathBuf,
        /// The line.
        line: u32,
        /// Which.
        directive: String,
    },
    /// Files that include each other, or more than there is sense in.
    #[error("{}:{line}: $INCLUDE goes more than {MOST_INCLUDED} files deep", file.display())]
    TooDeep {
        /// The file.
        file: PathBuf,
        /// The line.
        line: u32,
    },
}

/// So many files may each include the next.
pub(crate) const MOST_INCLUDED: usize = 8;

/// A line of a file, and its column where one is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: Option<u32>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.column {
            Some(column) => write!(f, "{}:{column}", self.line),
            None => write!(f, "{}", self.line),
        }
    }
}

impl ReadError {
    pub(crate) fn syntax(file: &Path, line: u32, reason: impl Into<String>) -> Self {
        Self::Syntax {
            file: file.to_owned(),
            place: Place { line, column: None },
            reason: reason.into(),
        }
    }
}

impl Advice for ReadError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Directive { directive, .. } if directive.eq_ignore_ascii_case("$GENERATE") => {
                Some("write the records out, each of them: $GENERATE is BIND's alone".to_owned())
            }
            Self::Directive { directive, .. } if directive == "$INCLUDE" => {
                Some("it is followed in a zone file of the site, and nowhere else".to_owned())
            }
            Self::Directive { .. } => Some("$ORIGIN, $TTL and $INCLUDE are read".to_owned()),
            Self::TooDeep { .. } => Some("look for a file that includes itself".to_owned()),
            Self::File { .. } | Self::Syntax { .. } => None,
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}
