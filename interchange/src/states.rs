//! Where each record of a key is on its way into the caches and out of them.

use std::fmt;
use std::str::FromStr;

use key_metadata::Time;

use crate::error::FieldError;
use crate::quote::Quote;

/// How far caches know a record (Mekking, "DNSSEC key timing and rollover", as BIND and OpenDNSSEC have it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordState {
    /// No cache has it.
    Hidden,
    /// It was published, and some caches can still lack it.
    Rumoured,
    /// Every cache that has the RRset has it.
    Omnipresent,
    /// It was withdrawn, and some caches can still have it.
    Unretentive,
}

/// A record's state, and since when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordChange {
    /// The state; `None` where it is not told, or where the key has no such record.
    pub state: Option<RecordState>,
    /// When it last changed.
    pub since: Option<Time>,
}

/// The states of all records of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordStates {
    /// Where the key is to get to: omnipresent while it comes in, hidden once it goes.
    pub goal: Option<RecordState>,
    /// The DNSKEY record.
    pub dnskey: RecordChange,
    /// The signatures over the DNSKEY RRset.
    pub key_signatures: RecordChange,
    /// The signatures over all other RRsets.
    pub zone_signatures: RecordChange,
    /// The DS record at the parent.
    pub ds: RecordChange,
}

impl RecordStates {
    /// Whether nothing at all is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for RecordState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hidden => "hidden",
            Self::Rumoured => "rumoured",
            Self::Omnipresent => "omnipresent",
            Self::Unretentive => "unretentive",
        })
    }
}

impl FromStr for RecordState {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        [Self::Hidden, Self::Rumoured, Self::Omnipresent, Self::Unretentive]
            .into_iter()
            .find(|state| state.to_string().eq_ignore_ascii_case(text))
            .ok_or_else(|| FieldError::Word(Quote::of(text), "hidden, rumoured, omnipresent and unretentive"))
    }
}
