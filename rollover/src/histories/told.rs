//! A key as its signer tells of it.

use interchange::{Event, ForeignKey, RecordStates, Times, knot};
use key_metadata::{Role, Time};

use crate::schedule::AlgorithmNumber;

/// What a signer tells of a key, as far as rollovers go: no public key is needed for that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldKey {
    /// What it is for.
    pub role: Role,
    /// Its tag, without the REVOKE bit.
    pub tag: u16,
    /// Its algorithm.
    pub algorithm: AlgorithmNumber,
    /// What happened to it, and what is to happen.
    pub times: Times,
    /// How far caches know its records.
    pub records: RecordStates,
    /// The tag of the key that follows it.
    pub successor: Option<u16>,
}

impl ToldKey {
    pub(super) fn time(&self, event: Event) -> Option<Time> {
        self.times.get(event)
    }
}

impl From<&ForeignKey> for ToldKey {
    fn from(key: &ForeignKey) -> Self {
        Self {
            role: key.role,
            tag: key.public_key.key_tag(key.role),
            algorithm: AlgorithmNumber(key.public_key.algorithm().number()),
            times: key.times.clone(),
            records: key.records,
            successor: key.successor,
        }
    }
}

impl From<&knot::ListedKey> for ToldKey {
    fn from(key: &knot::ListedKey) -> Self {
        Self {
            role: key.role,
            tag: key.tag,
            algorithm: AlgorithmNumber(key.algorithm.number()),
            times: key.times.clone(),
            records: RecordStates::default(),
            successor: None,
        }
    }
}
