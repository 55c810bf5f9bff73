//! Checking a signed zone: the text itself is read again, as a stranger would.

use std::fmt;

use bytes::Bytes;
use domain::base::Name;
use domain::base::cmp::CanonicalOrd;
use domain::base::iana::{Rtype, SecurityAlgorithm};
use domain::base::name::ToName;
use domain::crypto::common::PublicKey as Verifier;
use domain::dnssec::sign::records::RecordsIter;
use domain::rdata::dnssec::Timestamp;
use domain::rdata::{Dnskey, Rrsig, ZoneRecordData};
use key_metadata::{Advice, KeyRecord, Time, ZoneName};

use crate::denial_check::Denials;
use crate::signed_data::signed_data;
use crate::signing_key::{dnskey, flags};
use crate::zone::{NameRecords, Owner, ZoneRecord, ZoneRrset};
use crate::zone_reader::ZoneReader;

/// What was checked of a good zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// How many RRsets have a good signature of every algorithm.
    pub rrsets: usize,
    /// How many signatures were verified.
    pub signatures: usize,
    /// How many NSEC or NSEC3 records close the chain.
    pub denials: usize,
}

/// A zone that must not be published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// Not the text of a zone file.
    #[error("the signed zone cannot be read: {0}")]
    Syntax(String),
    /// Problems, the first few told.
    #[error("the signed zone has {} problem(s): {}", .0.len(), Shown(.0))]
    Problems(Vec<String>),
}

impl Advice for CheckError {
    fn hint(&self) -> Option<String> {
        Some("the last signed zone was kept; nothing of this one was published".to_owned())
    }

    fn is_credential(&self) -> bool {
        false
    }
}

struct Shown<'a>(&'a [String]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            &self
                .0
                .iter()
                .take(5)
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join("; "),
        )
    }
}

/// Checks the text of a signed zone as of `now`: every authoritative RRset has a good signature for every algorithm of the DNSKEY RRset,
/// no signature is bad or too many, and the denial chain covers exactly the names that are there.
///
/// Each of the `unpublished` keys has signed every RRset but the DNSKEY RRset, in which it is not (RFC 6781 4.1.4). A stranger does not know of
/// them, and so does without their signatures.
pub fn check(
    text: &str,
    zone: &ZoneName,
    unpublished: &[&KeyRecord],
    now: Time,
) -> Result<Checked, CheckError> {
    let (apex, records) = read(text, zone)?;
    one_ttl(&records)?;
    let mut check = Check::new(&apex, &records, Timestamp::from(now.unix_seconds() as u32))?;
    check.know(unpublished)?;
    let mut denials = Denials::new(&apex);
    let mut cut: Option<Owner> = None;
    for name in RecordsIter::new_from_owned(&records) {
        if !name.is_in_zone(&apex) {
            check
                .problems
                .push(format!("{} is not in the zone", name.owner()));
            continue;
        }
        if cut.as_ref().is_some_and(|cut| name.owner().ends_with(cut)) {
            check.nothing_signed(&name);
            continue;
        }
        cut = name.is_zone_cut(&apex).then(|| name.owner().clone());
        check.name(&name);
        denials.name(&name);
    }
    let chain = denials.finish(&mut check.problems);
    if !check.problems.is_empty() {
        return Err(CheckError::Problems(check.problems));
    }
    Ok(Checked {
        rrsets: check.rrsets,
        signatures: check.signatures,
        denials: chain,
    })
}

fn read(text: &str, zone: &ZoneName) -> Result<(Owner, Vec<ZoneRecord>), CheckError> {
    let syntax = |error: &dyn fmt::Display| CheckError::Syntax(error.to_string());
    let apex: Owner = zone
        .with_final_dot()
        .parse::<Name<Bytes>>()
        .map_err(|error| syntax(&error))?;
    let mut reader = ZoneReader::new(text.as_bytes(), &apex).map_err(|error| syntax(&error))?;
    let mut records = Vec::new();
    while let Some((record, _)) = reader.next_record().map_err(|error| syntax(&error))? {
        records.push(record);
    }
    records.sort_by(CanonicalOrd::canonical_cmp);
    Ok((apex, records))
}

