//! Families of keys, as PKCS#11 tells them apart.

use std::fmt;

use cryptoki::object::KeyType;
use key_metadata::{Algorithm, PublicKey};

/// What a key in a token is, by CKA_KEY_TYPE and CKA_EC_PARAMS; a hash belongs to the DNSSEC algorithm, not to the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// RSA, for algorithms 8 and 10.
    Rsa {
        /// The size of its modulus in bits; 0 where only the token knows.
        bits: u16,
    },
    /// ECDSA on P-256, for algorithm 13.
    P256,
    /// ECDSA on P-384, for algorithm 14.
    P384,
    /// Ed25519, for algorithm 15.
    Ed25519,
    /// Nothing that DNSSEC signs with.
    Other,
}

/// DER of the curves' object identifiers, CKA_EC_PARAMS.
pub(crate) const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
pub(crate) const P384: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
pub(crate) const ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
/// PKCS#11 3.0's other way to name Ed25519: a PrintableString.
const ED25519_BY_NAME: &[u8] = b"\x13\x0cedwards25519";

impl Family {
    /// Whether a key of this family signs for that algorithm.
    pub const fn signs_for(self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::RsaSha256 | Algorithm::RsaSha512 => matches!(self, Self::Rsa { .. }),
            Algorithm::EcdsaP256Sha256 => matches!(self, Self::P256),
            Algorithm::EcdsaP384Sha384 => matches!(self, Self::P384),
            Algorithm::Ed25519 => matches!(self, Self::Ed25519),
        }
    }

    /// The family of a public key.
    pub fn of_key(key: &PublicKey) -> Self {
        match key.algorithm().made() {
            Some(Algorithm::RsaSha256 | Algorithm::RsaSha512) => Self::Rsa { bits: key.bits() },
            Some(Algorithm::EcdsaP256Sha256) => Self::P256,
            Some(Algorithm::EcdsaP384Sha384) => Self::P384,
            Some(Algorithm::Ed25519) => Self::Ed25519,
            None if key.rsa_parts().is_some() => Self::Rsa { bits: key.bits() },
            None => Self::Other,
        }
    }

    pub(crate) fn of(kind: KeyType, modulus: Option<&[u8]>, curve: Option<&[u8]>) -> Self {
        match (kind, curve) {
            (KeyType::RSA, _) => Self::Rsa {
                bits: modulus.map_or(0, bits),
            },
            (KeyType::EC, Some(P256)) => Self::P256,
            (KeyType::EC, Some(P384)) => Self::P384,
            (KeyType::EC_EDWARDS, Some(ED25519 | ED25519_BY_NAME)) => Self::Ed25519,
            (_, _) => Self::Other,
        }
    }
}

fn bits(integer: &[u8]) -> u16 {
    let zeros = integer.iter().take_while(|byte| **byte == 0).count();
    let integer = &integer[zeros..];
    let top = integer.first().map_or(0, |byte| byte.leading_zeros() as usize);
    u16::try_from(integer.len() * 8 - top).map_or(0, |bits| bits)
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits: 0 } => f.write_str("RSA"),
            Self::Rsa { bits } => write!(f, "RSA ({bits} bits)"),
            Self::P256 => f.write_str("P-256"),
            Self::P384 => f.write_str("P-384"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Other => f.write_str("no key for DNSSEC"),
        }
    }
}
