//! The signatures at each name: those that must be there, and none too many.

use domain::base::iana::Rtype;

use super::keys::{Key, Keys, Place};
use super::{Problem, Vouched};
use crate::records::Records;
use crate::rrsig::Rrsig;
use crate::walk::{Node, Set, Standing};

/// What signatures are checked by.
pub(super) struct Measure<'a> {
    pub keys: &'a Keys,
    pub vouched: &'a Vouched<'a>,
    /// As of when, in seconds modulo 2^32.
    pub now: u32,
}

/// What was found at some names.
#[derive(Default)]
pub(super) struct Tally {
    pub rrsets: usize,
    pub signatures: usize,
    /// When the first one expires, in seconds from now.
    pub first_expiration: Option<u32>,
    pub problems: Vec<Problem>,
}

impl Tally {
    /// Both together.
    pub(super) fn with(mut self, mut other: Self) -> Self {
        let expirations = [self.first_expiration, other.first_expiration];
        self.problems.append(&mut other.problems);
        Self {
            rrsets: self.rrsets + other.rrsets,
            signatures: self.signatures + other.signatures,
            first_expiration: expirations.into_iter().flatten().min(),
            problems: self.problems,
        }
    }
}

/// Checks the signatures at a name.
pub(super) fn check(records: &Records, node: &Node, by: &Measure<'_>) -> Tally {
    let mut tally = Tally::default();
    let is_signed = |rtype| match node.standing {
        Standing::Authoritative | Standing::Nsec3 => true,
        Standing::Cut => matches!(rtype, Rtype::DS | Rtype::NSEC),
        Standing::BelowCut | Standing::BelowDname | Standing::Outside => false,
    };
    match node.standing {
        Standing::Outside => tally
            .problems
            .push(Problem::of_node(records, node, "is not in the zone")),
        Standing::Authoritative => at_most_one(records, node, &mut tally.problems),
        Standing::Cut | Standing::BelowCut | Standing::BelowDname | Standing::Nsec3 => {}
    }
    let rrsigs: Vec<_> = records
        .sets(node)
        .filter(|set| set.rtype() == Rtype::RRSIG)
        .flat_map(Set::records)
        .collect();
    let mut read = Vec::with_capacity(rrsigs.len());
    for record in &rrsigs {
        match Rrsig::new(record.rdata()) {
            Some(rrsig) => read.push((record.ttl(), rrsig)),
            None => tally.problems.push(Problem::of_node(
                records,
                node,
                "has an RRSIG record that is cut short",
            )),
        }
    }
    let mut covered = 0;
    for set in records.sets(node).filter(|set| set.rtype() != Rtype::RRSIG) {
        if set.records().any(|record| record.ttl() != set.ttl()) {
            tally
                .problems
                .push(Problem::of_set(set, "has several TTLs (RFC 2181 5.2)"));
        }
        let here: Vec<_> = read
            .iter()
            .filter(|(_, rrsig)| rrsig.covered() == set.rtype())
            .collect();
        covered += here.len();
        if !is_signed(set.rtype()) {
            if !here.is_empty() {
                tally
                    .problems
                    .push(Problem::of_set(set, "is signed, but not the zone's own"));
            }
            if matches!(set.rtype(), Rtype::NSEC | Rtype::NSEC3) {
                tally.problems.push(Problem::of_set(
                    set,
                    "stands where the zone has nothing of its own",
                ));
            }
            continue;
        }
        if here.iter().any(|(ttl, _)| *ttl != set.ttl()) {
            tally.problems.push(Problem::of_set(
                set,
                "and its RRSIG have different TTLs (RFC 4034 section 3)",
            ));
        }
        let these: Vec<_> = here.into_iter().map(|(_, rrsig)| *rrsig).collect();
        rrset(records, set, &these, by, &mut tally);
    }
    if covered != read.len() {
        tally.problems.push(Problem::of_node(
            records,
            node,
            "has an RRSIG over records that are not there",
        ));
    }
    tally
}