/// Every RRset has one TTL (RFC 2181 5.2); RRSIG records have those of what they cover.
fn one_ttl(records: &[ZoneRecord]) -> Result<(), CheckError> {
    let sets = records.chunk_by(|a, b| a.owner() == b.owner() && a.rtype() == b.rtype());
    let mixed = sets.filter_map(|set| {
        let first = set.first()?;
        let differs = first.rtype() != Rtype::RRSIG && set.iter().any(|record| record.ttl() != first.ttl());
        differs.then(|| format!("{} {} has several TTLs", first.owner(), first.rtype()))
    });
    match mixed.collect::<Vec<_>>() {
        problems if problems.is_empty() => Ok(()),
        problems => Err(CheckError::Problems(problems)),
    }
}

/// What a key is in the DNSKEY RRset.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// There, with the SEP bit.
    EntryPoint,
    /// There, without it.
    ZoneKey,
    /// Not there.
    Unpublished,
}

struct Key {
    dnskey: Dnskey<Bytes>,
    verifier: Verifier,
    place: Place,
}

/// The state of a check, and what it found.
struct Check<'a> {
    apex: &'a Owner,
    now: Timestamp,
    keys: Vec<Key>,
    /// Those of the DNSKEY RRset.
    algorithms: Vec<SecurityAlgorithm>,
    problems: Vec<String>,
    rrsets: usize,
    signatures: usize,
}

impl<'a> Check<'a> {
    fn new(apex: &'a Owner, records: &[ZoneRecord], now: Timestamp) -> Result<Self, CheckError> {
        let mut keys = Vec::new();
        for record in records.iter().filter(|record| record.owner() == apex) {
            if let ZoneRecordData::Dnskey(dnskey) = record.data() {
                let verifier = Verifier::from_dnskey(dnskey).map_err(|_| {
                    CheckError::Problems(vec![format!("DNSKEY {} cannot be used", dnskey.key_tag())])
                })?;
                keys.push(Key {
                    dnskey: dnskey.clone(),
                    verifier,
                    place: if dnskey.is_secure_entry_point() {
                        Place::EntryPoint
                    } else {
                        Place::ZoneKey
                    },
                });
            }
        }
        let mut algorithms: Vec<_> = keys.iter().map(|key| key.dnskey.algorithm()).collect();
        algorithms.sort_by_key(|algorithm| algorithm.to_int());
        algorithms.dedup();
        let mut problems = Vec::new();
        if keys.is_empty() {
            problems.push("there is no DNSKEY at the apex".to_owned());
        }
        if records
            .iter()
            .filter(|record| record.rtype() == Rtype::SOA)
            .count()
            != 1
        {
            problems.push("there is not exactly one SOA".to_owned());
        }
        Ok(Self {
            apex,
            now,
            keys,
            algorithms,
            problems,
            rrsets: 0,
            signatures: 0,
        })
    }

    /// Takes in the keys of which only the signatures are there.
    fn know(&mut self, unpublished: &[&KeyRecord]) -> Result<(), CheckError> {
        for record in unpublished {
            let unfit = || CheckError::Problems(vec![format!("{} cannot be used", record.name())]);
            let made = dnskey(&record.public_key, flags(record)).ok_or_else(unfit)?;
            let dnskey: Dnskey<Bytes> = made.convert();
            let is_it = |key: &Key| key.dnskey.public_key() == dnskey.public_key();
            if self.keys.iter().any(is_it) {
                self.problems
                    .push(format!("the DNSKEY of {} is there", record.name()));
            }
            self.keys.push(Key {
                verifier: Verifier::from_dnskey(&dnskey).map_err(|_| unfit())?,
                dnskey,
                place: Place::Unpublished,
            });
        }
        Ok(())
    }

    fn name(&mut self, name: &NameRecords<'_>) {
        let at_cut = name.is_zone_cut(self.apex);
        let rrsigs: Vec<_> = name
            .records()
            .filter_map(|record| match record.data() {
                ZoneRecordData::Rrsig(rrsig) => Some((record.ttl(), rrsig)),
                _ => None,
            })
            .collect();
        let mut covered = 0;
        for rrset in name.rrsets().filter(|rrset| rrset.rtype() != Rtype::RRSIG) {
            let here: Vec<_> = rrsigs
                .iter()
                .filter(|(_, rrsig)| rrsig.type_covered() == rrset.rtype())
                .collect();
            covered += here.len();
            let signed = !at_cut || matches!(rrset.rtype(), Rtype::DS | Rtype::NSEC);
            if !signed {
                if !here.is_empty() {
                    self.problem(&rrset, "is signed, but not authoritative");
                }
                continue;
            }
            if here.iter().any(|(ttl, _)| *ttl != rrset.ttl()) {
                self.problem(&rrset, "and its RRSIG have different TTLs");
            }
            let rrsigs: Vec<_> = here.into_iter().map(|(_, rrsig)| *rrsig).collect();
            self.rrset(&rrset, &rrsigs);
        }
        if covered != rrsigs.len() {
            self.problems.push(format!(
                "{} has an RRSIG over records that are not there",
                name.owner()
            ));
        }
    }

