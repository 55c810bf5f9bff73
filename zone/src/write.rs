//! The text of a zone: a record a line, with its whole name; read again before it is let out.

use std::fmt::Write as _;
use std::io;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use domain::base::iana::Rtype;
use domain::base::rdata::ParseRecordData;
use domain::base::zonefile_fmt::{DisplayKind, ZonefileFmt};
use domain::base::{Name, ParsedName};
use domain::dep::octseq::Parser;
use domain::rdata::ZoneRecordData;
use rayon::prelude::*;

use crate::WireName;
use crate::error::ReadError;
use crate::pieces::Includes;
use crate::records::{Record, Records};

/// So many records are written together.
const AT_ONCE: usize = 4096;

/// Why a zone was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The text is not that of the records: a fault of this program.
    #[error("the text that was made for {0} does not read as what it was made of")]
    OtherText(String),
}

/// Writes every record, the SOA first, since some servers would not load the zone otherwise, the rest in canonical order. `progress` hears how many
/// records are written.
pub fn write(records: &Records, out: &mut dyn io::Write, progress: &dyn Fn(u64)) -> Result<(), WriteError> {
    let soa = records.soa().map_or(0..0, |soa| soa..soa + 1);
    let spans: Vec<_> = std::iter::once(soa.clone())
        .chain(spans(0..soa.start))
        .chain(spans(soa.end..records.len()))
        .collect();
    for spans in spans.chunks(2 * rayon::current_num_threads()) {
        let texts: Vec<_> = spans.par_iter().map(|span| text(records, span.clone())).collect();
        for (span, text) in spans.iter().zip(texts) {
            out.write_all(text?.as_bytes())?;
            progress(span.len() as u64);
        }
    }
    Ok(())
}

fn spans(places: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = places.end;
    places
        .step_by(AT_ONCE)
        .map(move |from| from..(from + AT_ONCE).min(end))
}

/// The text of some records, which reads as those.
fn text(records: &Records, span: Range<usize>) -> Result<String, WriteError> {
    let mut text = String::with_capacity(span.len() * 100);
    for place in span.clone() {
        line(records.at(place), Form::Own, &mut text);
    }
    if reads_as(&text, records, span.clone()) {
        return Ok(text);
    }
    // Some record has no text of its own that is read back: each line is looked at.
    text.clear();
    for place in span {
        let from = text.len();
        for form in [Form::Own, Form::Unknown] {
            text.truncate(from);
            line(records.at(place), form, &mut text);
            if reads_as(&text[from..], records, place..place + 1) {
                break;
            }
        }
        if !reads_as(&text[from..], records, place..place + 1) {
            let record = records.at(place);
            return Err(WriteError::OtherText(format!(
                "{} {}",
                record.owner(),
                record.rtype()
            )));
        }
    }
    Ok(text)
}

fn reads_as(text: &str, records: &Records, span: Range<usize>) -> bool {
    let Ok(read) = Records::read_back(text, records) else {
        return false;
    };
    let mut pairs = read.iter().zip(span.clone().map(|place| records.at(place)));
    read.len() == span.len()
        && pairs.all(|(read, record)| {
            read.owner().octets() == record.owner().octets()
                && (read.rtype(), read.ttl()) == (record.rtype(), record.ttl())
                && read.rdata() == record.rdata()
        })
}

/// How RDATA is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As its type has it.
    Own,
    /// As that of an unknown type (RFC 3597 section 5).
    Unknown,
}

/// Appends the line of a record. Writing to a String cannot fail.
fn line(record: Record<'_>, form: Form, text: &mut String) {
    owner(record.owner(), text);
    let _ = write!(text, " {} IN {} ", record.ttl(), record.rtype());
    let from = text.len();
    let is_written = form == Form::Own && own(record, text).is_some();
    // Readers differ in which characters of a name need a backslash.
    if !is_written || (has_names(record.rtype()) && has_rare_escape(&text[from..])) {
        text.truncate(from);
        let _ = write!(text, "\\# {}", record.rdata().len());
        if !record.rdata().is_empty() {
            text.push(' ');
        }
        for octet in record.rdata() {
            let _ = write!(text, "{octet:02X}");
        }
    }
    text.push('\n');
}

/// Whether there is an escape that is not of a dot, of a backslash, or by number.
fn has_rare_escape(text: &str) -> bool {
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        if octet == b'\\'
            && !octets
                .next()
                .is_some_and(|next| matches!(next, b'.' | b'\\' | b'0'..=b'9'))
        {
            return true;
        }
    }
    false
}

/// Whether backslashes in RDATA of the type are those of names; of the others here they are in quoted text.
const fn has_names(rtype: Rtype) -> bool {
    !matches!(
        rtype,
        Rtype::TXT | Rtype::HINFO | Rtype::CAA | Rtype::SVCB | Rtype::HTTPS
    )
}

/// A name with every octet but those that no reader takes for anything else by its number.
fn owner(name: WireName<'_>, text: &mut String) {
    for label in name.labels() {
        for octet in label {
            match octet {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'*' | b'/' => {
                    text.push(char::from(*octet))
                }
                other => {
                    let _ = write!(text, "\\{other:03}");
                }
            }
        }
        text.push('.');
    }
    if name.labels().next().is_none() {
        text.push('.');
    }
}

/// RDATA as domain writes it.
fn own(record: Record<'_>, text: &mut String) -> Option<()> {
    let mut parser = Parser::from_ref(record.rdata());
    let data =
        ZoneRecordData::<&[u8], ParsedName<&[u8]>>::parse_rdata(record.rtype(), &mut parser).ok()??;
    write!(text, "{}", data.display_zonefile(DisplayKind::Simple)).ok()
}

impl Records {
    fn read_back(text: &str, zone: &Self) -> Result<Self, ReadError> {
        let apex = Name::from_octets(Bytes::copy_from_slice(zone.apex().octets()))
            .map_or_else(|_| Name::root_bytes(), |apex| apex);
        let text: Box<dyn io::BufRead> = Box::new(text.as_bytes());
        Self::of_apex(
            (text, Includes::Refused),
            Path::new("signed zone"),
            apex,
            &mut |_| {},
        )
    }
}
