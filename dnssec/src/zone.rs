//! An unsigned zone, read from its zone file.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use domain::base::iana::{Class, Rtype};
use domain::base::name::FlattenInto;
use domain::base::rdata::ParseRecordData;
use domain::base::{Name, ParsedName, Ttl};
use domain::dep::octseq::Parser;
use domain::rdata::ZoneRecordData;
use key_metadata::{Advice, Span, ZoneName};
use zone::{ReadError, Reading, Record, Records, WireName};

pub(crate) type Owner = Name<Bytes>;
pub(crate) type ZoneData = ZoneRecordData<Bytes, Owner>;
pub(crate) type ZoneRecord = domain::base::Record<Owner, ZoneData>;

/// A zone, checked to be one: in canonical order, one SOA, NS at the apex, no record twice, one TTL for each RRset.
#[derive(Debug)]
pub struct Zone {
    pub(crate) records: Records,
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

/// The types that only signing puts into a zone, with their names.
pub const MADE_BY_SIGNING: [(Rtype, &str); 8] = [
    (Rtype::RRSIG, "RRSIG"),
    (Rtype::NSEC, "NSEC"),
    (Rtype::NSEC3, "NSEC3"),
    (Rtype::NSEC3PARAM, "NSEC3PARAM"),
    (Rtype::DNSKEY, "DNSKEY"),
    (Rtype::CDS, "CDS"),
    (Rtype::CDNSKEY, "CDNSKEY"),
    (Rtype::ZONEMD, "ZONEMD"),
];

impl Zone {
    /// The largest TTL of its records (TTLsig of RFC 7583), and whose it is.
    pub fn largest_ttl(&self) -> Option<(Span, String)> {
        let largest = self.records.iter().max_by_key(|record| record.ttl())?;
        let name = format!("{} {}", largest.owner(), largest.rtype());
        Some((Span::from_seconds(largest.ttl()), name))
    }