    /// Each signature is good, each algorithm of the DNSKEY RRset has one (RFC 4035 2.2), and so has each key that is not there.
    fn rrset(&mut self, rrset: &ZoneRrset<'_>, rrsigs: &[&Rrsig<Bytes, Owner>]) {
        let dnskey = rrset.rtype() == Rtype::DNSKEY && rrset.owner() == self.apex;
        let mut good = Vec::new();
        for rrsig in rrsigs {
            match self.verify(rrset, rrsig) {
                Ok(Place::Unpublished) if dnskey => self.problem(
                    rrset,
                    &format!("has a signature by key {}, which is not in it", rrsig.key_tag()),
                ),
                Ok(place) => good.push((rrsig.algorithm(), rrsig.key_tag(), place)),
                Err(reason) => self.problem(
                    rrset,
                    &format!("has a bad signature by key {}: {reason}", rrsig.key_tag()),
                ),
            }
        }
        let does = |place| match place {
            Place::EntryPoint => true,
            Place::ZoneKey => !dnskey,
            Place::Unpublished => false,
        };
        for algorithm in self.algorithms.clone() {
            if !good.iter().any(|(by, _, place)| *by == algorithm && does(*place)) {
                self.problem(rrset, &format!("has no good signature of algorithm {algorithm}"));
            }
        }
        let unpublished = self
            .keys
            .iter()
            .filter(|key| key.place == Place::Unpublished && !dnskey);
        let wanted = unpublished.map(|key| (key.dnskey.algorithm(), key.dnskey.key_tag(), key.place));
        for missing in wanted.filter(|key| !good.contains(key)).collect::<Vec<_>>() {
            self.problem(
                rrset,
                &format!(
                    "has no good signature by key {}, which is not published",
                    missing.1
                ),
            );
        }
        self.signatures += good.len();
        self.rrsets += 1;
    }

    /// Whether the signature is good, and then what its key is.
    fn verify(&self, rrset: &ZoneRrset<'_>, rrsig: &Rrsig<Bytes, Owner>) -> Result<Place, &'static str> {
        if rrsig.signer_name() != self.apex {
            return Err("its signer is not the zone");
        }
        if rrsig.inception() > self.now || rrsig.expiration() < self.now {
            return Err("now is outside its time");
        }
        if rrsig.original_ttl() != rrset.ttl() || rrsig.labels() != rrset.owner().rrsig_label_count() {
            return Err("its TTL or label count is another");
        }
        let data = signed_data(rrsig, rrset.iter());
        let of_tag = |key: &&Key| {
            key.dnskey.key_tag() == rrsig.key_tag() && key.dnskey.algorithm() == rrsig.algorithm()
        };
        let mut keys = self.keys.iter().filter(of_tag).peekable();
        if keys.peek().is_none() {
            return Err("its key is not in the DNSKEY RRset");
        }
        match keys.find(|key| key.verifier.verify(&data, rrsig.signature()).is_ok()) {
            Some(key) => Ok(key.place),
            None => Err("it does not verify"),
        }
    }

    fn nothing_signed(&mut self, name: &NameRecords<'_>) {
        let made_by_signing = |rtype| matches!(rtype, Rtype::RRSIG | Rtype::NSEC | Rtype::NSEC3);
        if name.records().any(|record| made_by_signing(record.rtype())) {
            self.problems
                .push(format!("{} is below a zone cut, and signed", name.owner()));
        }
    }

    fn problem(&mut self, rrset: &ZoneRrset<'_>, what: &str) {
        self.problems
            .push(format!("{} {} {what}", rrset.owner(), rrset.rtype()));
    }
}
