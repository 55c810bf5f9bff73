//! What an RRSIG signs.

use std::convert::Infallible;

use bytes::Bytes;
use domain::base::name::ToName;
use domain::base::rdata::ComposeRecordData;
use domain::base::wire::Composer;
use domain::rdata::Rrsig;
use domain::rdata::dnssec::ProtoRrsig;

use crate::zone::{Owner, ZoneRecord};

/// The RRSIG's own data without the signature, and the RRset with the original TTL, all in canonical form (RFC 4034 3.1.8.1). The records are in
/// canonical order.
pub(crate) fn signed_data<'a>(
    rrsig: &Rrsig<Bytes, Owner>,
    rrset: impl Iterator<Item = &'a ZoneRecord>,
) -> Vec<u8> {
    let mut data = Vec::new();
    let header = ProtoRrsig::new(
        rrsig.type_covered(),
        rrsig.algorithm(),
        rrsig.labels(),
        rrsig.original_ttl(),
        rrsig.expiration(),
        rrsig.inception(),
        rrsig.key_tag(),
        rrsig.signer_name().clone(),
    );
    // Appending to a Vec cannot fail.
    let _ = header.compose_canonical(&mut data);
    for record in rrset {
        let _ = compose(record, rrsig, &mut data);
    }
    data
}

/// One record in canonical form (RFC 4034 6.2).
fn compose(
    record: &ZoneRecord,
    rrsig: &Rrsig<Bytes, Owner>,
    data: &mut (impl Composer<AppendError = Infallible> + ?Sized),
) -> Result<(), Infallible> {
    record.owner().compose_canonical(data)?;
    record.rtype().compose(data)?;
    record.class().compose(data)?;
    rrsig.original_ttl().compose(data)?;
    record.data().compose_canonical_len_rdata(data)
}
