//! The text of a zone: a record a line, with its whole name; read again before it is let out.

use std::fmt::Write as _;
use std::io;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use domain::base::iana::Class;
use domain::base::rdata::ParseRecordData;
use domain::base::zonefile_fmt::{DisplayKind, ZonefileFmt};
use domain::base::{Name, ParsedName, Ttl};
use domain::dep::octseq::Parser;
use domain::rdata::ZoneRecordData;
use rayon::prelude::*;

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
    /// The same, where nothing can be read.
    #[error("the text that was made cannot be read")]
    NoText(#[from] ReadError),
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
    for record in span.clone().map(|place| records.at(place)) {
        line(record, &mut text).ok_or_else(|| WriteError::OtherText(record.name()))?;
    }
    let read = Records::read_back(&text, records)?;
    if read.len() != span.len() {
        let first = records.at(span.start);
        return Err(WriteError::OtherText(format!(
            "{} and those behind it",
            first.name()
        )));
    }
    for (read, record) in read.iter().zip(span.map(|place| records.at(place))) {
        let is_same = read.owner().octets() == record.owner().octets()
            && (read.rtype(), read.ttl()) == (record.rtype(), record.ttl())
            && read.rdata() == record.rdata();
        if !is_same {
            return Err(WriteError::OtherText(record.name()));
        }
    }
    Ok(text)
}

/// Appends the line of a record.
fn line(record: Record<'_>, text: &mut String) -> Option<()> {
    let mut parser = Parser::from_ref(record.rdata());
    let data =
        ZoneRecordData::<&[u8], ParsedName<&[u8]>>::parse_rdata(record.rtype(), &mut parser).ok()??;
    let owner = Name::from_octets(record.owner().octets()).ok()?;
    let record = domain::base::Record::new(owner, Class::IN, Ttl::from_secs(record.ttl()), data);
    writeln!(text, "{}", record.display_zonefile(DisplayKind::Simple)).ok()
}

impl Record<'_> {
    fn name(self) -> String {
        format!("{} {}", self.owner(), self.rtype())
    }
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
