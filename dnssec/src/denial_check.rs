//! Checking the NSEC or NSEC3 chain of a signed zone.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use domain::base::iana::Rtype;
use domain::base::name::ToName;
use domain::dnssec::common::nsec3_default_hash;
use domain::rdata::nsec3::OwnerHash;
use domain::rdata::{Nsec3, ZoneRecordData};

use crate::zone::{NameRecords, Owner};

/// What the chain must say, gathered name by name in canonical order, and what it says.
pub(crate) struct Denials<'a> {
    apex: &'a Owner,
    names: Vec<Expected>,
    nsec: Vec<(Owner, Owner, BTreeSet<Rtype>)>,
    nsec3: BTreeMap<Vec<u8>, Nsec3<Bytes>>,
}

struct Expected {
    owner: Owner,
    types: BTreeSet<Rtype>,
    insecure_delegation: bool,
}

impl<'a> Denials<'a> {
    pub(crate) const fn new(apex: &'a Owner) -> Self {
        Self {
            apex,
            names: Vec::new(),
            nsec: Vec::new(),
            nsec3: BTreeMap::new(),
        }
    }

    /// Takes an authoritative name or a zone cut.
    pub(crate) fn name(&mut self, name: &NameRecords<'_>) {
        let at_cut = name.is_zone_cut(self.apex);
        let mut types = BTreeSet::new();
        let mut denial_only = true;
        for record in name.records() {
            match record.data() {
                ZoneRecordData::Nsec(nsec) => {
                    self.nsec.push((
                        name.owner().clone(),
                        nsec.next_name().clone(),
                        nsec.types().iter().collect(),
                    ));
                }
                ZoneRecordData::Nsec3(nsec3) => {
                    if let Some(hash) = hash_in(name.owner()) {
                        self.nsec3.insert(hash, nsec3.clone());
                        continue;
                    }
                }
                ZoneRecordData::Rrsig(rrsig) if rrsig.type_covered() == Rtype::NSEC3 => continue,
                _ => denial_only = false,
            }
            // At a cut, only what the parent answers for is in the bitmap (RFC 4035 2.3); glue at the cut is not.
            if !at_cut || matches!(record.rtype(), Rtype::NS | Rtype::DS | Rtype::NSEC | Rtype::RRSIG) {
                types.insert(record.rtype());
            }
        }
        if !denial_only {
            let insecure_delegation = at_cut && !types.contains(&Rtype::DS);
            self.names.push(Expected {
                owner: name.owner().clone(),
                types,
                insecure_delegation,
            });
        }
    }

    /// Compares; returns how many records the chain has.
    pub(crate) fn finish(self, problems: &mut Vec<String>) -> usize {
        match (self.nsec.is_empty(), self.nsec3.is_empty()) {
            (false, true) => self.finish_nsec(problems),
            (true, false) => self.finish_nsec3(problems),
            (true, true) => {
                problems.push("there is no NSEC and no NSEC3".to_owned());
                0
            }
            (false, false) => {
                problems.push("there are both NSEC and NSEC3 records".to_owned());
                0
            }
        }
    }

    /// Each name has one NSEC, which names the next, and the last names the apex (RFC 4034 4.1).
    fn finish_nsec(self, problems: &mut Vec<String>) -> usize {
        let owners: Vec<_> = self.nsec.iter().map(|(owner, _, _)| owner).collect();
        let expected: Vec<_> = self.names.iter().map(|name| &name.owner).collect();
        if owners != expected {
            problems.push("the NSEC records are not those of the zone's names".to_owned());
            return 0;
        }
        let nexts = expected.iter().skip(1).copied().chain([self.apex]);
        for (((owner, next, types), expected), should) in self.nsec.iter().zip(&self.names).zip(nexts) {
            if next != should {
                problems.push(format!(
                    "the NSEC of {owner} names {next}, but {should} comes next"
                ));
            }
            if *types != expected.types {
                problems.push(format!(
                    "the NSEC of {owner} has another set of types than the name"
                ));
            }
        }
        self.nsec.len()
    }

    /// Each name and empty non-terminal has one NSEC3, and each NSEC3 names the next hash (RFC 5155 7.1).
    fn finish_nsec3(mut self, problems: &mut Vec<String>) -> usize {
        let opt_out = self.nsec3.values().any(Nsec3::opt_out);
        let length = self.nsec3.len();
        let mut nexts = self.nsec3.keys().skip(1).cloned().collect::<Vec<_>>();
        nexts.extend(self.nsec3.keys().next().cloned());
        for ((hash, nsec3), next) in self.nsec3.iter().zip(nexts) {
            if nsec3.next_owner().as_slice() != next {
                problems.push(format!("the NSEC3 {} does not name the next one", hex(hash)));
            }
        }
        let names = std::mem::take(&mut self.names);
        let mut expected: BTreeMap<Owner, BTreeSet<Rtype>> = BTreeMap::new();
        for name in names {
            let own_record = hash(&name.owner).is_some_and(|hash| self.nsec3.contains_key(&hash));
            if opt_out && name.insecure_delegation && !own_record {
                continue;
            }
            let above = name
                .owner
                .iter_suffixes()
                .skip(1)
                .take_while(|suffix| suffix.ends_with(self.apex));
            for suffix in above {
                expected.entry(suffix.to_name()).or_default();
            }
            expected.entry(name.owner).or_default().extend(name.types);
        }
        for (owner, types) in &expected {
            let found = hash(owner).and_then(|hash| self.nsec3.remove(&hash));
            match found {
                None => problems.push(format!("{owner} has no NSEC3")),
                Some(nsec3) if nsec3.types().iter().collect::<BTreeSet<_>>() != *types => {
                    problems.push(format!(
                        "the NSEC3 of {owner} has another set of types than the name"
                    ));
                }
                Some(_) => {}
            }
        }
        problems.extend(
            self.nsec3
                .keys()
                .map(|hash| format!("the NSEC3 {} belongs to no name", hex(hash))),
        );
        length
    }
}

/// The hash that the first label of an NSEC3's owner spells.
fn hash_in(owner: &Owner) -> Option<Vec<u8>> {
    let label = owner.first().to_string();
    domain::utils::base32::decode_hex::<Vec<u8>>(&label).ok()
}

/// The hash of a name, without salt and extra iterations, which is all that Keyrite makes.
fn hash(owner: &Owner) -> Option<Vec<u8>> {
    let hash: OwnerHash<Vec<u8>> = nsec3_default_hash(owner).ok()?;
    Some(hash.as_slice().to_vec())
}

fn hex(hash: &[u8]) -> String {
    domain::utils::base32::encode_string_hex(hash)
}
