//! The records of a zone in memory, in canonical order.

use std::cmp::Ordering;
use std::fmt;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use domain::base::Name;
use domain::base::iana::Rtype;
use key_metadata::ZoneName;
use rayon::prelude::*;

use crate::WireName;
use crate::canonical::canonical_rdata;
use crate::error::ReadError;
use crate::pieces::{FileIndex, Includes, Piece, Pieces, open};
use crate::reader::{self, Read, Scanned};

/// The records of one zone, each once (with one TTL), in canonical order (RFC 4034 section 6); those outside of it among the last.
pub struct Records {
    apex: Vec<u8>,
    /// Owner and RDATA of each record.
    pub(crate) octets: Vec<u8>,
    pub(crate) entries: Vec<Entry>,
    /// What was added and is not in its place yet.
    pub(crate) added: Vec<Entry>,
    files: Vec<PathBuf>,
}

/// A record, by where its octets are.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    /// [`WireName::order_below`] the apex, or the last one of all.
    pub(crate) order: [u8; 16],
    pub(crate) at: usize,
    /// None is 0.
    pub(crate) line: u32,
    pub(crate) ttl: u32,
    pub(crate) rtype: u16,
    pub(crate) rdata_length: u16,
    pub(crate) file: FileIndex,
    pub(crate) owner_length: u8,
}

/// A record of a zone.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    records: &'a Records,
    entry: &'a Entry,
}

/// How the reading of a zone file goes.
#[derive(Clone, Copy, Debug)]
pub enum Reading<'a> {
    /// A file is about to be opened: the zone's, or one that it includes.
    File(&'a Path),
    /// So many octets more were read, a MiB or so.
    Octets(u64),
}

impl Reading<'_> {
    /// How many octets more were read.
    pub const fn octets(self) -> u64 {
        match self {
            Self::File(_) => 0,
            Self::Octets(octets) => octets,
        }
    }
}

impl Records {
    /// Reads the text of a zone file (RFC 1035 section 5), and of the files that it includes. `told` hears how it goes.
    pub fn read(file: &Path, zone: &ZoneName, told: &mut dyn FnMut(Reading<'_>)) -> Result<Self, ReadError> {
        told(Reading::File(file));
        Self::of((open(file)?, Includes::Followed), file, zone, told)
    }

    /// The same of a text, which includes no files; `file` names it in errors.
    pub fn parse(text: &[u8], file: &Path, zone: &ZoneName) -> Result<Self, ReadError> {
        Self::of((Box::new(text), Includes::Refused), file, zone, &mut |_| {})
    }

    fn of(
        (text, includes): (Box<dyn BufRead + '_>, Includes),
        file: &Path,
        zone: &ZoneName,
        told: &mut dyn FnMut(Reading<'_>),
    ) -> Result<Self, ReadError> {
        let apex = Name::from_octets(Bytes::from(zone.wire()))
            .map_err(|error| ReadError::syntax(file, 1, format!("{zone} is no name: {error}")))?;
        Self::of_apex((text, includes), file, apex, told)
    }

    pub(crate) fn of_apex(
        (text, includes): (Box<dyn BufRead + '_>, Includes),
        file: &Path,
        apex: Name<Bytes>,
        told: &mut dyn FnMut(Reading<'_>),
    ) -> Result<Self, ReadError> {
        let mut records = Self {
            apex: apex.as_slice().to_vec(),
            octets: Vec::new(),
            entries: Vec::new(),
            added: Vec::new(),
            files: Vec::new(),
        };
        let mut pieces = Pieces::of(text, file, apex, includes);
        let mut last_ttl = None;
        let at_once = 2 * rayon::current_num_threads();
        loop {
            let mut these = Vec::with_capacity(at_once);
            let mut ended = Ok(false);
            while these.len() < at_once {
                match pieces.next(told) {
                    Ok(Some(piece)) => these.push(piece),
                    Ok(None) => {
                        ended = Ok(true);
                        break;
                    }
                    // What is wrong before it is told first.
                    Err(error) => {
                        ended = Err(error);
                        break;
                    }
                }
            }
            let files = &pieces.files;
            let read: Vec<_> = these
                .par_iter()
                .map(|piece| reader::read(piece, &files[usize::from(piece.file.0)]))
                .collect();
            for (piece, read) in these.iter().zip(read) {
                records.append(piece, &read?, &mut last_ttl, files)?;
                told(Reading::Octets(piece.text.len() as u64));
            }
            if ended? {
                break;
            }
        }
        records.files = pieces.files;
        records.sort();
        Ok(records)
    }

    fn append(
        &mut self,
        piece: &Piece,
        read: &Read,
        last_ttl: &mut Option<u32>,
        files: &[PathBuf],
    ) -> Result<(), ReadError> {
        let before = self.octets.len();
        self.octets.extend_from_slice(&read.octets);
        self.entries.reserve(read.records.len());
        for record in &read.records {
            // What is said last goes on, but not over the end of a file that is included, nor over $TTL.
            let ttl = record.ttl.or(*last_ttl).ok_or_else(|| {
                let file = &files[usize::from(piece.file.0)];
                ReadError::syntax(file, record.line, "there is no TTL, and no $TTL before")
            })?;
            if piece.ttl.is_none() {
                *last_ttl = Some(ttl);
            }
            let entry = self.entry(before, record, ttl, piece.file);
            self.entries.push(entry);
        }
        Ok(())
    }

    /// A record whose octets are there, from that place on.
    pub(crate) fn entry(&self, from: usize, record: &Scanned, ttl: u32, file: FileIndex) -> Entry {
        let at = from + record.at;
        let (owner, apex) = (
            WireName::trusted(&self.octets[at..at + usize::from(record.owner_length)]),
            self.apex(),
        );
        Entry {
            order: match owner.is_within(apex) {
                true => owner.order_below(apex),
                false => [0xff; 16],
            },
            at,
            line: record.line,
            ttl,
            rtype: record.rtype.to_int(),
            rdata_length: record.rdata_length,
            file,
            owner_length: record.owner_length,
        }
    }

    /// Puts the records in canonical order, and each of them only once.
    fn sort(&mut self) {
        let mut entries = std::mem::take(&mut self.entries);
        // Of two that are one record, the first of the file stays.
        entries.par_sort_unstable_by(|one, other| {
            let order = self.order(one, other);
            order.then(one.ttl.cmp(&other.ttl)).then(one.at.cmp(&other.at))
        });
        self.entries = entries;
        self.dedup();
    }

    /// Keeps one of several that are one record with one TTL.
    pub fn dedup(&mut self) {
        let mut entries = std::mem::take(&mut self.entries);
        entries.dedup_by(|later, first| later.ttl == first.ttl && self.order(first, later).is_eq());
        self.entries = entries;
    }

    pub(crate) fn order(&self, one: &Entry, other: &Entry) -> Ordering {
        let (record, other_record) = (self.record(one), self.record(other));
        one.order
            .cmp(&other.order)
            .then_with(
                || match record.owner().octets() == other_record.owner().octets() {
                    true => Ordering::Equal,
                    false => record.owner().compare(other_record.owner()),
                },
            )
            .then_with(|| one.rtype.cmp(&other.rtype))
            .then_with(|| record.canonical_rdata().cmp(&other_record.canonical_rdata()))
    }

    pub(crate) const fn record<'a>(&'a self, entry: &'a Entry) -> Record<'a> {
        Record { records: self, entry }
    }

    /// The apex.
    pub fn apex(&self) -> WireName<'_> {
        WireName::trusted(&self.apex)
    }

    /// The place of the SOA record, where the apex has one.
    pub fn soa(&self) -> Option<usize> {
        self.at_apex(Rtype::SOA)
    }

    /// The place of the first record of a type at the apex.
    pub fn at_apex(&self, rtype: Rtype) -> Option<usize> {
        let is_apex = |record: &Record<'_>| record.owner() == self.apex();
        self.iter()
            .take_while(is_apex)
            .position(|record| record.rtype() == rtype)
    }

    /// The serial of its SOA, where it has one: the first of the five numbers at the end of the RDATA (RFC 1035 3.3.13).
    pub fn serial(&self) -> Option<u32> {
        self.soa().and_then(|place| self.at(place).serial())
    }

    /// Sets the serial of its SOA.
    pub fn set_serial(&mut self, serial: u32) {
        let soa = self.soa();
        let rdata = soa.and_then(|place| self.rdata_mut(place));
        if let Some(numbers) = rdata.and_then(|rdata| rdata.last_chunk_mut::<20>()) {
            numbers[..4].copy_from_slice(&serial.to_be_bytes());
        }
    }

    /// How many records there are.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All records.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Record<'_>> {
        self.entries.iter().map(|entry| self.record(entry))
    }

    /// A record by a place that is one.
    pub(crate) fn at(&self, place: usize) -> Record<'_> {
        self.record(&self.entries[place])
    }

    /// A record by its place.
    pub fn get(&self, place: usize) -> Option<Record<'_>> {
        self.entries.get(place).map(|entry| self.record(entry))
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Records({} of {})", self.len(), self.apex())
    }
}

impl<'a> Record<'a> {
    /// Its owner.
    pub fn owner(self) -> WireName<'a> {
        let (at, length) = (self.entry.at, usize::from(self.entry.owner_length));
        WireName::trusted(&self.records.octets[at..at + length])
    }

