//! The NSEC or NSEC3 records of a zone (RFC 4034 section 4, RFC 5155 section 7.1).

use domain::base::iana::Rtype;
use key_metadata::policy::Denial;
use rayon::prelude::*;

use crate::WireName;
use crate::hash::{Hash, Parameters, hash, owner_of};
use crate::records::Records;
use crate::types::Types;
use crate::walk::{Node, Standing, nodes};

/// Names whose records are made together.
const AT_ONCE: usize = 1024;

/// Two names have one hash, so that no NSEC3 chain proves both (RFC 5155 section 7.1): with SHA-1, somebody's intention.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} has the NSEC3 hash of another name of the zone")]
pub struct SameHash(pub String);

/// Adds the records by which absence is proved, without a salt and without more iterations (RFC 9276 3.1). The zone has all else but RRSIG records.
pub fn add_denial(records: &mut Records, denial: Denial) -> Result<(), SameHash> {
    let ttl = negative_ttl(records);
    match denial {
        Denial::Nsec => nsec(records, ttl),
        Denial::Nsec3 => nsec3(records, ttl, 0)?,
        // Opt-out is a flag of NSEC3 records: with any flag an NSEC3PARAM record is passed over (RFC 5155 4.1.2).
        Denial::Nsec3OptOut => nsec3(records, ttl, 1)?,
    }
    records.settle();
    Ok(())
}

/// The lesser of the SOA's TTL and its last field (RFC 9077 section 3).
fn negative_ttl(records: &Records) -> u32 {
    let soa = records.soa().and_then(|place| records.get(place));
    let minimum = soa.and_then(|soa| soa.rdata().last_chunk::<4>().copied());
    let minimum = minimum.map_or(0, u32::from_be_bytes);
    soa.map_or(minimum, |soa| soa.ttl().min(minimum))
}

fn nsec(records: &mut Records, ttl: u32) {
    let names: Vec<_> = nodes(records)
        .into_iter()
        .filter(|node| node.standing.is_in_chain())
        .collect();
    let made: Vec<Vec<(usize, Vec<u8>)>> = (0..names.len())
        .into_par_iter()
        .chunks(AT_ONCE)
        .map(|places| {
            let each = places.into_iter().map(|place| {
                let node = &names[place];
                let next = names
                    .get(place + 1)
                    .map_or_else(|| records.apex(), |next| records.at(next.records.start).owner());
                let mut types = types(records, node);
                types.insert(Rtype::NSEC);
                // Its own RRSIG.
                types.insert(Rtype::RRSIG);
                (node.records.start, [next.octets(), &types.bitmap()].concat())
            });
            each.collect()
        })
        .collect();
    for (place, rdata) in made.iter().flatten() {
        records.push_at(*place, Rtype::NSEC, ttl, rdata);
    }
}

/// What is at a name that is in the chain, and can be proved there: at a zone cut nothing but the parent's (RFC 4035 2.3).
fn types(records: &Records, node: &Node) -> Types {
    let mut types = Types::default();
    for set in records.sets(node) {
        match (node.standing, set.rtype()) {
            (Standing::Authoritative, rtype) => {
                types.insert(rtype);
                types.insert(Rtype::RRSIG);
            }
            (Standing::Cut, Rtype::NS) => types.insert(Rtype::NS),
            (Standing::Cut, Rtype::DS) => {
                types.insert(Rtype::DS);
                types.insert(Rtype::RRSIG);
            }
            (_, _) => {}
        }
    }
    types
}

/// A name of the chain.
struct Link {
    hash: Hash,
    /// Its place among the names; for an empty non-terminal that of one below.
    name: u32,
    /// How many labels of it an empty non-terminal has.
    labels: Option<u8>,
}

fn nsec3(records: &mut Records, ttl: u32, flags: u8) -> Result<(), SameHash> {
    // The TTL is of no use: nobody asks for it but servers, which have the zone.
    records.push_at(0, Rtype::NSEC3PARAM, 0, &[1, 0, 0, 0, 0]);
    records.settle();
    let names: Vec<_> = nodes(records)
        .into_iter()
        .filter(|node| node.standing.is_in_chain())
        .filter(|node| flags == 0 || !is_insecure(records, node))
        .collect();
    let links = links(records, &names)?;
    let made: Vec<Vec<Vec<u8>>> = (0..links.len())
        .into_par_iter()
        .chunks(AT_ONCE)
        .map(|places| {
            let each = places.into_iter().map(|place| {
                let link = &links[place];
                let next = links.get(place + 1).map_or(&links[0], |next| next);
                let types = match link.labels {
                    Some(_) => Types::default(),
                    None => types(records, &names[link.name as usize]),
                };
                let head = [1, flags, 0, 0, 0, next.hash.len() as u8];
                [&head[..], &next.hash, &types.bitmap()].concat()
            });
            each.collect()
        })
        .collect();
    // An owner is a label of 32 octets below the apex.
    records.reserve(links.len(), 90 + records.apex().octets().len());
    let apex = records.apex().octets().to_vec();
    for (link, rdata) in links.iter().zip(made.iter().flatten()) {
        let owner = owner_of(&link.hash, &apex);
        records.push(WireName::trusted(&owner), Rtype::NSEC3, ttl, rdata);
    }
    Ok(())
}

/// A delegation without DS, which opt-out leaves out.
fn is_insecure(records: &Records, node: &Node) -> bool {
    node.standing == Standing::Cut && !records.sets(node).any(|set| set.rtype() == Rtype::DS)
}

/// All names and the empty non-terminals above them, by hash. Names are in canonical order: what of a name is not shared with the one before, and is not
/// the name itself, is empty.
fn links(records: &Records, names: &[Node]) -> Result<Vec<Link>, SameHash> {
    let owner = |node: &Node| records.at(node.records.start).owner();
    let of_apex = records.apex().labels().count();
    let without_salt = Parameters {
        iterations: 0,
        salt: Vec::new(),
    };
    let mut links: Vec<Link> = (0..names.len())
        .into_par_iter()
        .flat_map_iter(|place| {
            let name = owner(&names[place]);
            let shared = match place.checked_sub(1) {
                Some(before) => owner(&names[before]).shared_labels(name).max(of_apex),
                None => of_apex,
            };
            let own = Link {
                hash: hash(name, &without_salt),
                name: place as u32,
                labels: None,
            };
            let of_name = name.labels().count();
            let empty = (shared + 1..of_name).filter_map({
                let without_salt = &without_salt;
                move |labels| {
                    Some(Link {
                        hash: hash(name.suffix(labels)?, without_salt),
                        name: place as u32,
                        labels: Some(labels as u8),
                    })
                }
            });
            std::iter::once(own).chain(empty)
        })
        .collect();
    links.par_sort_unstable_by_key(|link| link.hash);
    let twin = links.windows(2).find(|pair| pair[0].hash == pair[1].hash);
    match twin {
        Some([_, link]) => Err(SameHash(owner(&names[link.name as usize]).to_string())),
        Some(_) | None => Ok(links),
    }
}
