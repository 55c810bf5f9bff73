//! Validators: what RFC 4035 section 5 makes of a DS RRset, a DNSKEY RRset and another RRset of the zone.
//!
//! Written after the RFCs and without the model that plans are proved by, so that the one can refute the other.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::authority::{Held, Key, RrsetName};
use super::clock::Moment;
use crate::schedule::{AlgorithmNumber, KeyIndex};

/// A validator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Validator {
    /// It takes any chain of algorithms that it knows (RFC 4035 2.2, RFC 6840 5.11); a zone that has a DS of none of them is insecure to it
    /// (RFC 4035 5.2).
    Lenient {
        /// The algorithms that it knows.
        knows: BTreeSet<AlgorithmNumber>,
    },
    /// It knows all algorithms, and wants each that the DS RRset or the DNSKEY RRset names.
    Strict,
}

/// What a zone is to a validator that found nothing wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// There is a chain.
    Secure,
    /// There need be none.
    Insecure,
}

/// Why a validator has no chain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Why {
    /// The DNSKEY RRset has none of the keys that the DS RRset names.
    NoDnskeyForDs,
    /// None of those that it has signed it.
    DnskeyNotSignedByDs,
    /// The DNSKEY RRset has a key of an algorithm that does not sign it.
    DnskeyNotSignedBy {
        /// The algorithm.
        algorithm: AlgorithmNumber,
    },
    /// No key of the DNSKEY RRset signed the answer.
    DataNotSigned,
    /// No key of that algorithm did.
    DataNotSignedBy {
        /// The algorithm.
        algorithm: AlgorithmNumber,
    },
    /// An RRSIG has expired.
    Expired {
        /// Whose: that of the DNSKEY RRset, or that of the answer.
        of: String,
    },
    /// The DNSKEY RRset is signed by no trust anchor of a validator that follows the keys (RFC 5011).
    NotSignedByAnchor,
    /// Such a validator trusts a key for ever that is gone from the zone.
    AnchorForEver {
        /// The key.
        key: String,
    },
}

/// The parts of a chain.
#[derive(Clone, Copy, Debug)]
pub struct Chain<'a> {
    /// The DS RRset.
    pub ds: &'a Held,
    /// The DNSKEY RRset.
    pub dnskey: &'a Held,
    /// What is looked for.
    pub data: (RrsetName, &'a Held),
}

impl Validator {
    /// Whether the zone is secure or insecure to it, or why it is neither.
    pub fn judge(&self, keys: &[Key], chain: Chain<'_>, now: Moment) -> Result<Security, Why> {
        let algorithm_of = |key: &KeyIndex| keys.get(key.0).map(|key| key.algorithm);
        let named: BTreeSet<_> = chain
            .ds
            .copy
            .records
            .keys
            .iter()
            .filter_map(algorithm_of)
            .collect();
        match self {
            Self::Lenient { knows } => {
                let known = |key: &KeyIndex| algorithm_of(key).is_some_and(|number| knows.contains(&number));
                if named.is_disjoint(knows) {
                    return Ok(Security::Insecure);
                }
                entry(chain, known)?;
                is_signed(chain, known).then_some(()).ok_or(Why::DataNotSigned)?;
            }
            Self::Strict => {
                if named.is_empty() {
                    return Ok(Security::Insecure);
                }
                for algorithm in named {
                    let known = |key: &KeyIndex| algorithm_of(key) == Some(algorithm);
                    entry(chain, known)?;
                    is_signed(chain, known)
                        .then_some(())
                        .ok_or(Why::DataNotSignedBy { algorithm })?;
                }
                every_algorithm(chain, algorithm_of)?;
            }
        }
        fresh(chain, now)?;
        Ok(Security::Secure)
    }
}

/// Whether a key can be used: it is in the DNSKEY RRset, and not revoked. A key that is has another tag and another digest (RFC 5011 7).
fn is_usable(dnskey: &Held, key: &KeyIndex) -> bool {
    let records = &dnskey.copy.records;
    records.keys.contains(key) && !records.revoked.contains(key)
}

/// The secure entry point: a key that the DS RRset names, in the DNSKEY RRset, whose RRSIG is with it.
fn entry(chain: Chain<'_>, known: impl Fn(&KeyIndex) -> bool) -> Result<(), Why> {
    let named = chain.ds.copy.records.keys.iter().filter(|key| known(key));
    let present: Vec<_> = named.filter(|key| is_usable(chain.dnskey, key)).collect();
    if present.is_empty() {
        return Err(Why::NoDnskeyForDs);
    }
    let signs = |key: &&KeyIndex| chain.dnskey.copy.records.signers.contains(key);
    match present.into_iter().any(|key| signs(&key)) {
        true => Ok(()),
        false => Err(Why::DnskeyNotSignedByDs),
    }
}

