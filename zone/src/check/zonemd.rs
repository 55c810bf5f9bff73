//! The digest of a zone (RFC 8976), where it has one.

use domain::base::iana::Rtype;
use ring::digest::{Algorithm, Context, Digest, SHA384, SHA512};

use super::Problem;
use crate::records::Records;
use crate::rrsig::Rrsig;
use crate::walk::Node;

/// SIMPLE, the only scheme there is.
const SIMPLE: u8 = 1;

/// Checks every digest that can be checked here; one of them must be.
pub(super) fn check(records: &Records, apex: &Node) -> Vec<Problem> {
    let Some(set) = records.sets(apex).find(|set| set.rtype() == Rtype::ZONEMD) else {
        return Vec::new();
    };
    let serial = serial(records, apex);
    let mut problems = Vec::new();
    let mut known = 0;
    for record in set.records() {
        let [a, b, c, d, SIMPLE, kind, digest @ ..] = record.rdata() else {
            continue;
        };
        let algorithm = match kind {
            1 => &SHA384,
            2 => &SHA512,
            _ => continue,
        };
        known += 1;
        if Some(u32::from_be_bytes([*a, *b, *c, *d])) != serial {
            problems.push(Problem::of_set(set, "is of another serial than the SOA's"));
        } else if zone_digest(records, algorithm).as_ref() != digest {
            problems.push(Problem::of_set(
                set,
                "has another digest than the zone: a record was changed, added or lost",
            ));
        }
    }
    if known == 0 {
        problems.push(Problem::of_set(
            set,
            "has no digest that can be checked here (SIMPLE with SHA-384 or SHA-512)",
        ));
    }
    problems
}

fn serial(records: &Records, apex: &Node) -> Option<u32> {
    let soa = records.sets(apex).find(|set| set.rtype() == Rtype::SOA)?;
    let numbers = soa.first().rdata().last_chunk::<20>()?;
    numbers.first_chunk().map(|serial| u32::from_be_bytes(*serial))
}

/// The digest of all records but the ZONEMD RRset and its RRSIG (RFC 8976 3.3).
pub fn zone_digest(records: &Records, algorithm: &'static Algorithm) -> Digest {
    let mut context = Context::new(algorithm);
    let mut data = Vec::new();
    for record in records.iter().filter(|record| record.is_in_zone()) {
        let covered = match record.rtype() {
            Rtype::RRSIG => Rrsig::new(record.rdata()).map_or(Rtype::RRSIG, Rrsig::covered),
            rtype => rtype,
        };
        if covered == Rtype::ZONEMD && record.owner() == records.apex() {
            continue;
        }
        data.clear();
        record.write_canonical(record.ttl(), &mut data);
        context.update(&data);
    }
    context.finish()
}