/// CNAME is alone but for what proves it, and it, DNAME and SOA are one record each.
fn at_most_one(records: &Records, node: &Node, problems: &mut Vec<Problem>) {
    let is_beside = |rtype| !matches!(rtype, Rtype::CNAME | Rtype::RRSIG | Rtype::NSEC);
    let has_other = records.sets(node).any(|set| is_beside(set.rtype()));
    for set in records.sets(node) {
        match set.rtype() {
            Rtype::CNAME if has_other => {
                problems.push(Problem::of_set(
                    set,
                    "has other records beside it (RFC 2181 10.1)",
                ));
            }
            Rtype::CNAME | Rtype::DNAME if set.records().len() > 1 => {
                problems.push(Problem::of_set(set, "has more than one record"));
            }
            Rtype::SOA if set.owner() != records.apex() => {
                problems.push(Problem::of_set(set, "stands below the apex"));
            }
            _ => {}
        }
    }
}

/// Each signature is good, each algorithm of the DNSKEY RRset has one (RFC 4035 2.2), and so has each key that is not there.
fn rrset(records: &Records, set: Set<'_>, rrsigs: &[Rrsig<'_>], by: &Measure<'_>, tally: &mut Tally) {
    let (keys, now) = (by.keys, by.now);
    let is_dnskey = set.rtype() == Rtype::DNSKEY && set.owner() == records.apex();
    let mut problem = |what: String| tally.problems.push(Problem::of_set(set, what));
    let mut good = Vec::new();
    let mut data = Vec::new();
    for rrsig in rrsigs {
        match verified(records, set, *rrsig, by, &mut data) {
            Ok(Place::Unpublished) if is_dnskey => problem(format!(
                "has a signature by key {}, which is not in it",
                rrsig.key_tag()
            )),
            Ok(place) => {
                good.push((rrsig.algorithm(), rrsig.key_tag(), place));
                let left = rrsig.expiration().wrapping_sub(now);
                tally.first_expiration = Some(tally.first_expiration.map_or(left, |first| first.min(left)));
            }
            Err(why) => problem(format!("has a bad signature by key {}: {why}", rrsig.key_tag())),
        }
    }
    for algorithm in &keys.algorithms {
        let does = |place| match place {
            Place::EntryPoint => true,
            Place::ZoneKey => !is_dnskey || !keys.with_entry_point.contains(algorithm),
            Place::Revoked | Place::Unpublished => false,
        };
        if !good.iter().any(|(by, _, place)| by == algorithm && does(*place)) {
            problem(format!("has no good signature of algorithm {algorithm}"));
        }
    }
    for key in &keys.all {
        let (is_missing, why) = match key.place {
            Place::Unpublished => (!is_dnskey, "which is not published"),
            Place::Revoked => (
                is_dnskey,
                "which is revoked, and says so by signing (RFC 5011 2.1)",
            ),
            Place::EntryPoint | Place::ZoneKey => (false, ""),
        };
        if is_missing && !good.contains(&(key.algorithm, key.tag, key.place)) {
            problem(format!("has no good signature by key {}, {why}", key.tag));
        }
    }
    tally.signatures += good.len();
    tally.rrsets += 1;
}

/// Whether a signature is good, and then what its key is.
fn verified(
    records: &Records,
    set: Set<'_>,
    rrsig: Rrsig<'_>,
    by: &Measure<'_>,
    data: &mut Vec<u8>,
) -> Result<Place, &'static str> {
    if rrsig.signer != records.apex() {
        return Err("its signer is not the zone");
    }
    // Serial number arithmetic (RFC 4034 3.1.5).
    let is_later = |one: u32, other: u32| one != other && one.wrapping_sub(other) < 1 << 31;
    if is_later(rrsig.inception(), by.now) {
        return Err("it is not valid yet");
    }
    if is_later(by.now, rrsig.expiration()) {
        return Err("it has expired");
    }
    if rrsig.original_ttl() != set.ttl() {
        return Err("its original TTL is another");
    }
    if rrsig.labels() != set.owner().rrsig_labels() {
        return Err("its label count is another");
    }
    let mut of_tag = by.keys.of_tag(rrsig.key_tag(), rrsig.algorithm()).peekable();
    if of_tag.peek().is_none() {
        return Err("its key is not in the DNSKEY RRset");
    }
    rrsig.signed_data(set, data);
    let is_good =
        |key: &&Key| (by.vouched)(key.public_key(), rrsig, data) || key.has_signed(data, rrsig.signature);
    match of_tag.find(is_good) {
        Some(key) => Ok(key.place),
        None => Err("it does not verify"),
    }
}
