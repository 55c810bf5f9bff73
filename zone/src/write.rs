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

use crate::error::ReadError;
use crate::pieces::Includes;
use crate::rdata_text;
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
    let (rtype, rdata) = (record.rtype(), record.rdata());
    rdata_text::name(record.owner(), text);
    let _ = write!(text, " {} IN ", record.ttl());
    rdata_text::mnemonic(rtype, text);
    text.push(' ');
    let from = text.len();
    let is_written = form == Form::Own && rdata_text::is_known(rtype) && {
        let is_common = rdata_text::write(rtype, rdata, text).is_some();
        if !is_common {
            text.truncate(from);
        }
        is_common || by_domain(record, text).is_some_and(|()| !is_ambiguous(rtype, &text[from..]))
    };
    if !is_written {
        text.truncate(from);
        let _ = write!(text, "\\# {}", rdata.len());
        if !rdata.is_empty() {
            text.push(' ');
        }
        rdata_text::hexadecimal(rdata, text);
    }
    text.push('\n');
}

/// Whether readers may differ in what the text of RDATA means, outside of quoted text: in which characters of a name have a meaning.
fn is_ambiguous(rtype: Rtype, text: &str) -> bool {
    let has_text = matches!(
        rtype,
        Rtype::TXT | Rtype::HINFO | Rtype::CAA | Rtype::SVCB | Rtype::HTTPS | Rtype::NAPTR
    );
    let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b" .-_*/+=:".contains(&octet);
    !has_text && !text.bytes().all(is_plain)
}

/// RDATA as domain writes it.
fn by_domain(record: Record<'_>, text: &mut String) -> Option<()> {
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