/// Whether a key of the DNSKEY RRset signed the answer.
fn is_signed(chain: Chain<'_>, known: impl Fn(&KeyIndex) -> bool) -> bool {
    let (_, answer) = chain.data;
    let mut signers = answer.copy.records.signers.iter();
    signers.any(|key| known(key) && is_usable(chain.dnskey, key))
}

/// Every algorithm of the DNSKEY RRset signs it and the answer (RFC 4035 2.2, as the signer's duty).
fn every_algorithm(
    chain: Chain<'_>,
    algorithm_of: impl Fn(&KeyIndex) -> Option<AlgorithmNumber>,
) -> Result<(), Why> {
    let dnskey = &chain.dnskey.copy.records;
    let usable = dnskey.keys.iter().filter(|key| is_usable(chain.dnskey, key));
    let algorithms: BTreeSet<_> = usable.filter_map(&algorithm_of).collect();
    for algorithm in algorithms {
        let known = |key: &KeyIndex| algorithm_of(key) == Some(algorithm);
        let mut signers = dnskey.signers.iter();
        if !signers.any(|key| known(key) && is_usable(chain.dnskey, key)) {
            return Err(Why::DnskeyNotSignedBy { algorithm });
        }
        if !is_signed(chain, known) {
            return Err(Why::DataNotSignedBy { algorithm });
        }
    }
    Ok(())
}

/// No RRSIG has expired.
fn fresh(chain: Chain<'_>, now: Moment) -> Result<(), Why> {
    let (name, data) = chain.data;
    for (name, held) in [(RrsetName::Dnskey, chain.dnskey), (name, data)] {
        if held.expires.is_some_and(|expires| expires <= now) {
            return Err(Why::Expired { of: name.to_string() });
        }
    }
    Ok(())
}

/// What a validator makes of a DNSKEY RRset and an answer whose trust anchors are these keys.
pub fn judge_by_anchors(
    anchors: &BTreeSet<KeyIndex>,
    (dnskey, data): (&Held, (RrsetName, &Held)),
    now: Moment,
) -> Result<Security, Why> {
    let ds = dnskey;
    let chain = Chain { ds, dnskey, data };
    if !is_signed_by(anchors, dnskey) {
        return Err(Why::NotSignedByAnchor);
    }
    is_signed(chain, |_| true)
        .then_some(())
        .ok_or(Why::DataNotSigned)?;
    fresh(chain, now)?;
    Ok(Security::Secure)
}

/// Whether one of these keys is in a DNSKEY RRset and signed it.
pub fn is_signed_by(anchors: &BTreeSet<KeyIndex>, dnskey: &Held) -> bool {
    let mut anchors = anchors.iter();
    anchors.any(|key| is_usable(dnskey, key) && dnskey.copy.records.signers.contains(key))
}

impl fmt::Display for RrsetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ds => f.write_str("the DS RRset"),
            Self::Dnskey => f.write_str("the DNSKEY RRset"),
            Self::Data(number) => write!(f, "RRset {} of the zone", number + 1),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDnskeyForDs => f.write_str("no DNSKEY is one that a DS names"),
            Self::DnskeyNotSignedByDs => {
                f.write_str("the DNSKEY RRset is not signed by a key that a DS names")
            }
            Self::DnskeyNotSignedBy { algorithm } => {
                write!(f, "the DNSKEY RRset has keys of {algorithm}, and no RRSIG of it")
            }
            Self::DataNotSigned => f.write_str("the answer is signed by no key of the DNSKEY RRset"),
            Self::DataNotSignedBy { algorithm } => {
                write!(
                    f,
                    "the answer is signed by no key of {algorithm} in the DNSKEY RRset"
                )
            }
            Self::Expired { of } => write!(f, "the RRSIG of {of} has expired"),
            Self::NotSignedByAnchor => {
                f.write_str("the DNSKEY RRset is signed by no trust anchor (RFC 5011)")
            }
            Self::AnchorForEver { key } => {
                write!(
                    f,
                    "{key} is gone, and was not seen revoked: it is a trust anchor for ever (RFC 5011)"
                )
            }
        }
    }
}
