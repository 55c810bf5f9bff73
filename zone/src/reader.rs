//! The records of a piece of a zone file.
//!
//! domain reads them; the guards in front of it and behind it are those of docs/decisions/0002.

use std::path::Path;

use domain::base::ParsedName;
use domain::base::iana::{Class, Rtype};
use domain::base::name::ToName;
use domain::base::rdata::{ComposeRecordData, ParseRecordData};
use domain::dep::octseq::Parser;
use domain::rdata::ZoneRecordData;
use domain::zonefile::inplace::{Entry, ScannedRecord, Zonefile};

use crate::WireName;
use crate::error::{Place, ReadError};
use crate::pieces::Piece;

/// A record as it was read: where its owner and its RDATA are among the octets.
pub(crate) struct Scanned {
    pub at: usize,
    pub owner_length: u8,
    pub rdata_length: u16,
    pub rtype: Rtype,
    /// Nothing, where neither the record nor `$TTL` has one: it is that of the record before (RFC 1035 5.1).
    pub ttl: Option<u32>,
    /// One of those that it is on.
    pub line: u32,
}

/// The records of a piece.
#[derive(Default)]
pub(crate) struct Read {
    pub octets: Vec<u8>,
    pub records: Vec<Scanned>,
}

/// No TTL is so large (RFC 2181 section 8): what stands for none is above, and nowhere in the text.
const LARGEST_TTL: u32 = i32::MAX as u32;

/// Reads a piece, `file` by name.
pub(crate) fn read(piece: &Piece, file: &Path) -> Result<Read, ReadError> {
    let mut reader = Zonefile::with_capacity(piece.text.len() + 64);
    reader.set_origin(piece.origin.clone());
    reader.set_default_class(Class::IN);
    let is_free = |ttl: &u32| memchr::memmem::find(&piece.text, ttl.to_string().as_bytes()).is_none();
    let no_ttl = (LARGEST_TTL..=u32::MAX)
        .rev()
        .find(is_free)
        .map_or(u32::MAX, |free| free);
    let ttl = piece.ttl.map_or(no_ttl, |ttl| ttl);
    let mut head = format!("$TTL {ttl}\n").into_bytes();
    let mut lines = Lines::new(piece, head.len());
    if let Some((owner, indent)) = piece.owner.as_ref().zip(indented(&piece.text)) {
        reader.extend_from_slice(&head);
        reader.extend_from_slice(&piece.text[..indent]);
        reader.extend_from_slice(owner);
        reader.extend_from_slice(&piece.text[indent..]);
        head.extend_from_slice(owner);
        lines.head = head.len();
    } else {
        reader.extend_from_slice(&head);
        reader.extend_from_slice(&piece.text);
    }
    let mut read = Read::default();
    loop {
        let entry = reader
            .next_entry()
            .map_err(|error| failed(&error.to_string(), piece, file))?;
        let line = lines.at(reader.current_offset());
        match entry {
            None => return Ok(read),
            Some(Entry::Record(record)) => {
                let ttl = record.ttl().as_secs();
                read.add(&record, (ttl != no_ttl).then_some(ttl), line, file)?;
            }
            // Directives are taken out of the pieces.
            Some(Entry::Include { .. }) => return Err(ReadError::syntax(file, line, "$INCLUDE in a record")),
        }
    }
}

/// Where the first record begins, if it begins with a space.
fn indented(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive(|octet| *octet == b'\n') {
        let spaces = line
            .iter()
            .take_while(|octet| matches!(octet, b' ' | b'\t'))
            .count();
        match line.get(spaces) {
            None | Some(b'\n' | b'\r' | b';') => at += line.len(),
            Some(_) => return (spaces > 0).then_some(at),
        }
    }
    None
}

/// Counts the lines behind which the reader stands.
struct Lines<'t> {
    text: &'t [u8],
    /// How many octets are before the text.
    head: usize,
    line: u32,
    seen: usize,
}

impl<'t> Lines<'t> {
    fn new(piece: &'t Piece, head: usize) -> Self {
        Self {
            text: &piece.text,
            head,
            line: piece.line,
            seen: 0,
        }
    }

    /// A line of the entry that was just read: the reader stands behind one of its fields, or its line end.
    fn at(&mut self, offset: usize) -> u32 {
        let offset = offset.saturating_sub(self.head).clamp(self.seen, self.text.len());
        let part = &self.text[self.seen..offset];
        self.line += memchr::memchr_iter(b'\n', part).count() as u32;
        self.seen = offset;
        match part.ends_with(b"\n") {
            true => self.line - 1,
            false => self.line,
        }
    }
}

impl Read {
    /// Appends a record, if it is one on the wire too: domain 0.12.3 reads `a..` as a name with a root label inside.
    fn add(
        &mut self,
        record: &ScannedRecord,
        ttl: Option<u32>,
        line: u32,
        file: &Path,
    ) -> Result<(), ReadError> {
        let at = self.octets.len();
        // Appending to a Vec cannot fail.
        let _ = record.owner().compose(&mut self.octets);
        let owner_length = self.octets.len() - at;
        let _ = record.data().compose_rdata(&mut self.octets);
        let (owner, rdata) = self.octets[at..].split_at(owner_length);
        let unfit = |reason| Err(ReadError::syntax(file, line, reason));
        if WireName::new(owner).is_none() || !is_whole(record.rtype(), rdata) {
            return unfit("a name in the record has an empty label, or is too long");
        }
        let Ok(rdata_length) = u16::try_from(rdata.len()) else {
            return unfit("a record of more than 65,535 octets");
        };
        if ttl.is_some_and(|ttl| ttl > LARGEST_TTL) {
            return unfit("a TTL is at most 2,147,483,647 (RFC 2181 section 8)");
        }
        self.records.push(Scanned {
            at,
            owner_length: owner_length as u8,
            rdata_length,
            rtype: record.rtype(),
            ttl,
            line,
        });
        Ok(())
    }
}

/// Whether RDATA is one on the wire, to its last octet.
fn is_whole(rtype: Rtype, rdata: &[u8]) -> bool {
    let mut parser = Parser::from_ref(rdata);
    let parsed = ZoneRecordData::<&[u8], ParsedName<&[u8]>>::parse_rdata(rtype, &mut parser);
    matches!(parsed, Ok(Some(_))) && parser.remaining() == 0
}

/// What domain says, on the line that is meant, in words.
fn failed(said: &str, piece: &Piece, file: &Path) -> ReadError {
    let mut parts = said.splitn(3, ':');
    let number = |part: Option<&str>| part.and_then(|part| part.parse::<u32>().ok());
    let (line, column) = (number(parts.next()), number(parts.next()));
    let reason = parts.next().map_or(said, str::trim);
    // One line is before the text. Behind the end of a line, domain counts the next one.
    let line = piece.line + line.map_or(0, |line| line.saturating_sub(2));
    let place = match column {
        Some(1) if line > piece.line => Place {
            line: line - 1,
            column: None,
        },
        column => Place { line, column },
    };
    ReadError::Syntax {
        file: file.to_owned(),
        place,
        reason: match reason {
            "bad symbol" => "a character that cannot stand here",
            "short buffer" | "unexpected end of entry" => "the record ends too early",
            "expected rtype" => "a record type was expected here",
            "trailing tokens" => "the record has more fields than its type",
            "unbalanced parens" => "a parenthesis that has no other half",
            "missing last owner" => "the first record has no owner name",
            other => other,
        }
        .to_owned(),
    }
}
