//! The NSEC3 chain (RFC 5155): each name of the zone by its hash, empty non-terminals with them, and with opt-out perhaps not the delegations
//! without DS.

use std::collections::BTreeMap;

use domain::base::iana::Rtype;
use rayon::prelude::*;

use super::Problem;
use super::nsec::types;
use crate::WireName;
use crate::hash::{self, Hash, Parameters, hash};
use crate::records::{Record, Records};
use crate::types::Types;
use crate::walk::{Node, Standing};

/// More iterations are computed by no validator (RFC 9276 3.2), and not here.
const MOST_ITERATIONS: u16 = 500;

/// An NSEC3 record.
struct Link<'a> {
    record: Record<'a>,
    place: usize,
    opt_out: bool,
    next: &'a [u8],
    bitmap: &'a [u8],
}

/// A name that has its NSEC3 record, or should have.
struct Expected {
    hash: Hash,
    name: Vec<u8>,
    types: Types,
    /// Nothing but delegations without DS: under opt-out it may do without.
    is_insecure: bool,
}

/// Checks it; how many records close it.
pub(super) fn check(records: &Records, apex: &Node, nodes: &[Node], problems: &mut Vec<Problem>) -> usize {
    let parameters = records.sets(apex).find(|set| set.rtype() == Rtype::NSEC3PARAM);
    let Some(parameters) = parameters else {
        problems.push(Problem::of_zone(records, "has NSEC3 records, and no NSEC3PARAM"));
        return 0;
    };
    let read = Parameters::of_rdata(parameters.first().rdata());
    let Some(used) = read.filter(|_| parameters.records().len() == 1) else {
        problems.push(Problem::of_set(
            parameters,
            "is not one record of SHA-1 without flags (RFC 5155 4.1.2)",
        ));
        return 0;
    };
    if used.iterations > MOST_ITERATIONS {
        let what = format!(
            "has {} iterations: for resolvers the zone is not signed (RFC 9276 3.2)",
            used.iterations
        );
        problems.push(Problem::of_set(parameters, what));
        return 0;
    }
    let links = links(records, nodes, &used, problems);
    let mut hashes: Vec<_> = links.keys().copied().collect();
    hashes.sort_unstable();
    for (place, hash) in hashes.iter().enumerate() {
        let next = hashes.get(place + 1).or_else(|| hashes.first());
        let link = &links[hash];
        if next.is_some_and(|next| next.as_slice() != link.next) {
            problems.push(Problem::of_record(
                link.record,
                link.place,
                "goes on to another hash than the next one",
            ));
        }
    }
    let expected = expected(records, nodes, &used);
    let mut found = 0;
    for expected in &expected {
        match links.get(&expected.hash) {
            Some(link) => {
                found += 1;
                types(link.bitmap, &expected.types, |what| {
                    let name = WireName::trusted(&expected.name);
                    problems.push(Problem::of_record(
                        link.record,
                        link.place,
                        format!("({name}) {what}"),
                    ));
                });
            }
            None => {
                let before = hashes
                    .partition_point(|hash| *hash < expected.hash)
                    .checked_sub(1);
                let covering = before
                    .and_then(|before| hashes.get(before))
                    .or_else(|| hashes.last());
                let is_opted_out = covering
                    .and_then(|hash| links.get(hash))
                    .is_some_and(|link| link.opt_out);
                if !(expected.is_insecure && is_opted_out) {
                    problems.push(Problem {
                        owner: WireName::trusted(&expected.name).to_string(),
                        ..Problem::of_zone(records, "has no NSEC3 record")
                    });
                }
            }
        }
    }
    if found < links.len() {
        let hashes: std::collections::BTreeSet<_> = expected.iter().map(|expected| expected.hash).collect();
        for (hash, link) in &links {
            if !hashes.contains(hash) {
                problems.push(Problem::of_record(
                    link.record,
                    link.place,
                    "is of no name of the zone",
                ));
            }
        }
    }
    links.len()
}

