//! The digest of a zone (RFC 8976), where it has one.

use domain::base::iana::Rtype;

use super::Problem;
use crate::digest::{SIMPLE, algorithm, zone_digest};
use crate::records::Records;
use crate::walk::Node;

/// Checks every digest that can be checked here; one of them must be.
pub(super) fn check(records: &Records, apex: &Node) -> Vec<Problem> {
    let Some(set) = records.sets(apex).find(|set| set.rtype() == Rtype::ZONEMD) else {
        return Vec::new();
    };
    let serial = records.serial();
    let mut problems = Vec::new();
    let mut known = 0;
    for record in set.records() {
        let [a, b, c, d, SIMPLE, kind, digest @ ..] = record.rdata() else {
            continue;
        };
        let Some(algorithm) = algorithm(*kind) else {
            continue;
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
