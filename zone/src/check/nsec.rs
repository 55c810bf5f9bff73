//! The NSEC chain (RFC 4034 section 4): each name of the zone once, to the next one, and back to the apex.

use domain::base::iana::Rtype;

use super::Problem;
use crate::WireName;
use crate::records::Records;
use crate::types::Types;
use crate::walk::{Node, Standing};

/// Checks it; how many records close it.
pub(super) fn check(records: &Records, nodes: &[Node], problems: &mut Vec<Problem>) -> usize {
    let names: Vec<_> = nodes.iter().filter(|node| node.standing.is_in_chain()).collect();
    let mut count = 0;
    for (place, node) in names.iter().enumerate() {
        let next = names
            .get(place + 1)
            .map_or_else(|| records.apex(), |next| records.at(next.records.start).owner());
        let Some(set) = records.sets(node).find(|set| set.rtype() == Rtype::NSEC) else {
            problems.push(Problem::of_node(records, node, "has no NSEC record"));
            continue;
        };
        if set.records().len() != 1 {
            problems.push(Problem::of_set(set, "has more than one record"));
            continue;
        }
        let rdata = set.first().rdata();
        let Some(named) = WireName::first_of(rdata) else {
            problems.push(Problem::of_set(set, "is cut short"));
            continue;
        };
        if named != next {
            problems.push(Problem::of_set(
                set,
                format!("goes on to {named}, and the next name is {next}"),
            ));
        }
        let mut expected = Types::default();
        for set in records.sets(node) {
            // At a zone cut the address of a name server can stand, which is the child's.
            match (node.standing, set.rtype()) {
                (Standing::Cut, Rtype::NS | Rtype::DS | Rtype::NSEC | Rtype::RRSIG)
                | (Standing::Authoritative, _) => expected.insert(set.rtype()),
                (_, _) => {}
            }
        }
        let bitmap = rdata.get(named.octets().len()..).map_or(&[][..], |bitmap| bitmap);
        types(bitmap, &expected, |what| {
            problems.push(Problem::of_set(set, what))
        });
        count += 1;
    }
    count
}

/// Whether a bit map says what is there.
pub(super) fn types(bitmap: &[u8], expected: &Types, mut problem: impl FnMut(String)) {
    if bitmap == expected.bitmap() {
        return;
    }
    let there = expected.names();
    problem(match Types::of_bitmap(bitmap) {
        Some(said) if said == *expected => {
            "has a bit map that is not written as it must be (RFC 4034 4.1.2)".to_owned()
        }
        Some(said) => format!("says that there are {}, and there are {there}", said.names()),
        None => "has a bit map that is cut short".to_owned(),
    });
}
