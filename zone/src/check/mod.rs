//! Whether a signed zone is good: as a stranger sees it, from its records alone, and with all that is wrong told.

mod delegations;
mod ds;
mod keys;
mod nsec;
mod nsec3;
mod problem;
mod signatures;
mod zonemd;

use domain::base::iana::Rtype;
use rayon::prelude::*;

use crate::records::Records;
use crate::rrsig::Rrsig;
use crate::walk::{Node, Standing, nodes};
use keys::Keys;
pub use problem::{About, Problem};
use signatures::{Measure, Tally};

/// What a zone is checked by.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// As of when, in seconds since 1970 modulo 2^32 (RFC 4034 3.1.5).
    pub now: u32,
    /// DNSKEY RDATA of keys that have signed every RRset but the DNSKEY RRset, in which they are not (RFC 6781 4.1.4). A stranger does not
    /// know of them, and so does without their signatures.
    pub unpublished: Vec<Vec<u8>>,
    /// RDATA of the DS records at the parent. For each algorithm of them there is a chain (RFC 6840 5.11).
    pub ds: Vec<Vec<u8>>,
}

/// What was found of a zone.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// How many RRsets must be signed.
    pub rrsets: usize,
    /// How many good signatures there are.
    pub signatures: usize,
    /// How many NSEC and NSEC3 records close the chains.
    pub denials: usize,
    /// When the first signature expires, in seconds modulo 2^32.
    pub first_expiration: Option<u32>,
    /// All that is wrong, in the order of names. A good zone has nothing here.
    pub problems: Vec<Problem>,
}

/// Whether a signature is known to be good already: it was verified when it was made. Given the public key field of the DNSKEY record (RFC 4034 2.1), the
/// RRSIG, and the data that it is over.
pub type Vouched<'a> = dyn Fn(&[u8], Rrsig<'_>, &[u8]) -> bool + Sync + 'a;

/// Checks a zone. `progress` hears how many records are done, from any thread.
pub fn check(records: &Records, question: &Question, progress: &(dyn Fn(u64) + Sync)) -> Verdict {
    check_vouched(records, question, &|_, _, _| false, progress)
}

/// The same, but what is vouched for is not verified.
pub fn check_vouched(
    records: &Records,
    question: &Question,
    vouched: &Vouched<'_>,
    progress: &(dyn Fn(u64) + Sync),
) -> Verdict {
    let nodes = nodes(records);
    let mut verdict = Verdict::default();
    let apex = nodes
        .iter()
        .find(|node| records.at(node.records.start).owner() == records.apex());
    let Some(apex) = apex else {
        verdict
            .problems
            .push(Problem::of_zone(records, "has no records at its apex"));
        return verdict;
    };
    of_apex(records, apex, &mut verdict.problems);
    let keys = Keys::of(records, apex, question, &mut verdict.problems);
    if keys.all.is_empty() {
        return verdict;
    }
    ds::check(records, apex, &keys, question, &mut verdict.problems);
    let measure = Measure {
        keys: &keys,
        vouched,
        now: question.now,
    };
    let (tally, (chains, zonemd)) = rayon::join(
        || {
            let each = nodes.par_iter().map(|node| {
                let tally = signatures::check(records, node, &measure);
                progress(node.records.len() as u64);
                tally
            });
            each.reduce(Tally::default, Tally::with)
        },
        || rayon::join(|| denial(records, apex, &nodes), || zonemd::check(records, apex)),
    );
    let (denials, of_chains) = chains;
    verdict.rrsets = tally.rrsets;
    verdict.signatures = tally.signatures;
    verdict.first_expiration = tally
        .first_expiration
        .map(|seconds| seconds.wrapping_add(question.now));
    verdict.denials = denials;
    verdict.problems.extend(tally.problems);
    verdict.problems.extend(of_chains);
    verdict.problems.extend(delegations::check(records, &nodes));
    verdict.problems.extend(zonemd);
    verdict.problems.sort_by_key(|problem| problem.place);
    verdict
}

/// One SOA, and name servers.
fn of_apex(records: &Records, apex: &Node, problems: &mut Vec<Problem>) {
    let count = |rtype| {
        records
            .sets(apex)
            .find(|set| set.rtype() == rtype)
            .map_or(0, |set| set.records().len())
    };
    match count(Rtype::SOA) {
        1 => {}
        0 => problems.push(Problem::of_zone(records, "has no SOA record")),
        many => problems.push(Problem::of_zone(records, format!("has {many} SOA records"))),
    }
    if count(Rtype::NS) == 0 {
        problems.push(Problem::of_zone(records, "has no NS records"));
    }
}

/// The chains that are there; one must be.
fn denial(records: &Records, apex: &Node, nodes: &[Node]) -> (usize, Vec<Problem>) {
    let has = |rtype| records.sets(apex).any(|set| set.rtype() == rtype);
    let has_nsec3 = has(Rtype::NSEC3PARAM) || nodes.iter().any(|node| node.standing == Standing::Nsec3);
    let mut problems = Vec::new();
    let mut denials = 0;
    if has(Rtype::NSEC) || !has_nsec3 {
        denials += nsec::check(records, nodes, &mut problems);
    }
    if has_nsec3 {
        denials += nsec3::check(records, apex, nodes, &mut problems);
    }
    (denials, problems)
}
