//! Delegations that can be followed: a name server whose name is below its own zone cut has its address beside it (RFC 9471).

use domain::base::iana::Rtype;
use rayon::prelude::*;

use super::{About, Problem};
use crate::WireName;
use crate::records::Records;
use crate::walk::{Node, Standing};

/// Every name server that lacks its glue.
pub(super) fn check(records: &Records, nodes: &[Node]) -> Vec<Problem> {
    let cuts = nodes
        .par_iter()
        .enumerate()
        .filter(|(_, node)| node.standing == Standing::Cut);
    cuts.flat_map_iter(|(place, node)| {
        let owner = records.at(node.records.start).owner();
        let servers = records.sets(node).filter(|set| set.rtype() == Rtype::NS);
        servers.flat_map(move |set| {
            let own = set.records().filter_map(move |record| {
                let server = WireName::new(record.rdata()).filter(|server| server.is_within(owner))?;
                let has_address = is_addressed(records, &nodes[place..], owner, server);
                (!has_address).then(|| {
                    let what = format!("names {server}, which has no address here and nowhere else");
                    Problem {
                        about: About::Delegation,
                        ..Problem::of_set(set, what)
                    }
                })
            });
            own.collect::<Vec<_>>()
        })
    })
    .collect()
}

/// Whether a name at or below a zone cut has an address; `nodes` begin with the cut.
fn is_addressed(records: &Records, nodes: &[Node], cut: WireName<'_>, server: WireName<'_>) -> bool {
    let below = nodes
        .iter()
        .take_while(|node| records.at(node.records.start).owner().is_within(cut));
    let mut its = below.filter(|node| records.at(node.records.start).owner() == server);
    its.any(|node| {
        records
            .sets(node)
            .any(|set| matches!(set.rtype(), Rtype::A | Rtype::AAAA))
    })
}
