//! An unsigned zone, read from its zone file.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use bytes::Bytes;
use domain::base::cmp::CanonicalOrd;
use domain::base::iana::{Class, Rtype};
use domain::base::name::FlattenInto;
use domain::base::rdata::{ComposeRecordData, ParseRecordData};
use domain::base::{Name, ParsedName, Record};
use domain::dep::octseq::Parser;
use domain::dnssec::sign::records::{OwnerRrs, Rrset};
use domain::rdata::ZoneRecordData;
use domain::zonefile::inplace::{Entry, ScannedRecord, Zonefile};
use key_metadata::{Advice, ZoneName};

use crate::balance::unbalanced;

/// A reader of a zone file, relative names under `apex`.
///
/// The text gets a last line end where it has none: domain 0.12.3 indexes past its buffer at a text field that ends with the file.
pub(crate) fn reader(text: &[u8], apex: &Owner) -> Zonefile {
    let mut reader = Zonefile::with_capacity(text.len() + 1);
    reader.extend_from_slice(text);
    reader.extend_from_slice(b"\n");
    reader.set_origin(apex.clone());
    reader.set_default_class(Class::IN);
    reader
}

pub(crate) type Owner = Name<Bytes>;
pub(crate) type ZoneData = ZoneRecordData<Bytes, Owner>;
pub(crate) type ZoneRecord = Record<Owner, ZoneData>;
/// The records of one name.
pub(crate) type NameRecords<'a> = OwnerRrs<'a, Owner, ZoneData>;
pub(crate) type ZoneRrset<'a> = Rrset<'a, Owner, ZoneData>;

/// A zone, checked to be one: in canonical order, one SOA, NS at the apex, no record twice, one TTL for each RRset.
#[derive(Debug)]
pub struct Zone {
    pub(crate) apex: Owner,
    pub(crate) records: Vec<ZoneRecord>,
    /// What was mended on reading, one line each, with the place.
    pub warnings: Vec<String>,
}

/// Why a file is not an unsigned zone. Each names file and line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ZoneError {
    /// Not the text of a zone file.
    #[error("{}:{reason}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// Line, column and reason.
        reason: String,
    },
    /// `$INCLUDE`, which is not followed yet.
    #[error("{}:{line}: $INCLUDE is not followed; give the zone in one file", file.display())]
    Include {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
    },
    /// A name that is not of the zone.
    #[error("{}:{line}: {owner} is not in the zone {apex}", file.display())]
    OutOfZone {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// The name.
        owner: String,
        /// The zone.
        apex: ZoneName,
    },
    /// A record that signing makes.
    #[error("{}:{line}: an unsigned zone has no {rtype} record; Keyrite makes it", file.display())]
    Signed {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// The record's type.
        rtype: String,
    },
    /// Records that cannot be together.
    #[error("{}:{line}: {reason}", file.display())]
    Conflict {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// What and why.
        reason: String,
    },
    /// Something that every zone has is missing.
    #[error("{}: the zone {apex} has no {what} at its apex", file.display())]
    Missing {
        /// The file.
        file: PathBuf,
        /// The zone.
        apex: ZoneName,
        /// What is missing.
        what: &'static str,
    },
}

impl Advice for ZoneError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Signed { .. } => Some("give the zone as it is before signing".to_owned()),
            Self::OutOfZone { .. } => Some("a name without a final dot is below the last $ORIGIN".to_owned()),
            Self::Syntax { .. } | Self::Include { .. } | Self::Conflict { .. } | Self::Missing { .. } => None,
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}

/// The types that only signing puts into a zone.
const MADE_BY_SIGNING: [Rtype; 8] = [
    Rtype::RRSIG,
    Rtype::NSEC,
    Rtype::NSEC3,
    Rtype::NSEC3PARAM,
    Rtype::DNSKEY,
    Rtype::CDS,
    Rtype::CDNSKEY,
    Rtype::ZONEMD,
];

