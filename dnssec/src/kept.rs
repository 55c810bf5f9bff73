//! Signatures of the last run, and what each of them is over: what did not change and lasts long enough is not signed again.
//!
//! Format in docs/formats/kept-signatures.md.

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::base::Ttl;
use domain::base::iana::{Rtype, SecurityAlgorithm};
use domain::base::name::ToName;
use domain::rdata::Rrsig;
use domain::rdata::dnssec::Timestamp;
use ring::digest::{SHA256, digest};

use crate::signed_data::signed_data;
use crate::zone::{Owner, ZoneRrset};

/// How a file of them begins: its name, and the version of its format.
const HEAD: &[u8; 16] = b"keyrite kept   1";
/// What a signature is over, and by which key.
pub(crate) type Covered = [u8; 32];

/// A signature that can be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// In seconds modulo 2^32 (RFC 4034 3.1.5).
    pub inception: u32,
    pub expiration: u32,
    pub signature: Vec<u8>,
}

/// Signatures by what they are over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptSignatures(BTreeMap<Covered, Kept>);

/// A file that holds no kept signatures, or not those that were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is cut short, or was changed")]
pub struct KeptError;

impl KeptSignatures {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads what [`Self::to_bytes`] wrote.
    pub fn of_bytes(bytes: &[u8]) -> Result<Self, KeptError> {
        let (rest, sum) = bytes.split_last_chunk::<32>().ok_or(KeptError)?;
        if digest(&SHA256, rest).as_ref() != sum {
            return Err(KeptError);
        }
        let mut rest = rest.strip_prefix(HEAD).ok_or(KeptError)?;
        let mut kept = BTreeMap::new();
        while let Some((covered, behind)) = rest.split_first_chunk::<32>() {
            let (numbers, behind) = behind.split_first_chunk::<10>().ok_or(KeptError)?;
            let [a, b, c, d, e, f, g, h, high, low] = *numbers;
            let length = usize::from(u16::from_be_bytes([high, low]));
            let (signature, behind) = behind.split_at_checked(length).ok_or(KeptError)?;
            kept.insert(
                *covered,
                Kept {
                    inception: u32::from_be_bytes([a, b, c, d]),
                    expiration: u32::from_be_bytes([e, f, g, h]),
                    signature: signature.to_vec(),
                },
            );
            rest = behind;
        }
        match rest.is_empty() {
            true => Ok(Self(kept)),
            false => Err(KeptError),
        }
    }

    /// All of them, in the order of what they are over, and a digest over that.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = HEAD.to_vec();
        for (covered, kept) in &self.0 {
            bytes.extend_from_slice(covered);
            bytes.extend_from_slice(&kept.inception.to_be_bytes());
            bytes.extend_from_slice(&kept.expiration.to_be_bytes());
            // No signature of DNSSEC has so many octets.
            let length = u16::try_from(kept.signature.len()).map_or(u16::MAX, |length| length);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(&kept.signature[..usize::from(length)]);
        }
        let sum = digest(&SHA256, &bytes);
        bytes.extend_from_slice(sum.as_ref());
        bytes
    }

    pub(crate) fn get(&self, covered: &Covered) -> Option<&Kept> {
        self.0.get(covered)
    }

    pub(crate) fn insert(&mut self, covered: Covered, kept: Kept) {
        self.0.insert(covered, kept);
    }
}

/// Which key is to sign what.
pub(crate) struct Signing<'a> {
    pub apex: &'a Owner,
    pub algorithm: SecurityAlgorithm,
    pub key_tag: u16,
    pub public_key: &'a [u8],
}

impl Signing<'_> {
    /// What a signature of an RRset is over, but for its times, and by which key: a digest.
    pub fn covered(&self, rrset: &ZoneRrset<'_>) -> Option<Covered> {
        let timeless = self.rrsig(rrset, 0, 0, Vec::new())?;
        let data = signed_data(&timeless, rrset.iter());
        let sum = digest(&SHA256, &[self.public_key, &data].concat());
        sum.as_ref().try_into().ok()
    }

    /// The RRSIG of an RRset with a signature that was made before.
    pub fn rrsig(
        &self,
        rrset: &ZoneRrset<'_>,
        inception: u32,
        expiration: u32,
        signature: Vec<u8>,
    ) -> Option<Rrsig<Bytes, Owner>> {
        let (rtype, ttl): (Rtype, Ttl) = (rrset.rtype(), rrset.ttl());
        Rrsig::new(
            rtype,
            self.algorithm,
            rrset.owner().rrsig_label_count(),
            ttl,
            Timestamp::from(expiration),
            Timestamp::from(inception),
            self.key_tag,
            self.apex.clone(),
            Bytes::from(signature),
        )
        .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_was_changed_is_not() {
        let mut kept = KeptSignatures::default();
        for number in 0..20u8 {
            let signature = vec![number; usize::from(number) * 10];
            kept.insert(
                [number; 32],
                Kept {
                    inception: 1,
                    expiration: u32::MAX,
                    signature,
                },
            );
        }
        let bytes = kept.to_bytes();
        assert_eq!(KeptSignatures::of_bytes(&bytes), Ok(kept));
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert_eq!(KeptSignatures::of_bytes(&changed), Err(KeptError), "{place}");
            assert_eq!(
                KeptSignatures::of_bytes(&bytes[..place]),
                Err(KeptError),
                "{place}"
            );
        }
        let none = KeptSignatures::default();
        assert_eq!(KeptSignatures::of_bytes(&none.to_bytes()), Ok(none));
    }
}
