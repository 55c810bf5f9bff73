//! `ods-enforcer key list`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use key_metadata::{KeyAlgorithm, Role, ZoneName};

use super::LARGEST_LIST;
use crate::error::{FieldError, Place, ReadError};
use crate::files::within;
use crate::knot::id;
use crate::quote::Quote;
use crate::records::algorithm_of;
use crate::report::{Losses, Lost, Reason};
use crate::states::{RecordChange, RecordState, RecordStates};

/// A key as `key list --verbose` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedKey {
    /// The zone.
    pub zone: ZoneName,
    /// What it is for.
    pub role: Role,
    /// Where it is in its life.
    pub state: ListedState,
    /// When that changes next: a local time, or what is waited for.
    pub next: String,
    /// Its size in bits.
    pub size: u16,
    /// Its algorithm.
    pub algorithm: KeyAlgorithm,
    /// Its CKA_ID, 1 to 64 bytes.
    pub id: Vec<u8>,
    /// The name of its token in conf.xml.
    pub repository: String,
    /// Its tag.
    pub tag: u16,
}

/// How far caches know a key's records: a line of `key list --debug`. OpenDNSSEC does not print since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRecords {
    /// The zone.
    pub zone: ZoneName,
    /// What the key is for.
    pub role: Role,
    /// The key's CKA_ID.
    pub id: Vec<u8>,
    /// The states.
    pub records: RecordStates,
}

/// The states in OpenDNSSEC's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListedState {
    /// Made.
    Generate,
    /// In the zone.
    Publish,
    /// In every cache.
    Ready,
    /// Signing.
    Active,
    /// On its way out, or gone.
    Retire,
    /// A CSK that is in one state as KSK and in another as ZSK.
    Mixed,
    /// None of these.
    Unknown,
}

const STATES: [(&str, ListedState); 7] = [
    ("generate", ListedState::Generate),
    ("publish", ListedState::Publish),
    ("ready", ListedState::Ready),
    ("active", ListedState::Active),
    ("retire", ListedState::Retire),
    ("mixed", ListedState::Mixed),
    ("unknown", ListedState::Unknown),
];

/// What a list has.
#[derive(Debug)]
pub struct Listing {
    /// The keys.
    pub keys: Vec<ListedKey>,
    /// The states of records; of the same keys, if both lists were given.
    pub records: Vec<ListedRecords>,
    /// What is in neither.
    pub lost: Vec<Lost>,
    /// The file that it was read from.
    pub file: PathBuf,
}

impl Listing {
    /// Reads the output of `key list --verbose`, as a table or parsable, and of `key list --debug --parsable`; one may follow the other.
    pub fn parse(file: &Path, text: &str) -> Result<Self, ReadError> {
        within(file, text, LARGEST_LIST)?;
        let mut losses = Losses::of(file);
        let mut listing = Self {
            keys: Vec::new(),
            records: Vec::new(),
            lost: Vec::new(),
            file: file.to_owned(),
        };
        for (index, line) in text.lines().enumerate() {
            let line_number = index + 1;
            let line = line.trim();
            let heading = line == "Keys:" || line.starts_with("Zone:") && line.ends_with("KeyTag:");
            if line.is_empty() || heading {
                continue;
            }
            listing.line(Row { file, line_number }, line, &mut losses)?;
        }
        listing.lost = losses.lost;
        Ok(listing)
    }

    fn line(&mut self, row: Row<'_>, line: &str, losses: &mut Losses) -> Result<(), ReadError> {
        let parts: Vec<&str> = line.split(';').map(str::trim).collect();
        if let &[zone, role, state, next, size, algorithm, id, repository, tag] = parts.as_slice() {
            let is_debug = state.eq_ignore_ascii_case("NA") || state.parse::<RecordState>().is_ok();
            if !is_debug {
                let key = row.key([zone, role, state, size, algorithm, id, repository, tag], next)?;
                self.keys.push(key);
                return Ok(());
            }
            let [ds, dnskey, key_signatures, zone_signatures] = [state, next, size, algorithm];
            self.records.push(ListedRecords {
                zone: row.zone(zone)?,
                role: row.role(role)?,
                records: RecordStates {
                    goal: None,
                    dnskey: row.change("DNSKEY", dnskey)?,
                    key_signatures: row.change("RRSIGDNSKEY", key_signatures)?,
                    zone_signatures: row.change("RRSIG", zone_signatures)?,
                    ds: row.change("DS", ds)?,
                },
                id: row.id(tag)?,
            });
            for (field, word) in [("Pub", id), ("Act", repository)] {
                losses.add(Some(row.line_number), field, Quote::of(word), Reason::NoPlace)?;
            }
            return Ok(());
        }
        // A row of the table: what changes next can have blanks in it, nothing else has.
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [zone, role, state, next @ .., size, algorithm, id, repository, tag] = words.as_slice()
            && !next.is_empty()
        {
            let key = row.key(
                [zone, role, state, size, algorithm, id, repository, tag],
                &next.join(" "),
            )?;
            self.keys.push(key);
            return Ok(());
        }
        Err(row.refused("line", FieldError::Form("a line of 'key list --verbose'")))
    }
}