    /// Its type.
    pub const fn rtype(self) -> Rtype {
        Rtype::from_int(self.entry.rtype)
    }

    /// Its TTL, in seconds.
    pub const fn ttl(self) -> u32 {
        self.entry.ttl
    }

    /// Its RDATA.
    pub fn rdata(self) -> &'a [u8] {
        let at = self.entry.at + usize::from(self.entry.owner_length);
        &self.records.octets[at..at + usize::from(self.entry.rdata_length)]
    }

    /// The serial of a SOA record (RFC 1035 3.3.13).
    pub fn serial(self) -> Option<u32> {
        let serial = self.rdata().last_chunk::<20>()?.first_chunk()?;
        Some(u32::from_be_bytes(*serial)).filter(|_| self.rtype() == Rtype::SOA)
    }

    /// The same in canonical form.
    pub fn canonical_rdata(self) -> std::borrow::Cow<'a, [u8]> {
        canonical_rdata(self.rtype(), self.rdata())
    }

    /// Appends the record in canonical form (RFC 4034 6.2), with that TTL.
    pub(crate) fn write_canonical(self, ttl: u32, data: &mut Vec<u8>) {
        data.extend(self.owner().octets().iter().map(u8::to_ascii_lowercase));
        data.extend_from_slice(&self.entry.rtype.to_be_bytes());
        // Class IN; no other is read.
        data.extend_from_slice(&1u16.to_be_bytes());
        data.extend_from_slice(&ttl.to_be_bytes());
        let rdata = self.canonical_rdata();
        data.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
        data.extend_from_slice(&rdata);
    }

    /// Whether it is of the zone.
    pub fn is_in_zone(self) -> bool {
        self.owner().is_within(self.records.apex())
    }

    /// The line that it is on, or one of them; none, where it was not read.
    pub fn line(self) -> Option<u32> {
        Some(self.entry.line).filter(|line| *line > 0)
    }

    /// The file that it was read from.
    pub fn file(self) -> &'a Path {
        &self.records.files[usize::from(self.entry.file.0)]
    }
}
