//! Why a foreign file is refused, and why a key cannot be written for other software.

use std::fmt;
use std::path::{Path, PathBuf};

use key_metadata::algorithm::AlgorithmError;
use key_metadata::public_key::PublicKeyError;
use key_metadata::store::StoreError;
use key_metadata::zone_name::ZoneNameError;
use key_metadata::{Advice, KeyFileStem, KeyState, Time, TokenName};

use crate::quote::Quote;
use crate::report::MOST_LOST;
use crate::token_key::LabelError;

/// Where in a file something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from one, where it is known.
    pub line: Option<usize>,
    /// The field.
    pub field: String,
}

impl Place {
    pub(crate) fn at(file: &Path, line: Option<usize>, field: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            file: file.to_owned(),
            line,
            field: field.into(),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        write!(f, ", {}", self.field)
    }
}

/// Why a foreign file is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The system refused a file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A field says something that it must not.
    #[error("{place} cannot be read")]
    Field {
        /// Where.
        place: Box<Place>,
        /// Why not.
        source: FieldError,
    },
    /// Two statements about a key differ.
    #[error("{place} is {written}, but by {by} it is {computed}")]
    Contradiction {
        /// Where the first statement is.
        place: Box<Place>,
        /// What it says.
        written: Quote,
        /// What makes the second statement.
        by: &'static str,
        /// What that says.
        computed: String,
    },
    /// A private key that is not that of the public key beside it.
    #[error("{place} is the private key of another key than the DNSKEY record's")]
    OtherPrivateKey {
        /// Where the private key is.
        place: Box<Place>,
    },
    /// A field that must be there.
    #[error("{place} is missing")]
    Missing {
        /// Where it should be.
        place: Box<Place>,
    },
    /// A field that is there twice.
    #[error("{place} is there twice")]
    Twice {
        /// The second one.
        place: Box<Place>,
    },
    /// Larger than any file of that kind is.
    #[error("{} is larger than {limit} bytes", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// The limit, in bytes.
        limit: usize,
    },
    /// Not text.
    #[error("{} is not UTF-8", file.display())]
    NotText {
        /// The file.
        file: PathBuf,
    },
    /// More fields that cannot be kept than any such file has.
    #[error("{} has more than {MOST_LOST} fields that are not known", file.display())]
    TooManyLost {
        /// The file.
        file: PathBuf,
    },
    /// A key without its DNSKEY record: the list that names it has no public keys.
    #[error("no DNSKEY record of zone {zone} has algorithm {algorithm} and key tag {tag}")]
    NoRecord {
        /// The zone.
        zone: String,
        /// The algorithm's number.
        algorithm: u8,
        /// The key tag.
        tag: u16,
    },
    /// Two DNSKEY records that a list cannot tell apart.
    #[error("two DNSKEY records of zone {zone} have algorithm {algorithm} and key tag {tag}")]
    TwoRecords {
        /// The zone.
        zone: String,
        /// The algorithm's number.
        algorithm: u8,
        /// The key tag.
        tag: u16,
    },
}

