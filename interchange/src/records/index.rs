//! Which record is that of a key in a list.

use std::collections::HashMap;
use std::path::Path;

use key_metadata::{KeyAlgorithm, Role, ZoneName};

use super::Dnskey;
use crate::error::{Place, ReadError};
use crate::quote::Quote;

/// Zone, algorithm, flags without the REVOKE bit, and tag: what a list has of a record.
type Listed<'a> = (&'a ZoneName, u8, u16, u16);

/// Records by what a list has of them. A list can be that of ten thousand zones.
pub(crate) struct Index<'a>(HashMap<Listed<'a>, Found<'a>>);

#[derive(Clone, Copy)]
enum Found<'a> {
    One(&'a Dnskey),
    Several,
}

impl<'a> Index<'a> {
    pub(crate) fn of(records: &'a [Dnskey]) -> Self {
        let mut index: HashMap<Listed<'a>, Found<'a>> = HashMap::new();
        for record in records {
            let key = &record.public_key;
            // A list can have the tag of before the revocation, or of after.
            for tag in [key.key_tag(record.role), key.revoked_key_tag(record.role)] {
                let listed = (&record.zone, key.algorithm().number(), record.role.flags(), tag);
                let found = index.entry(listed).or_insert(Found::One(record));
                // The same record may have been given twice.
                *found = match *found {
                    Found::One(first) if first.public_key == *key => Found::One(first),
                    Found::One(_) | Found::Several => Found::Several,
                };
            }
        }
        Self(index)
    }

    pub(crate) fn find(
        &self,
        zone: &ZoneName,
        algorithm: KeyAlgorithm,
        role: Role,
        tag: u16,
    ) -> Result<&'a Dnskey, ReadError> {
        let (zone_name, algorithm) = (zone.to_string(), algorithm.number());
        match self.0.get(&(zone, algorithm, role.flags(), tag)) {
            Some(Found::One(record)) => Ok(record),
            Some(Found::Several) => Err(ReadError::TwoRecords {
                zone: zone_name,
                algorithm,
                tag,
            }),
            None => Err(ReadError::NoRecord {
                zone: zone_name,
                algorithm,
                tag,
            }),
        }
    }
}

/// A list's size of a key, in bits, must be that of its record.
pub(crate) fn check_size(file: &Path, size: u16, record: &Dnskey) -> Result<(), ReadError> {
    let found = record.public_key.bits();
    if found == size {
        return Ok(());
    }
    Err(ReadError::Contradiction {
        place: Place::at(file, None, format!("size of key {}", record.key_tag())),
        written: Quote::of(&size.to_string()),
        by: "its DNSKEY record",
        computed: found.to_string(),
    })
}