#[derive(Clone, Copy)]
struct Row<'a> {
    file: &'a Path,
    line_number: usize,
}

impl Row<'_> {
    fn refused(self, field: &str, source: FieldError) -> ReadError {
        ReadError::Field {
            place: Place::at(self.file, Some(self.line_number), field),
            source,
        }
    }

    fn key(self, words: [&str; 8], next: &str) -> Result<ListedKey, ReadError> {
        let [zone, role, state, size, algorithm, id, repository, tag] = words;
        if repository.is_empty()
            || repository.contains(|c: char| c.is_control() || c.is_whitespace() || c == ';')
        {
            return Err(self.refused(
                "Repository",
                FieldError::Form("the name of a repository, without blanks"),
            ));
        }
        if next.contains(|c: char| c.is_control() || c == ';') || next.len() > 80 {
            return Err(self.refused(
                "Date of next transition",
                FieldError::Form("a time, or what is waited for"),
            ));
        }
        Ok(ListedKey {
            zone: self.zone(zone)?,
            role: self.role(role)?,
            state: state.parse().map_err(|source| self.refused("State", source))?,
            next: next.to_owned(),
            size: self.number("Size", size)?,
            algorithm: algorithm_of(algorithm).map_err(|source| self.refused("Algorithm", source))?,
            id: self.id(id)?,
            repository: repository.to_owned(),
            tag: self.number("KeyTag", tag)?,
        })
    }

    fn zone(self, word: &str) -> Result<ZoneName, ReadError> {
        word.parse().map_err(|_| {
            self.refused(
                "Zone",
                FieldError::Word(Quote::of(word), "the names that a zone can have"),
            )
        })
    }

    fn role(self, word: &str) -> Result<Role, ReadError> {
        word.parse()
            .map_err(|_| self.refused("Keytype", FieldError::Word(Quote::of(word), "KSK, ZSK and CSK")))
    }

    fn id(self, word: &str) -> Result<Vec<u8>, ReadError> {
        id(word).map_err(|source| self.refused("CKA_ID", source))
    }

    fn number(self, field: &str, word: &str) -> Result<u16, ReadError> {
        let digits = word.bytes().all(|byte| byte.is_ascii_digit());
        let number = word.parse().ok().filter(|_| digits);
        number.ok_or_else(|| self.refused(field, FieldError::Number(Quote::of(word), 65535)))
    }

    /// `NA` is for a record that the key does not have.
    fn change(self, field: &str, word: &str) -> Result<RecordChange, ReadError> {
        let state = match word.eq_ignore_ascii_case("NA") {
            true => None,
            false => Some(word.parse().map_err(|source| self.refused(field, source))?),
        };
        Ok(RecordChange { state, since: None })
    }
}

impl FromStr for ListedState {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        let found = STATES.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        found.map(|(_, state)| *state).ok_or_else(|| {
            FieldError::Word(
                Quote::of(text),
                "generate, publish, ready, active, retire, mixed and unknown",
            )
        })
    }
}

impl fmt::Display for ListedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = STATES.iter().find(|(_, state)| state == self);
        f.write_str(found.map_or("unknown", |(word, _)| word))
    }
}

impl fmt::Display for ListedKey {
    /// A line of `key list --verbose --parsable`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (algorithm, id) = (self.algorithm.number(), hex::encode(&self.id));
        write!(
            f,
            "{};{};{};{};{};{algorithm};{id};{};{}",
            self.zone, self.role, self.state, self.next, self.size, self.repository, self.tag
        )
    }
}