/// Why the value of a field is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// No `name: value`, no record, or not the number of parts that there must be.
    #[error("it is not of the form {0}")]
    Form(&'static str),
    /// Not a time.
    #[error("{0} is no time of the form {1}")]
    Time(Quote, &'static str),
    /// Not a number, or one that is too large.
    #[error("{0} is no number from 0 to {1}")]
    Number(Quote, u64),
    /// Not base64.
    #[error("it is not base64")]
    Base64,
    /// Not an even number of hex digits, or too many.
    #[error("{0} is not 1 to 64 bytes in hex digits")]
    Hex(Quote),
    /// An algorithm that is not known.
    #[error(transparent)]
    Algorithm(#[from] AlgorithmError),
    /// A public key that is none.
    #[error(transparent)]
    PublicKey(#[from] PublicKeyError),
    /// A zone's name that is none.
    #[error(transparent)]
    ZoneName(#[from] ZoneNameError),
    /// Flags that no DNSKEY of a zone has (RFC 4034 2.1.1, RFC 5011 7).
    #[error("a DNSKEY's flags are 256 or 257, and 128 more when it is revoked, not {0}")]
    Flags(u16),
    /// A protocol other than 3 (RFC 4034 2.1.2).
    #[error("a DNSKEY's protocol is 3, not {0}")]
    Protocol(u8),
    /// A word that is not among those that the field can have.
    #[error("{0} is none of {1}")]
    Word(Quote, &'static str),
    /// A private key of a wrong length.
    #[error("a private key of that algorithm has {expected} bytes, this one has {found}")]
    SecretLength {
        /// In bytes.
        expected: usize,
        /// In bytes.
        found: usize,
    },
    /// A label that names no key in a token.
    #[error(transparent)]
    Label(#[from] LabelError),
    /// JSON that is none, or of another shape.
    #[error("{0}")]
    Json(String),
    /// A reference with a credential in it.
    #[error("it has a user name or a password in it")]
    Credential,
}

impl Advice for ReadError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NoRecord { zone, tag, .. } => Some(format!(
                "give the DNSKEY records too: keymgr {zone} dnskey {tag}, or ods-enforcer key export --zone {zone} --cka_id ID"
            )),
            Self::TwoRecords { .. } => Some("give the records of one key at a time".to_owned()),
            Self::OtherPrivateKey { .. } => Some("find the file that belongs to the public key".to_owned()),
            Self::Store(error) => error.hint(),
            Self::Field { .. }
            | Self::Contradiction { .. }
            | Self::Missing { .. }
            | Self::Twice { .. }
            | Self::TooLarge { .. }
            | Self::NotText { .. }
            | Self::TooManyLost { .. } => None,
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}

/// Why a key cannot be written for other software.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// Its private part is not in a PKCS#11 token, where the other software could use it.
    #[error("key {tag} is not in a PKCS#11 token, so {software} cannot use it")]
    NotInToken {
        /// Its tag.
        tag: u16,
        /// Who was to use it.
        software: &'static str,
    },
    /// Its private part is in a file of BIND's, which is no token for anybody.
    #[error(
        "a pair of BIND's files is the key already: {name}.key and {name}.private in the folder of '{token}'"
    )]
    InFiles {
        /// The folder, by its name in site.yaml.
        token: TokenName,
        /// What the names of the files have in common.
        name: KeyFileStem,
    },
    /// A state that the other software does not know.
    #[error("key {tag} is {state}, which {software} has no word for")]
    State {
        /// Its tag.
        tag: u16,
        /// Its state.
        state: KeyState,
        /// Who was to be told.
        software: &'static str,
    },
    /// A time that the other software cannot hold.
    #[error("{software} cannot hold the time {time}")]
    Time {
        /// The time.
        time: Time,
        /// Who was to be told.
        software: &'static str,
    },
    /// A text with a PIN, or where one is.
    #[error("a PIN, or where one is, is not written into a key file")]
    Pin,
    /// A text that the other software would take for something else.
    #[error("{0} cannot be written: {1}")]
    Text(Quote, &'static str),
    /// A key tag that another key of the same file has.
    #[error("two keys have the tag {0}, and {1} takes only one")]
    Tag(u16, &'static str),
    /// A file that has a private key in the clear, or might.
    #[error("{} has a private key in it, and is not replaced", path.display())]
    PrivateKey {
        /// The file.
        path: PathBuf,
    },
    /// The system refused a file.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Advice for ExportError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NotInToken { .. } => Some("publish it as a public key, and sign with Keyrite".to_owned()),
            Self::InFiles { .. } => Some(
                "name the files to BIND or ldns as they are; Knot DNS takes them by 'keymgr ZONE import-bind'"
                    .to_owned(),
            ),
            Self::Pin => Some("the other software is told the PIN in its own configuration".to_owned()),
            Self::Store(error) => error.hint(),
            Self::PrivateKey { .. } => Some("write into another folder, or move the file away".to_owned()),
            Self::State { .. } | Self::Time { .. } | Self::Text(..) | Self::Tag(..) => None,
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}