    /// Reads a zone file (RFC 1035 section 5), and those that it includes. `told` hears how it goes.
    pub fn read(file: &Path, zone: &ZoneName, told: &mut dyn FnMut(Reading<'_>)) -> Result<Self, ZoneError> {
        Self::of(Records::read(file, zone, told)?, file, zone)
    }

    /// The same of a text; `file` names it in errors.
    pub fn parse(text: &[u8], file: &Path, zone: &ZoneName) -> Result<Self, ZoneError> {
        Self::of(Records::parse(text, file, zone)?, file, zone)
    }

    fn of(mut records: Records, file: &Path, zone: &ZoneName) -> Result<Self, ZoneError> {
        check_types(&records, zone)?;
        let mut warnings = Vec::new();
        drop_occluded(&mut records, &mut warnings);
        one_ttl(&mut records, &mut warnings);
        check_singles(&records)?;
        check_apex(&records, zone, file)?;
        Ok(Self { records, warnings })
    }

    /// How many records it has.
    pub const fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether it has none, which no zone that was read is.
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The serial of its SOA.
    pub fn serial(&self) -> Option<u32> {
        self.records.serial()
    }
}

/// A name as domain has it.
fn name(name: WireName<'_>) -> Owner {
    // A name on the wire is one.
    Name::from_octets(Bytes::copy_from_slice(name.octets())).map_or_else(|_| Name::root_bytes(), |name| name)
}

/// A record as domain has it; what was read is one.
pub(crate) fn zone_record(record: Record<'_>) -> Option<ZoneRecord> {
    let rdata = Bytes::copy_from_slice(record.rdata());
    let mut parser = Parser::from_ref(&rdata);
    let data =
        ZoneRecordData::<Bytes, ParsedName<Bytes>>::parse_rdata(record.rtype(), &mut parser).ok()??;
    let data: ZoneData = data.try_flatten_into().ok()?;
    Some(domain::base::Record::new(
        name(record.owner()),
        Class::IN,
        Ttl::from_secs(record.ttl()),
        data,
    ))
}

/// Nothing is outside of the zone, and nothing there that signing makes; the first such record of the file is told.
fn check_types(records: &Records, zone: &ZoneName) -> Result<(), ZoneError> {
    let is_made = |rtype| MADE_BY_SIGNING.iter().any(|(made, _)| *made == rtype);
    let is_wrong = |record: &Record<'_>| !record.is_in_zone() || is_made(record.rtype());
    let Some(record) = records.iter().filter(is_wrong).min_by_key(|record| record.line()) else {
        return Ok(());
    };
    let (file, line) = place(record);
    Err(match record.is_in_zone() {
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

/// Where a record was read.
fn place(record: Record<'_>) -> (PathBuf, u32) {
    (record.file().to_owned(), record.line().map_or(0, |line| line))
}

/// Drops what lies below a DNAME: it cannot be reached (RFC 6672 2.4), and signing it would make a zone that other tools refuse.
fn drop_occluded(records: &mut Records, warnings: &mut Vec<String>) {
    let mut dname: Option<Vec<u8>> = None;
    records.retain(|record| {
        let (owner, above) = (record.owner(), dname.as_deref().and_then(WireName::new));
        if above.is_some_and(|above| owner.is_within(above) && owner != above) {
            let (file, line) = place(record);
            warnings.push(format!(
                "{}:{line}: {owner} is below a DNAME and was left out",
                file.display()
            ));
            return false;
        }
        if record.rtype() == Rtype::DNAME {
            dname = Some(owner.octets().to_vec());
        }
        true
    });
}

/// Gives each RRset one TTL, the lowest of those it has (RFC 2181 5.2).
fn one_ttl(records: &mut Records, warnings: &mut Vec<String>) {
    let mut mended = Vec::new();
    let mut from = 0;
    while from < records.len() {
        let set = records.set(from);
        let lowest = set.records().map(Record::ttl).min().map_or(0, |lowest| lowest);
        if let Some(other) = set.records().find(|record| record.ttl() != lowest) {
            let (file, line) = place(other);
            warnings.push(format!(
                "{}:{line}: the {} records of {} have several TTLs; {lowest} was taken, not {}",
                file.display(),
                other.rtype(),
                other.owner(),
                other.ttl()
            ));
            mended.push((set.places(), lowest));
        }
        from = set.places().end;
    }
    for (places, lowest) in mended {
        for place in places {
            records.set_ttl(place, lowest);
        }
    }
    // One that was there with two of them.
    records.dedup();
}

/// A name with a CNAME has nothing else (RFC 2181 10.1), and only one of them; the same for a second DNAME or SOA.
fn check_singles(records: &Records) -> Result<(), ZoneError> {
    for node in zone::nodes(records) {
        let name = || node.records.clone().filter_map(|place| records.get(place));
        for single in [Rtype::CNAME, Rtype::DNAME, Rtype::SOA] {
            let mut of_type = name().filter(|record| record.rtype() == single);
            let (first, second) = (of_type.next(), of_type.next());
            if let Some(second) = second {
                return conflict(second, format!("{} has a second {single}", second.owner()));
            }
            if let (Rtype::CNAME, Some(cname)) = (single, first)
                && node.records.len() > 1
            {
                return conflict(cname, format!("{} has a CNAME and other records", cname.owner()));
            }
        }
    }
    Ok(())
}

fn conflict(at: Record<'_>, reason: String) -> Result<(), ZoneError> {
    let (file, line) = place(at);
    Err(ZoneError::Conflict { file, line, reason })
}

fn check_apex(records: &Records, zone: &ZoneName, file: &Path) -> Result<(), ZoneError> {
    for (rtype, what) in [(Rtype::SOA, "SOA record"), (Rtype::NS, "NS records")] {
        if records.at_apex(rtype).is_none() {
            return Err(ZoneError::Missing {
                file: file.to_owned(),
                apex: zone.clone(),
                what,
            });
        }
    }
    let is_other = |record: &Record<'_>| record.rtype() == Rtype::SOA && record.owner() != records.apex();
    match records.iter().find(is_other) {
        Some(other) => conflict(
            other,
            format!("{} has a SOA, but the apex is {zone}", other.owner()),
        ),
        None => Ok(()),
    }
}

/// The serial of the first SOA record of a zone file: nothing behind it is read. A signed zone of ours has it in its first line.
pub(crate) fn first_serial(text: &[u8], file: &Path, zone: &ZoneName) -> Option<u32> {
    let within = |text| {
        let records = Records::parse(text, file, zone).ok()?;
        let soa = records.iter().find(|record| record.rtype() == Rtype::SOA);
        soa.and_then(Record::serial)
    };
    let first_line = text.split_inclusive(|byte| *byte == b'\n').next()?;
    within(first_line).or_else(|| within(text))
}
