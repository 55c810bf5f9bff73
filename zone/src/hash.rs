//! Hashes of names (RFC 5155 section 5).

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};

use crate::WireName;

/// The hash of a name: SHA-1, the only algorithm there is.
pub type Hash = [u8; 20];

/// How names are hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// How often more than once.
    pub iterations: u16,
    /// What is added each time.
    pub salt: Vec<u8>,
}

impl Parameters {
    /// Reads NSEC3PARAM RDATA; nothing, where it is not SHA-1 without flags.
    pub fn of_rdata(rdata: &[u8]) -> Option<Self> {
        match rdata {
            [1, 0, high, low, length, salt @ ..] if salt.len() == usize::from(*length) => Some(Self {
                iterations: u16::from_be_bytes([*high, *low]),
                salt: salt.to_vec(),
            }),
            _ => None,
        }
    }
}

/// The hash of a name, in lower case.
pub fn hash(name: WireName<'_>, parameters: &Parameters) -> Hash {
    let mut hash: Hash = once(&name.canonical(), &parameters.salt);
    for _ in 0..parameters.iterations {
        hash = once(&hash, &parameters.salt);
    }
    hash
}

fn once(data: &[u8], salt: &[u8]) -> Hash {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    context.update(data);
    context.update(salt);
    let mut hash = [0; 20];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// The hash that the owner of an NSEC3 record is: one label below the apex, in base32hex (RFC 4648) without regard to case.
pub fn of_owner(owner: WireName<'_>, apex: WireName<'_>) -> Option<Hash> {
    let label = owner.labels().next().filter(|label| label.len() == 32)?;
    if owner.parent()? != apex {
        return None;
    }
    let mut hash = [0; 20];
    for (eight, five) in label.chunks_exact(8).zip(hash.chunks_exact_mut(5)) {
        let mut bits = 0u64;
        for letter in eight {
            let value = match letter.to_ascii_lowercase() {
                digit @ b'0'..=b'9' => digit - b'0',
                letter @ b'a'..=b'v' => letter - b'a' + 10,
                _ => return None,
            };
            bits = bits << 5 | u64::from(value);
        }
        five.copy_from_slice(&bits.to_be_bytes()[3..]);
    }
    Some(hash)
}

/// The digits of base32hex (RFC 4648 section 7).
const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// The owner of the NSEC3 record of a hash, below an apex that is a name on the wire.
pub fn owner_of(hash: &Hash, apex: &[u8]) -> Vec<u8> {
    let mut owner = Vec::with_capacity(33 + apex.len());
    owner.push(32);
    owner.extend(digits_of(hash));
    owner.extend_from_slice(apex);
    owner
}

/// A hash in base32hex.
pub fn digits_of(hash: &Hash) -> impl Iterator<Item = u8> {
    hash.chunks_exact(5).flat_map(|five| {
        let bits = five
            .iter()
            .fold(0u64, |bits, octet| bits << 8 | u64::from(*octet));
        (0..8)
            .rev()
            .map(move |place| DIGITS[(bits >> (5 * place) & 31) as usize])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_standard() {
        // RFC 5155 Appendix A.
        let parameters = Parameters {
            iterations: 12,
            salt: vec![0xaa, 0xbb, 0xcc, 0xdd],
        };
        let apex = WireName::new(b"\x07example\x00").unwrap();
        for (name, owner) in [
            (&b"\x07example\x00"[..], "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
            (b"\x01A\x07Example\x00", "35mthgpgcu1qg68fab165klnsnk3dpvl"),
            (b"\x01*\x01w\x07example\x00", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"),
        ] {
            let owner = [&[32], owner.to_uppercase().as_bytes(), apex.octets()].concat();
            let expected = of_owner(WireName::new(&owner).unwrap(), apex).unwrap();
            assert_eq!(hash(WireName::new(name).unwrap(), &parameters), expected);
            assert_eq!(owner_of(&expected, apex.octets()), owner.to_ascii_lowercase());
        }
        assert!(of_owner(apex, apex).is_none());
    }
}
