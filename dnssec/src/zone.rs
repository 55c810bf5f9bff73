//! An unsigned zone, read from its zone file.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use bytes::Bytes;
use domain::base::cmp::CanonicalOrd;
use domain::base::iana::Rtype;
use domain::base::{Name, Record};
use domain::dnssec::sign::records::{OwnerRrs, Rrset};
use domain::rdata::ZoneRecordData;
use key_metadata::{Advice, Span, ZoneName};

use crate::zone_reader::{ReadError, ZoneReader};

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

struct Placed {
    record: ZoneRecord,
    line: usize,
}

impl Zone {
    /// The largest TTL of its records (TTLsig of RFC 7583), and whose it is.
    pub fn largest_ttl(&self) -> Option<(Span, String)> {
        let largest = self.records.iter().max_by_key(|record| record.ttl())?;
        let name = format!("{} {}", largest.owner(), largest.rtype());
        Some((Span::from_seconds(largest.ttl().as_secs()), name))
    }

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

pub(crate) fn apex_name(zone: &ZoneName, file: &Path) -> Result<Owner, ZoneError> {
    Name::from_str(&zone.with_final_dot()).map_err(|error| ZoneError::Syntax {
        file: file.to_owned(),
        reason: format!(" {zone} is no name: {error}"),
    })
}

/// A file that cannot be read as a zone.
pub(crate) fn unreadable(file: &Path, error: ReadError) -> ZoneError {
    match error {
        ReadError::Syntax(reason) => ZoneError::Syntax {
            file: file.to_owned(),
            reason,
        },
        ReadError::Include { line } => ZoneError::Include {
            file: file.to_owned(),
            line,
        },
    }
}

/// Every record of a zone file, with the line on which it ends.
fn scan(text: &[u8], file: &Path, apex: &Owner) -> Result<Vec<Placed>, ZoneError> {
    let failed = |error| unreadable(file, error);
    let mut reader = ZoneReader::new(text, apex).map_err(failed)?;
    let mut placed = Vec::new();
    while let Some((record, line)) = reader.next_record().map_err(failed)? {
        placed.push(Placed { record, line });
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

/// The first SOA record of a zone file: nothing behind it is read. A signed zone of ours has it in its first line.
pub(crate) fn first_soa(text: &[u8], file: &Path, zone: &ZoneName) -> Option<ZoneRecord> {
    let apex = apex_name(zone, file).ok()?;
    let within = |text| {
        let mut reader = ZoneReader::new(text, &apex).ok()?;
        while let Ok(Some((record, _))) = reader.next_record() {
            if record.rtype() == Rtype::SOA {
                return Some(record);
            }
        }
        None
    };
    let first_line = text.split_inclusive(|byte| *byte == b'\n').next()?;
    within(first_line).or_else(|| within(text))
}
