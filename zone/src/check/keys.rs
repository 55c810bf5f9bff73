//! The keys that signatures are checked by.

use domain::base::iana::Rtype;
use domain::crypto::common::PublicKey;
use domain::rdata::Dnskey;

use super::{Problem, Question};
use crate::records::Records;
use crate::walk::Node;

/// The Zone Key flag (RFC 4034 2.1.1).
const ZONE_KEY: u16 = 0x0100;
/// The Secure Entry Point flag.
const SEP: u16 = 0x0001;
/// The REVOKE flag (RFC 5011).
const REVOKE: u16 = 0x0080;

/// What a key is in the DNSKEY RRset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// There, with the SEP bit.
    EntryPoint,
    /// There, without it.
    ZoneKey,
    /// There, and revoked: it signs the DNSKEY RRset, to say so.
    Revoked,
    /// Not there.
    Unpublished,
}

/// A key.
pub(super) struct Key {
    /// Its RDATA.
    pub rdata: Vec<u8>,
    pub tag: u16,
    pub algorithm: u8,
    pub place: Place,
    /// Nothing, where signatures of its algorithm cannot be checked here.
    verifier: Option<PublicKey>,
}

/// The keys of a zone.
pub(super) struct Keys {
    pub all: Vec<Key>,
    /// The algorithms by which each RRset must be signed (RFC 4035 2.2): those of the DNSKEY RRset's keys, revoked ones apart.
    pub algorithms: Vec<u8>,
    /// Those of them of which a key has the SEP bit.
    pub with_entry_point: Vec<u8>,
}

impl Keys {
    pub(super) fn of(
        records: &Records,
        apex: &Node,
        question: &Question,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut all = Vec::new();
        let published = records.sets(apex).find(|set| set.rtype() == Rtype::DNSKEY);
        let Some(published) = published else {
            problems.push(Problem::of_zone(
                records,
                "has no DNSKEY records: it is not signed",
            ));
            return Self {
                all,
                algorithms: Vec::new(),
                with_entry_point: Vec::new(),
            };
        };
        for record in published.records() {
            match Key::new(record.rdata(), None) {
                Some(key) => {
                    if key.verifier.is_none() {
                        let what = format!(
                            "{} is of algorithm {}, and unfit to check signatures by",
                            key.tag, key.algorithm
                        );
                        problems.push(Problem::of_set(published, what));
                    }
                    all.push(key);
                }
                None => problems.push(Problem::of_set(
                    published,
                    "has a record that is no key of a zone",
                )),
            }
        }
        for rdata in &question.unpublished {
            match Key::new(rdata, Some(Place::Unpublished)) {
                Some(key) => {
                    if published
                        .records()
                        .any(|record| record.rdata().get(4..) == rdata.get(4..))
                    {
                        problems.push(Problem::of_set(
                            published,
                            format!("has key {}, which is not to be there", key.tag),
                        ));
                    }
                    all.push(key);
                }
                None => problems.push(Problem::of_zone(records, "was to have a key that is none")),
            }
        }
        let of = |wanted: &[Place]| {
            let these = all.iter().filter(|key| wanted.contains(&key.place));
            let mut algorithms: Vec<_> = these.map(|key| key.algorithm).collect();
            algorithms.sort_unstable();
            algorithms.dedup();
            algorithms
        };
        Self {
            algorithms: of(&[Place::EntryPoint, Place::ZoneKey]),
            with_entry_point: of(&[Place::EntryPoint]),
            all,
        }
    }

    /// The keys of a tag and an algorithm; two can be alike.
    pub(super) fn of_tag(&self, tag: u16, algorithm: u8) -> impl Iterator<Item = &Key> {
        self.all
            .iter()
            .filter(move |key| key.tag == tag && key.algorithm == algorithm)
    }
}

impl Key {
    fn new(rdata: &[u8], place: Option<Place>) -> Option<Self> {
        let [high, low, 3, algorithm, ..] = rdata else {
            return None;
        };
        let flags = u16::from_be_bytes([*high, *low]);
        if flags & ZONE_KEY == 0 {
            return None;
        }
        let dnskey = Dnskey::new(flags, 3, (*algorithm).into(), rdata[4..].to_vec()).ok()?;
        let place = place.map_or_else(
            || match (flags & REVOKE != 0, flags & SEP != 0) {
                (true, _) => Place::Revoked,
                (false, true) => Place::EntryPoint,
                (false, false) => Place::ZoneKey,
            },
            |place| place,
        );
        Some(Self {
            rdata: rdata.to_vec(),
            tag: dnskey.key_tag(),
            algorithm: *algorithm,
            place,
            verifier: PublicKey::from_dnskey(&dnskey).ok(),
        })
    }

    /// The last field of its RDATA.
    pub(super) fn public_key(&self) -> &[u8] {
        &self.rdata[4..]
    }

    /// Whether a signature over data is by this key.
    pub(super) fn has_signed(&self, data: &[u8], signature: &[u8]) -> bool {
        self.verifier
            .as_ref()
            .is_some_and(|verifier| verifier.verify(data, signature).is_ok())
    }
}