pub(crate) const ILL_FORMED: &str = "a name in the record has an empty label, or is too long";

/// A record as it was read, if it is one on the wire too: domain 0.12.3 reads `a..` as a name with a root label inside, and panics over it
/// later.
pub(crate) fn flatten(record: ScannedRecord) -> Option<ZoneRecord> {
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

struct Placed {
    record: ZoneRecord,
    line: usize,
}

impl Zone {
    /// Reads the text of a zone file (RFC 1035 section 5); `file` names it in errors.
    pub fn parse(text: &[u8], file: &Path, zone: &ZoneName) -> Result<Self, ZoneError> {
        let apex = apex_name(zone, file)?;
        let mut placed = scan(text, file, &apex)?;
        for Placed { record, line } in &placed {
            if !record.owner().ends_with(&apex) {
                let owner = record.owner().to_string();
                return Err(ZoneError::OutOfZone {
                    file: file.to_owned(),
                    line: *line,
                    owner,
                    apex: zone.clone(),
                });
            }
            if MADE_BY_SIGNING.contains(&record.rtype()) {
                let rtype = record.rtype().to_string();
                return Err(ZoneError::Signed {
                    file: file.to_owned(),
                    line: *line,
                    rtype,
                });
            }
        }
        placed.sort_by(|a, b| a.record.canonical_cmp(&b.record));
        placed.dedup_by(|b, a| a.record.canonical_cmp(&b.record) == Ordering::Equal);
        let mut warnings = Vec::new();
        drop_occluded(&mut placed, file, &mut warnings);
        one_ttl(&mut placed, file, &mut warnings);
        check_cnames(&placed, file)?;
        check_apex(&placed, &apex, zone, file)?;
        Ok(Self {
            apex,
            records: placed.into_iter().map(|placed| placed.record).collect(),
            warnings,
        })
    }

    /// How many records it has.
    pub const fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether it has none, which no zone that was read is.
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

fn apex_name(zone: &ZoneName, file: &Path) -> Result<Owner, ZoneError> {
    Name::from_str(&zone.with_final_dot()).map_err(|error| ZoneError::Syntax {
        file: file.to_owned(),
        reason: format!(" {zone} is no name: {error}"),
    })
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

/// Every record of a zone file, with the line on which it ends.
fn scan(text: &[u8], file: &Path, apex: &Owner) -> Result<Vec<Placed>, ZoneError> {
    let syntax = |reason: String| ZoneError::Syntax {
        file: file.to_owned(),
        reason,
    };
    if let Some(open) = unbalanced(text) {
        return Err(syntax(format!("{}: {}", open.line, open.what)));
    }
    let mut reader = reader(text, apex);
    let (mut line, mut seen) = (1, 0);
    let mut placed = Vec::new();
    while let Some(entry) = reader
        .next_entry()
        .map_err(|error| syntax(place_and_reason(&error.to_string())))?
    {
        // The reader stands behind the entry's line end.
        let offset = reader.current_offset().min(text.len());
        let part = text.get(seen..offset).map_or(&[][..], |part| part);
        line += part.iter().filter(|byte| **byte == b'\n').count();
        seen = offset;
        let ends = if part.ends_with(b"\n") { line - 1 } else { line };
        match entry {
            Entry::Record(record) => {
                let record = flatten(record).ok_or_else(|| syntax(format!("{ends}: {ILL_FORMED}")))?;
                placed.push(Placed { record, line: ends });
            }
            Entry::Include { .. } => {
                return Err(ZoneError::Include {
                    file: file.to_owned(),
                    line: ends,
                });
            }
        }
    }
    Ok(placed)
}

/// Drops what lies below a DNAME: it cannot be reached (RFC 6672 2.4), and signing it would make a zone that other tools refuse.
fn drop_occluded(placed: &mut Vec<Placed>, file: &Path, warnings: &mut Vec<String>) {
    let mut dname: Option<Owner> = None;
    placed.retain(|Placed { record, line }| {
        if let Some(above) = &dname
            && record.owner().ends_with(above)
            && record.owner() != above
        {
            warnings.push(format!(
                "{}:{line}: {} is below a DNAME and was left out",
                file.display(),
                record.owner()
            ));
            return false;
        }
        if record.rtype() == Rtype::DNAME {
            dname = Some(record.owner().clone());
        }
        true
    });
}

/// Gives each RRset one TTL, the lowest of those it has (RFC 2181 5.2).
fn one_ttl(placed: &mut [Placed], file: &Path, warnings: &mut Vec<String>) {
    for set in placed
        .chunk_by_mut(|a, b| a.record.owner() == b.record.owner() && a.record.rtype() == b.record.rtype())
    {
        let Some(lowest) = set.iter().map(|placed| placed.record.ttl()).min() else {
            continue;
        };
        if let Some(other) = set.iter().find(|placed| placed.record.ttl() != lowest) {
            let record = &other.record;
            let (owner, rtype, ttl) = (record.owner(), record.rtype(), record.ttl().as_secs());
            warnings.push(format!(
                "{}:{}: the {rtype} records of {owner} have several TTLs; {} was taken, not {ttl}",
                file.display(),
                other.line,
                lowest.as_secs()
            ));
        }
        for placed in set {
            placed.record.set_ttl(lowest);
        }
    }
}

/// A name with a CNAME has nothing else (RFC 2181 10.1), and only one of them; the same for a second DNAME or SOA.
fn check_cnames(placed: &[Placed], file: &Path) -> Result<(), ZoneError> {
    for name in placed.chunk_by(|a, b| a.record.owner() == b.record.owner()) {
        let conflict = |line, reason: String| {
            Err(ZoneError::Conflict {
                file: file.to_owned(),
                line,
                reason,
            })
        };
        for single in [Rtype::CNAME, Rtype::DNAME, Rtype::SOA] {
            let mut of_type = name.iter().filter(|placed| placed.record.rtype() == single);
            let (first, second) = (of_type.next(), of_type.next());
            if let Some(second) = second {
                return conflict(
                    second.line,
                    format!("{} has a second {single}", second.record.owner()),
                );
            }
            if let (Rtype::CNAME, Some(cname)) = (single, first)
                && name.len() > 1
            {
                return conflict(
                    cname.line,
                    format!("{} has a CNAME and other records", cname.record.owner()),
                );
            }
        }
    }
    Ok(())
}

fn check_apex(placed: &[Placed], apex: &Owner, zone: &ZoneName, file: &Path) -> Result<(), ZoneError> {
    for (rtype, what) in [(Rtype::SOA, "SOA record"), (Rtype::NS, "NS records")] {
        if !placed
            .iter()
            .any(|placed| placed.record.rtype() == rtype && placed.record.owner() == apex)
        {
            return Err(ZoneError::Missing {
                file: file.to_owned(),
                apex: zone.clone(),
                what,
            });
        }
    }
    match placed
        .iter()
        .find(|placed| placed.record.rtype() == Rtype::SOA && placed.record.owner() != apex)
    {
        Some(other) => {
            let reason = format!("{} has a SOA, but the apex is {zone}", other.record.owner());
            Err(ZoneError::Conflict {
                file: file.to_owned(),
                line: other.line,
                reason,
            })
        }
        None => Ok(()),
    }
}

/// The first SOA record of a zone file: nothing behind it is read.
pub(crate) fn first_soa(text: &[u8], file: &Path, zone: &ZoneName) -> Option<ZoneRecord> {
    if unbalanced(text).is_some() {
        return None;
    }
    let apex = apex_name(zone, file).ok()?;
    let mut reader = reader(text, &apex);
    while let Ok(Some(entry)) = reader.next_entry() {
        if let Entry::Record(record) = entry
            && record.rtype() == Rtype::SOA
        {
            return flatten(record);
        }
    }
    None
}
