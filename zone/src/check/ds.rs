//! Whether the DS records at the parent lead into the zone.

use domain::base::iana::Rtype;
use ring::digest;

use super::keys::{Keys, Place};
use super::{About, Problem, Question};
use crate::records::Records;
use crate::rrsig::Rrsig;
use crate::walk::{Node, Set};

/// For each algorithm of the DS records, the DNSKEY RRset must be signed by a key that one of them names (RFC 6840 5.11); a DS whose key is not
/// there is allowed beside (RFC 7583 3.3: it comes first, or goes last).
pub(super) fn check(
    records: &Records,
    apex: &Node,
    keys: &Keys,
    question: &Question,
    problems: &mut Vec<Problem>,
) {
    let sets: Vec<_> = records.sets(apex).collect();
    let Some(dnskeys) = sets.iter().find(|set| set.rtype() == Rtype::DNSKEY) else {
        return;
    };
    let rrsigs = sets
        .iter()
        .filter(|set| set.rtype() == Rtype::RRSIG)
        .flat_map(|set| set.records());
    let over: Vec<_> = rrsigs
        .filter_map(|record| Rrsig::new(record.rdata()))
        .filter(|rrsig| rrsig.covered() == Rtype::DNSKEY)
        .collect();
    let mut algorithms: Vec<_> = question.ds.iter().filter_map(|ds| ds.get(2).copied()).collect();
    algorithms.sort_unstable();
    algorithms.dedup();
    for algorithm in algorithms {
        let of_it = question.ds.iter().filter(|ds| ds.get(2) == Some(&algorithm));
        let is_led_to = of_it.clone().any(|ds| leads(ds, *dnskeys, &over, records, keys));
        if !is_led_to {
            let tags: Vec<_> = of_it
                .filter_map(|ds| Some(u16::from_be_bytes([*ds.first()?, *ds.get(1)?]).to_string()))
                .collect();
            let what = format!(
                "is signed by no key that a DS record of algorithm {algorithm} at the parent names (DS of {})",
                tags.join(", ")
            );
            problems.push(Problem {
                about: About::Parent,
                ..Problem::of_set(*dnskeys, what)
            });
        }
    }
}

/// Whether a DS record names a key that signs the DNSKEY RRset.
fn leads(ds: &[u8], dnskeys: Set<'_>, over: &[Rrsig<'_>], records: &Records, keys: &Keys) -> bool {
    let [high, low, algorithm, kind, digest @ ..] = ds else {
        return false;
    };
    let tag = u16::from_be_bytes([*high, *low]);
    let named = keys.of_tag(tag, *algorithm).filter(|key| match key.place {
        Place::EntryPoint | Place::ZoneKey => true,
        Place::Revoked | Place::Unpublished => false,
    });
    let mut data = Vec::new();
    named
        .filter(|key| digest_of(records, &key.rdata, *kind).is_some_and(|made| made.as_ref() == digest))
        .any(|key| {
            let by_it = over
                .iter()
                .filter(|rrsig| rrsig.key_tag() == key.tag && rrsig.algorithm() == key.algorithm);
            by_it.into_iter().any(|rrsig| {
                rrsig.signed_data(dnskeys, &mut data);
                key.has_signed(&data, rrsig.signature)
            })
        })
}

/// The digest that a DS record has of a key (RFC 4034 5.1.4, RFC 6605); nothing of a type that is not known here.
fn digest_of(records: &Records, rdata: &[u8], kind: u8) -> Option<digest::Digest> {
    let algorithm = match kind {
        1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        2 => &digest::SHA256,
        4 => &digest::SHA384,
        _ => return None,
    };
    Some(digest::digest(
        algorithm,
        &[records.apex().canonical().as_slice(), rdata].concat(),
    ))
}
