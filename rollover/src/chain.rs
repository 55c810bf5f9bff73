//! Whether a validator that holds a DS RRset, a DNSKEY RRset and a signed RRset of the zone finds a chain (RFC 4035 section 5).

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::rrsets::Version;
use crate::schedule::{AlgorithmNumber, KeyIndex, Schedule};

/// What validators ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Validators {
    /// A chain of any algorithm that the DS RRset names (RFC 6840 5.11); since a validator may know only one of them, a chain of each.
    Standard,
    /// Also a signature of each algorithm that the DNSKEY RRset names: those that hold the signer's duty (RFC 4035 2.2) against it.
    Strict,
}

/// Why there is no chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case", tag = "fault")]
pub enum Break {
    /// The DS RRset names a key of that algorithm, and none that it names is in the DNSKEY RRset.
    NoKeyForDs {
        /// The algorithm.
        algorithm: AlgorithmNumber,
    },
    /// Keys of that algorithm are in both, and none of them signed the DNSKEY RRset.
    DnskeyNotSigned {
        /// The algorithm.
        algorithm: AlgorithmNumber,
    },
    /// The zone's RRsets have no signature of that algorithm by any key that is in the DNSKEY RRset.
    ZoneNotSigned {
        /// The algorithm.
        algorithm: AlgorithmNumber,
    },
    /// The zone's RRsets have no signature at all.
    ZoneUnsigned,
}

/// The keys of that algorithm among `keys`.
fn of<'a>(
    schedule: &'a Schedule,
    keys: &'a BTreeSet<KeyIndex>,
    algorithm: AlgorithmNumber,
) -> impl Iterator<Item = &'a KeyIndex> {
    keys.iter().filter(move |key| {
        schedule
            .keys
            .get(key.0)
            .is_some_and(|key| key.algorithm == algorithm)
    })
}

/// The algorithms of `keys`.
pub fn algorithms(schedule: &Schedule, keys: &BTreeSet<KeyIndex>) -> BTreeSet<AlgorithmNumber> {
    keys.iter()
        .filter_map(|key| schedule.keys.get(key.0))
        .map(|key| key.algorithm)
        .collect()
}

/// What breaks the chain of a validator that holds these three; nothing, where it is whole, or where no DS makes the zone secure.
pub fn broken(
    schedule: &Schedule,
    validators: Validators,
    (ds, dnskey, zone): (&Version, &Version, &Version),
) -> Option<Break> {
    // A revoked key is no trust anchor and signs nothing but its own revocation (RFC 5011 2.1); its DNSKEY has another tag and digest.
    let is_good = |key: &&KeyIndex| dnskey.keys.contains(key) && !dnskey.revoked.contains(key);
    for algorithm in algorithms(schedule, &ds.keys) {
        let mut matching = of(schedule, &ds.keys, algorithm).filter(is_good).peekable();
        if matching.peek().is_none() {
            return Some(Break::NoKeyForDs { algorithm });
        }
        if !matching.any(|key| dnskey.signers.contains(key)) {
            return Some(Break::DnskeyNotSigned { algorithm });
        }
        if zone.signers.is_empty() {
            return Some(Break::ZoneUnsigned);
        }
        if !of(schedule, &zone.signers, algorithm).any(|key| is_good(&key)) {
            return Some(Break::ZoneNotSigned { algorithm });
        }
    }
    match validators {
        Validators::Strict if !ds.keys.is_empty() => {
            let usable: BTreeSet<_> = dnskey.keys.difference(&dnskey.revoked).copied().collect();
            incomplete(schedule, &usable, dnskey, zone)
        }
        Validators::Strict | Validators::Standard => None,
    }
}

/// An algorithm of the DNSKEY RRset by which it, or the zone, is not signed (RFC 4035 2.2).
pub fn incomplete(
    schedule: &Schedule,
    usable: &BTreeSet<KeyIndex>,
    dnskey: &Version,
    zone: &Version,
) -> Option<Break> {
    algorithms(schedule, usable).into_iter().find_map(|algorithm| {
        let signs = |signers| of(schedule, signers, algorithm).any(|key| usable.contains(key));
        if !signs(&dnskey.signers) {
            return Some(Break::DnskeyNotSigned { algorithm });
        }
        (!signs(&zone.signers)).then_some(Break::ZoneNotSigned { algorithm })
    })
}

impl fmt::Display for Validators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Standard => "validators",
            Self::Strict => "strict validators",
        })
    }
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKeyForDs { algorithm } => write!(f, "no DNSKEY matches a DS of {algorithm}"),
            Self::DnskeyNotSigned { algorithm } => {
                write!(
                    f,
                    "the DNSKEY RRset is not signed by the key of {algorithm} that it must be signed by"
                )
            }
            Self::ZoneNotSigned { algorithm } => {
                write!(f, "the zone is not signed by a published key of {algorithm}")
            }
            Self::ZoneUnsigned => f.write_str("the zone is not signed"),
        }
    }
}