/// Every NSEC3 record of these parameters, by its hash.
fn links<'a>(
    records: &'a Records,
    nodes: &[Node],
    used: &Parameters,
    problems: &mut Vec<Problem>,
) -> BTreeMap<Hash, Link<'a>> {
    let mut links = BTreeMap::new();
    for node in nodes.iter().filter(|node| node.standing == Standing::Nsec3) {
        for place in node.records.clone() {
            let record = records.at(place);
            if record.rtype() != Rtype::NSEC3 {
                continue;
            }
            let hash = hash::of_owner(record.owner(), records.apex());
            let link = link(record, place, used);
            match (hash, link) {
                (Some(hash), Some(link)) => {
                    if links.insert(hash, link).is_some() {
                        problems.push(Problem::of_record(record, place, "is there twice"));
                    }
                }
                (None, _) => problems.push(Problem::of_record(
                    record,
                    place,
                    "has an owner that is no hash below the apex",
                )),
                (_, None) => {
                    problems.push(Problem::of_record(
                        record,
                        place,
                        "has other parameters than NSEC3PARAM, or is cut short",
                    ));
                }
            }
        }
    }
    links
}

fn link<'a>(record: Record<'a>, place: usize, used: &Parameters) -> Option<Link<'a>> {
    // Algorithm, flags, iterations, salt, next hash, bit map (RFC 5155 3.2).
    let rdata = record.rdata();
    let flags = *rdata.get(1)?;
    let mut without_flags = rdata.to_vec();
    without_flags[1] = 0;
    let salt = usize::from(*rdata.get(4)?);
    let of_record = Parameters::of_rdata(without_flags.get(..5 + salt)?)?;
    let (length, rest) = rdata.get(5 + salt..)?.split_first()?;
    let (next, bitmap) = rest.split_at_checked(usize::from(*length))?;
    (of_record == *used && flags <= 1).then_some(Link {
        record,
        place,
        opt_out: flags == 1,
        next,
        bitmap,
    })
}

/// Every name that has one, with the empty non-terminals between it and the apex.
fn expected(records: &Records, nodes: &[Node], used: &Parameters) -> Vec<Expected> {
    let apex = records.apex();
    // The name, its types, whether it may be left out.
    let mut names: Vec<(Vec<u8>, Types, bool)> = Vec::new();
    let mut before: Option<WireName<'_>> = None;
    // Where each empty non-terminal stands in `names`.
    let mut empty: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for node in nodes.iter().filter(|node| node.standing.is_in_chain()) {
        let owner = records.at(node.records.start).owner();
        let mut types = Types::default();
        for set in records.sets(node) {
            match (node.standing, set.rtype()) {
                (_, Rtype::NSEC) => {}
                (Standing::Cut, Rtype::NS | Rtype::DS) => types.insert(set.rtype()),
                (Standing::Authoritative, rtype) => types.insert(rtype),
                (_, _) => {}
            }
        }
        let has_ds = records.sets(node).any(|set| set.rtype() == Rtype::DS);
        if node.standing == Standing::Cut && has_ds {
            types.insert(Rtype::RRSIG);
        }
        let is_insecure = node.standing == Standing::Cut && !has_ds;
        // An RRSIG over NSEC3 alone is at the hash, and at a name only what is signed there.
        let mut above = owner.parent();
        while let Some(name) = above.filter(|name| *name != apex && name.is_within(apex)) {
            if before.is_some_and(|before| before.is_within(name)) {
                // It was looked at with the name before, or has records: then it is that name itself, or above it.
                if let Some(place) = empty.get(&name.canonical()) {
                    names[*place].2 &= is_insecure;
                }
            } else {
                empty.insert(name.canonical(), names.len());
                names.push((name.canonical(), Types::default(), is_insecure));
            }
            above = name.parent();
        }
        names.push((owner.canonical(), types, is_insecure));
        before = Some(owner);
    }
    names
        .into_par_iter()
        .map(|(name, types, is_insecure)| Expected {
            hash: hash(WireName::trusted(&name), used),
            name,
            types,
            is_insecure,
        })
        .collect()
}
