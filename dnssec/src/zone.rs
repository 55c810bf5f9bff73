//! An unsigned zone, read from its zone file.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use domain::base::iana::{Class, Rtype};
use domain::base::name::FlattenInto;
use domain::base::rdata::ParseRecordData;
use domain::base::{Name, ParsedName, Record, Ttl};
use domain::dep::octseq::Parser;
use domain::dnssec::sign::records::Rrset;
use domain::rdata::ZoneRecordData;
use key_metadata::{Advice, Span, ZoneName};
use zone::{ReadError, Records, WireName};

pub(crate) type Owner = Name<Bytes>;
pub(crate) type ZoneData = ZoneRecordData<Bytes, Owner>;
pub(crate) type ZoneRecord = Record<Owner, ZoneData>;
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
    /// The text cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A name that is not of the zone.
    #[error("{}:{line}: {owner} is not in the zone {apex}", file.display())]
    OutOfZone {
        /// The file.
        file: PathBuf,
        /// The line.
        line: u32,
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
        line: u32,
        /// The record's type.
        rtype: String,
    },
    /// Records that cannot be together.
    #[error("{}:{line}: {reason}", file.display())]
    Conflict {
        /// The file.
        file: PathBuf,
        /// The line.
        line: u32,
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
            Self::Read(error) => error.hint(),
            Self::Conflict { .. } | Self::Missing { .. } => None,
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

struct Placed<'a> {
    record: ZoneRecord,
    line: u32,
    file: &'a Path,
}

impl Zone {
    /// The largest TTL of its records (TTLsig of RFC 7583), and whose it is.
    pub fn largest_ttl(&self) -> Option<(Span, String)> {
        let largest = self.records.iter().max_by_key(|record| record.ttl())?;
        let name = format!("{} {}", largest.owner(), largest.rtype());
        Some((Span::from_seconds(largest.ttl().as_secs()), name))
    }

    /// Reads a zone file (RFC 1035 section 5), and those that it includes.
    pub fn read(file: &Path, zone: &ZoneName) -> Result<Self, ZoneError> {
        Self::of(&Records::read(file, zone, &mut |_| {})?, file, zone)
    }

    /// The same of a text; `file` names it in errors.
    pub fn parse(text: &[u8], file: &Path, zone: &ZoneName) -> Result<Self, ZoneError> {
        Self::of(&Records::parse(text, file, zone)?, file, zone)
    }

    fn of(records: &Records, file: &Path, zone: &ZoneName) -> Result<Self, ZoneError> {
        let apex = name(records.apex());
        let mut placed: Vec<Placed<'_>> = Vec::with_capacity(records.len());
        placed.extend(records.iter().filter_map(|record| {
            Some(Placed {
                record: zone_record(record)?,
                line: record.line(),
                file: record.file(),
            })
        }));
        check_types(&placed, &apex, zone)?;
        let mut warnings = Vec::new();
        drop_occluded(&mut placed, &mut warnings);
        one_ttl(&mut placed, &mut warnings);
        check_cnames(&placed)?;
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

/// A name as domain has it.
fn name(name: WireName<'_>) -> Owner {
    // A name on the wire is one.
    Name::from_octets(Bytes::copy_from_slice(name.octets())).map_or_else(|_| Name::root_bytes(), |name| name)
}

/// A record as domain has it; what was read is one.
pub(crate) fn zone_record(record: zone::Record<'_>) -> Option<ZoneRecord> {
    let rdata = Bytes::copy_from_slice(record.rdata());
    let mut parser = Parser::from_ref(&rdata);
    let data =
        ZoneRecordData::<Bytes, ParsedName<Bytes>>::parse_rdata(record.rtype(), &mut parser).ok()??;
    let data: ZoneData = data.try_flatten_into().ok()?;
    Some(Record::new(
        name(record.owner()),
        Class::IN,
        Ttl::from_secs(record.ttl()),
        data,
    ))
}

/// Nothing is outside of the zone, and nothing there that signing makes; the first such record of the file is told.
fn check_types(placed: &[Placed<'_>], apex: &Owner, zone: &ZoneName) -> Result<(), ZoneError> {
    let is_wrong = |placed: &&Placed<'_>| {
        !placed.record.owner().ends_with(apex) || MADE_BY_SIGNING.contains(&placed.record.rtype())
    };
    let Some(Placed { record, line, file }) = placed.iter().filter(is_wrong).min_by_key(|placed| placed.line)
    else {
        return Ok(());
    };
    let (file, line) = (file.to_path_buf(), *line);
    Err(match record.owner().ends_with(apex) {
        true => ZoneError::Signed {
            file,
            line,
            rtype: record.rtype().to_string(),
        },
        false => ZoneError::OutOfZone {
            file,
            line,
            owner: record.owner().to_string(),
            apex: zone.clone(),
        },
    })
}

/// Drops what lies below a DNAME: it cannot be reached (RFC 6672 2.4), and signing it would make a zone that other tools refuse.
fn drop_occluded(placed: &mut Vec<Placed<'_>>, warnings: &mut Vec<String>) {
    let mut dname: Option<Owner> = None;
    placed.retain(|Placed { record, line, file }| {
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
fn one_ttl(placed: &mut [Placed<'_>], warnings: &mut Vec<String>) {
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
                other.file.display(),
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
fn check_cnames(placed: &[Placed<'_>]) -> Result<(), ZoneError> {
    for name in placed.chunk_by(|a, b| a.record.owner() == b.record.owner()) {
        let conflict = |at: &Placed<'_>, reason: String| {
            Err(ZoneError::Conflict {
                file: at.file.to_owned(),
                line: at.line,
                reason,
            })
        };
        for single in [Rtype::CNAME, Rtype::DNAME, Rtype::SOA] {
            let mut of_type = name.iter().filter(|placed| placed.record.rtype() == single);
            let (first, second) = (of_type.next(), of_type.next());
            if let Some(second) = second {
                return conflict(second, format!("{} has a second {single}", second.record.owner()));
            }
            if let (Rtype::CNAME, Some(cname)) = (single, first)
                && name.len() > 1
            {
                return conflict(
                    cname,
                    format!("{} has a CNAME and other records", cname.record.owner()),
                );
            }
        }
    }
    Ok(())
}

fn check_apex(placed: &[Placed<'_>], apex: &Owner, zone: &ZoneName, file: &Path) -> Result<(), ZoneError> {
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
                file: other.file.to_owned(),
                line: other.line,
                reason,
            })
        }
        None => Ok(()),
    }
}

/// The first SOA record of a zone file: nothing behind it is read. A signed zone of ours has it in its first line.
pub(crate) fn first_soa(text: &[u8], file: &Path, zone: &ZoneName) -> Option<ZoneRecord> {
    let within = |text| {
        let records = Records::parse(text, file, zone).ok()?;
        let soa = records.iter().find(|record| record.rtype() == Rtype::SOA);
        soa.and_then(zone_record)
    };
    let first_line = text.split_inclusive(|byte| *byte == b'\n').next()?;
    within(first_line).or_else(|| within(text))
}
