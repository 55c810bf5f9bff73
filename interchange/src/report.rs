//! What reading a file gave, and what it could not keep.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::ReadError;
use crate::key::ForeignKey;
use crate::quote::Quote;

/// The most fields of one file that can be reported as not kept. A file with more is none of the format's.
pub const MOST_LOST: usize = 10_000;

/// The keys of a foreign file or folder.
#[derive(Debug, Default)]
pub struct Import {
    /// The keys, in the order of the files.
    pub keys: Vec<ForeignKey>,
    /// Every field that is not in [`Self::keys`].
    pub lost: Vec<Lost>,
    /// The files with a private key that others can read.
    pub exposed: Vec<Exposed>,
}

/// A field that was read and is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from one; `None` where the format has none (JSON) or the file is not in front of us.
    pub line: Option<usize>,
    /// The field, by the file's name for it.
    pub field: String,
    /// What it says.
    pub value: Quote,
    /// Why it is not kept.
    pub why: Reason,
}

/// Why a field is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The format as we know it has no such field.
    Unknown,
    /// It is known, and Keyrite has no place for it.
    NoPlace,
    /// A person's words.
    Comment,
    /// A PIN, or where one is: it is never kept.
    Pin,
    /// A private key of an algorithm that Keyrite does not sign with.
    NoSuchPrivateKey,
    /// Another file of the same key says otherwise, and the other software goes by that one.
    Overruled,
    /// A record's time is what happened, and this lies in the future.
    Planned,
    /// The other software has no place for it.
    NoPlaceThere,
}

/// A file with a private key that others than its owner can read or write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed {
    /// The file.
    pub file: PathBuf,
    /// Its permission bits.
    pub mode: u32,
}

/// Collects what is lost of one file.
pub(crate) struct Losses {
    file: PathBuf,
    pub(crate) lost: Vec<Lost>,
}

impl Losses {
    pub(crate) fn of(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            lost: Vec::new(),
        }
    }

    pub(crate) fn add(
        &mut self,
        line: Option<usize>,
        field: &str,
        value: Quote,
        why: Reason,
    ) -> Result<(), ReadError> {
        if self.lost.len() >= MOST_LOST {
            return Err(ReadError::TooManyLost {
                file: self.file.clone(),
            });
        }
        // A name that is a URI can have a password in it.
        let field = if field.contains("://") {
            "a field that is named by a URI"
        } else {
            field
        };
        self.lost.push(Lost {
            file: self.file.clone(),
            line,
            field: field.chars().take(100).flat_map(char::escape_debug).collect(),
            value,
            why,
        });
        Ok(())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "the field is not known",
            Self::NoPlace => "Keyrite has no place for it",
            Self::Comment => "it is a comment",
            Self::Pin => "a PIN stands in the file, or where one is; remove it from there",
            Self::NoSuchPrivateKey => "Keyrite takes no private keys of that algorithm",
            Self::Overruled => "another file of the key says otherwise, and that one counts",
            Self::Planned => "it lies in the future, and a record holds what happened",
            Self::NoPlaceThere => "the other software has no place for it",
        })
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        write!(f, ", {}: {} is not kept: {}", self.field, self.value, self.why)
    }
}
