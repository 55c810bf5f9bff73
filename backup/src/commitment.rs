//! What a custodian can reveal to show that the share is still there, without showing the share.

use key_metadata::Digest;
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};

use crate::bundle_id::BundleId;

/// How many drills a bundle is made for. No standard has a figure: four a year for six years.
pub const DRILLS: u8 = 24;
/// What the HMAC is for; its zero byte keeps it from being the start of something else.
const PURPOSE: &[u8] = b"drill/v1\0";

/// What is revealed in one drill: it is worth nothing in any other, and says nothing of the share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reveal(pub [u8; 32]);

/// SHA-256 of what is to be revealed, as the manifest has it.
pub type Commitment = Digest;

impl Reveal {
    /// `r_ij = HMAC-SHA256(share_i, "drill/v1" 00 || bundle id || i || j)`: the key is the share's words as ASCII, the id its 16 hex digits, i and j one
    /// byte each. `number` is i, `drill` is j, both from 1.
    pub fn of(words: &SecretString, bundle: BundleId, number: u8, drill: u8) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, words.expose_secret().as_bytes());
        let message = [PURPOSE, bundle.to_string().as_bytes(), &[number, drill]].concat();
        let tag = hmac::sign(&key, &message);
        let mut value = [0; 32];
        value.copy_from_slice(tag.as_ref());
        Self(value)
    }

    /// What the manifest has of it.
    pub fn commitment(&self) -> Commitment {
        Digest::of(&self.0)
    }
}

/// The commitments of a share to all drills.
pub fn commitments(words: &SecretString, bundle: BundleId, number: u8) -> Vec<Commitment> {
    (1..=DRILLS)
        .map(|drill| Reveal::of(words, bundle, number, drill).commitment())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_share_drill_and_bundle_has_its_own() {
        let bundle: BundleId = "0011223344556677".parse().unwrap();
        let other: BundleId = "0011223344556678".parse().unwrap();
        let (one, two) = (
            SecretString::from("academic acid"),
            SecretString::from("academic acne"),
        );
        let mut all: BTreeSet<Commitment> = commitments(&one, bundle, 1).into_iter().collect();
        all.extend(commitments(&one, bundle, 2));
        all.extend(commitments(&two, bundle, 1));
        all.extend(commitments(&one, other, 1));
        assert_eq!(all.len(), 4 * usize::from(DRILLS));
    }

    /// By `printf 'drill/v1\0000011223344556677\001\001' | openssl dgst -sha256 -hmac 'academic acid'`.
    #[test]
    fn it_is_what_openssl_computes() {
        let bundle: BundleId = "0011223344556677".parse().unwrap();
        let reveal = Reveal::of(&SecretString::from("academic acid"), bundle, 1, 1);
        assert_eq!(
            hex::encode(reveal.0),
            "e1b47bd02bb62d06e9de5d95c3eb47454e5c040eb8cd603c967fbf53ac631f59"
        );
    }
}
