//! A list and the DNSKEY records of its keys, together.

use super::list::{Custody, Listing};
use crate::error::ReadError;
use crate::key::{ForeignKey, PrivatePart};
use crate::records::{Dnskey, Index, check_size};
use crate::report::Import;
use crate::states::RecordStates;

/// The keys of a list, each with the record of the same zone, algorithm and tag. Records that no key of the list has are passed over.
///
/// Knot lets the REVOKE bit out of its records also when a key is revoked; that the key is, is among its times.
pub fn import(listing: Listing, records: &[Dnskey]) -> Result<Import, ReadError> {
    let mut import = Import {
        lost: listing.lost,
        ..Import::default()
    };
    let records = Index::of(records);
    for key in listing.keys {
        let record = records.find(&key.zone, key.algorithm, key.role, key.tag)?;
        check_size(&listing.file, key.size, record)?;
        import.keys.push(ForeignKey {
            zone: key.zone,
            role: key.role,
            public_key: record.public_key.clone(),
            revocation: record.revocation,
            ttl: record.ttl,
            times: key.times,
            state: None,
            records: RecordStates::default(),
            lifetime: None,
            predecessor: None,
            successor: None,
            private: match key.custody {
                Custody::Keystore => PrivatePart::Keystore {
                    id: key.id,
                    repository: None,
                },
                Custody::PublicOnly | Custody::Missing => PrivatePart::None,
            },
            source: listing.file.clone(),
        });
    }
    Ok(import)
}
