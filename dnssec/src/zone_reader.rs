//! Reading the text of a zone file, record by record, with the guards that the reader below needs (docs/decisions/0002).

use domain::base::iana::Class;
use domain::base::name::FlattenInto;
use domain::base::rdata::{ComposeRecordData, ParseRecordData};
use domain::base::{Name, ParsedName};
use domain::dep::octseq::Parser;
use domain::rdata::ZoneRecordData;
use domain::zonefile::inplace::{Entry, ScannedRecord, Zonefile};

use crate::balance::unbalanced;
use crate::zone::{Owner, ZoneRecord};

/// The records of a zone file (RFC 1035 section 5), relative names under an apex.
pub(crate) struct ZoneReader<'t> {
    text: &'t [u8],
    reader: Zonefile,
    line: usize,
    seen: usize,
}

/// Why a text cannot be read on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// Not the text of a zone file: `line: reason` or `line:column: reason`.
    #[error("{0}")]
    Syntax(String),
    /// `$INCLUDE`, which is not followed.
    #[error("{line}: $INCLUDE is not followed")]
    Include {
        /// The line.
        line: usize,
    },
}

impl<'t> ZoneReader<'t> {
    pub(crate) fn new(text: &'t [u8], apex: &Owner) -> Result<Self, ReadError> {
        if let Some(open) = unbalanced(text) {
            return Err(ReadError::Syntax(format!("{}: {}", open.line, open.what)));
        }
        let mut reader = Zonefile::with_capacity(text.len() + 1);
        reader.extend_from_slice(text);
        // domain 0.12.3 indexes past its buffer at a text field that ends with the file.
        reader.extend_from_slice(b"\n");
        reader.set_origin(apex.clone());
        reader.set_default_class(Class::IN);
        Ok(Self {
            text,
            reader,
            line: 1,
            seen: 0,
        })
    }

    /// The next record, and the line (from 1) on which it ends.
    pub(crate) fn next_record(&mut self) -> Result<Option<(ZoneRecord, usize)>, ReadError> {
        let entry = self.reader.next_entry();
        let Some(entry) = entry.map_err(|error| ReadError::Syntax(place_and_reason(&error.to_string())))?
        else {
            return Ok(None);
        };
        let line = self.line_of_entry();
        match entry {
            Entry::Record(record) => match flatten(record) {
                Some(record) => Ok(Some((record, line))),
                None => Err(ReadError::Syntax(format!(
                    "{line}: a name in the record has an empty label, or is too long"
                ))),
            },
            Entry::Include { .. } => Err(ReadError::Include { line }),
        }
    }

    /// The line on which the entry ends that was just read: the reader stands behind its line end.
    fn line_of_entry(&mut self) -> usize {
        let offset = self.reader.current_offset().min(self.text.len());
        let part = self.text.get(self.seen..offset).map_or(&[][..], |part| part);
        self.line += part.iter().filter(|byte| **byte == b'\n').count();
        self.seen = offset;
        if part.ends_with(b"\n") {
            self.line - 1
        } else {
            self.line
        }
    }
}

/// A record as it was read, if it is one on the wire too: domain 0.12.3 reads `a..` as a name with a root label inside, and panics over it
/// later.
fn flatten(record: ScannedRecord) -> Option<ZoneRecord> {
    let record: ZoneRecord = record.try_flatten_into().ok()?;
    let mut rdata = Vec::new();
    // Appending to a Vec cannot fail.
    let _ = record.data().compose_rdata(&mut rdata);
    let mut parser = Parser::from_ref(rdata.as_slice());
    let parsed = ZoneRecordData::<&[u8], ParsedName<&[u8]>>::parse_rdata(record.rtype(), &mut parser);
    let good = Name::from_octets(record.owner().as_octets()).is_ok()
        && matches!(parsed, Ok(Some(_)))
        && parser.remaining() == 0;
    good.then_some(record)
}

/// The scanner's `line:column: reason` in words, and on the line that is meant: behind the end of a line it counts the next one.
fn place_and_reason(error: &str) -> String {
    let mut parts = error.splitn(3, ':');
    let (Some(line), Some(column), Some(reason)) = (parts.next(), parts.next(), parts.next()) else {
        return error.to_owned();
    };
    let place = match (line.parse::<usize>(), column) {
        (Ok(next), "1") if next > 1 => (next - 1).to_string(),
        _ => format!("{line}:{column}"),
    };
    let reason = match reason.trim() {
        "bad symbol" => "a character that cannot stand here, or a quoted text that does not end",
        "short buffer" | "unexpected end of entry" => "the record ends too early",
        "expected rtype" => "a record type was expected here",
        "trailing tokens" => "the record has more fields than its type",
        "unbalanced parens" => "a parenthesis that has no other half",
        "missing last owner" => "the first record has no owner name",
        other => other,
    };
    format!("{place}: {reason}")
}
