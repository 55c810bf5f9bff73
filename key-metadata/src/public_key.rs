//! The public half of a key, as DNSKEY and as SubjectPublicKeyInfo.

use std::fmt;

use pkcs1::UintRef;
use sha2::{Digest, Sha256};
use spki::der::asn1::{AnyRef, BitStringRef, Null, ObjectIdentifier};
use spki::der::{self, Decode, Encode};

use crate::algorithm::{Algorithm, KeyAlgorithm, LegacyAlgorithm};
use crate::role::Role;

/// A public key of one of our algorithms, in the form that a DNSKEY record carries it.
///
/// RSA: exponent length, exponent, modulus (RFC 3110 section 2). P-256 and P-384: x | y (RFC 6605 section 4), 64 and 96 bytes.
/// Ed25519 and Ed448: 32 and 57 bytes (RFC 8080 section 3).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicKey {
    algorithm: KeyAlgorithm,
    bytes: Vec<u8>,
}

/// Why bytes are no public key of an algorithm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// A curve's key of another length.
    #[error("a public key of {algorithm} has {expected} bytes, this one has {found}")]
    Length {
        /// The algorithm.
        algorithm: KeyAlgorithm,
        /// The length that it takes, in bytes.
        expected: usize,
        /// The length that was given, in bytes.
        found: usize,
    },
    /// RSA bytes that do not follow RFC 3110, or are outside 1024 to 4096 bits (RFC 5702 section 2).
    #[error("these bytes are no RSA public key of 1024 to 4096 bits in the form of RFC 3110")]
    Rsa,
}

impl PublicKey {
    /// The key in these bytes of a DNSKEY's public key field.
    pub fn from_dnskey(algorithm: impl Into<KeyAlgorithm>, bytes: &[u8]) -> Result<Self, PublicKeyError> {
        let algorithm = algorithm.into();
        let expected = match Form::of(algorithm) {
            Form::Rsa => {
                let (exponent, modulus) = split_rsa(bytes).ok_or(PublicKeyError::Rsa)?;
                return Self::rsa(algorithm, modulus, exponent);
            }
            Form::P256 => 64,
            Form::P384 => 96,
            Form::Ed25519 => 32,
            Form::Ed448 => 57,
        };
        if bytes.len() != expected {
            return Err(PublicKeyError::Length {
                algorithm,
                expected,
                found: bytes.len(),
            });
        }
        Ok(Self {
            algorithm,
            bytes: bytes.to_vec(),
        })
    }

    /// An RSA key; big-endian integers, leading zeros allowed and dropped (RFC 3110 section 2).
    pub fn rsa(
        algorithm: impl Into<KeyAlgorithm>,
        modulus: &[u8],
        exponent: &[u8],
    ) -> Result<Self, PublicKeyError> {
        let algorithm = algorithm.into();
        let modulus = without_leading_zeros(modulus);
        let exponent = without_leading_zeros(exponent);
        let rsa = Form::of(algorithm) == Form::Rsa;
        if !rsa || !(128..=512).contains(&modulus.len()) || exponent.is_empty() || exponent.len() > 512 {
            return Err(PublicKeyError::Rsa);
        }
        let mut bytes = Vec::with_capacity(3 + exponent.len() + modulus.len());
        match u8::try_from(exponent.len()) {
            Ok(short) => bytes.push(short),
            Err(_) => {
                bytes.push(0);
                bytes.extend_from_slice(
                    &u16::try_from(exponent.len())
                        .map_err(|_| PublicKeyError::Rsa)?
                        .to_be_bytes(),
                );
            }
        }
        bytes.extend_from_slice(exponent);
        bytes.extend_from_slice(modulus);
        Ok(Self { algorithm, bytes })
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The bytes of the DNSKEY's public key field.
    pub fn as_dnskey(&self) -> &[u8] {
        &self.bytes
    }

    /// The size in bits: of the modulus for RSA, of the curve otherwise.
    pub fn bits(&self) -> u16 {
        match Form::of(self.algorithm) {
            Form::Rsa => {
                let modulus = split_rsa(&self.bytes).map_or(&[][..], |(_, modulus)| modulus);
                let zeros = modulus.first().map_or(0, |top| top.leading_zeros());
                u16::try_from(modulus.len() * 8).map_or(0, |bits| bits - zeros as u16)
            }
            Form::P256 | Form::Ed25519 => 256,
            Form::P384 => 384,
            Form::Ed448 => 456,
        }
    }

    /// The modulus and exponent of an RSA key, big-endian without leading zeros; `None` for the others.
    pub fn rsa_parts(&self) -> Option<(&[u8], &[u8])> {
        match Form::of(self.algorithm) {
            Form::Rsa => split_rsa(&self.bytes).map(|(e, n)| (n, e)),
            Form::P256 | Form::P384 | Form::Ed25519 | Form::Ed448 => None,
        }
    }

    /// The key tag with that role's flags (RFC 4034 appendix B).
    pub fn key_tag(&self, role: Role) -> u16 {
        self.key_tag_with_flags(role.flags())
    }

    /// The key tag once the REVOKE bit is set (RFC 5011 section 7): flags | 0x0080.
    pub fn revoked_key_tag(&self, role: Role) -> u16 {
        self.key_tag_with_flags(role.flags() | 0x0080)
    }

    fn key_tag_with_flags(&self, flags: u16) -> u16 {
        key_tag(flags, self.algorithm.number(), &self.bytes)
    }

    /// The DER SubjectPublicKeyInfo (RFC 5280 4.1.2.7; RFC 5480 and RFC 8410 for the curves).
    pub fn spki_der(&self) -> Result<Vec<u8>, der::Error> {
        const EC: &str = "1.2.840.10045.2.1";
        let oid = |arcs| ObjectIdentifier::new(arcs);
        let null = Null.to_der()?;
        let (algorithm, parameters, key) = match Form::of(self.algorithm) {
            Form::Rsa => {
                let (exponent, modulus) = split_rsa(&self.bytes).ok_or(der::ErrorKind::Failed)?;
                let key = pkcs1::RsaPublicKey {
                    modulus: UintRef::new(modulus)?,
                    public_exponent: UintRef::new(exponent)?,
                };
                (oid("1.2.840.113549.1.1.1")?, Some(null), key.to_der()?)
            }
            Form::P256 => (
                oid(EC)?,
                Some(oid("1.2.840.10045.3.1.7")?.to_der()?),
                self.uncompressed_point(),
            ),
            Form::P384 => (
                oid(EC)?,
                Some(oid("1.3.132.0.34")?.to_der()?),
                self.uncompressed_point(),
            ),
            Form::Ed25519 => (oid("1.3.101.112")?, None, self.bytes.clone()),
            Form::Ed448 => (oid("1.3.101.113")?, None, self.bytes.clone()),
        };
        spki::SubjectPublicKeyInfo {
            algorithm: spki::AlgorithmIdentifier {
                oid: algorithm,
                parameters: parameters.as_deref().map(AnyRef::from_der).transpose()?,
            },
            subject_public_key: BitStringRef::from_bytes(&key)?,
        }
        .to_der()
    }

    /// SHA-256 of [`Self::spki_der`], as 64 hex digits: what `openssl pkey -pubin -outform der | sha256sum` prints.
    pub fn spki_sha256(&self) -> Result<String, der::Error> {
        Ok(hex::encode(Sha256::digest(self.spki_der()?)))
    }

    fn uncompressed_point(&self) -> Vec<u8> {
        let mut point = vec![0x04];
        point.extend_from_slice(&self.bytes);
        point
    }
}

/// The key tag of a DNSKEY of protocol 3 (RFC 4034 appendix B).
pub(crate) fn key_tag(flags: u16, algorithm: u8, public_key: &[u8]) -> u16 {
    let header = [(flags >> 8) as u8, flags as u8, 3, algorithm];
    let octets = header.iter().chain(public_key).enumerate();
    let sum = octets.fold(0u32, |sum, (i, &byte)| {
        sum.wrapping_add(if i % 2 == 0 {
            u32::from(byte) << 8
        } else {
            u32::from(byte)
        })
    });
    (sum.wrapping_add(sum >> 16)) as u16
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}, {})", self.algorithm, hex::encode(&self.bytes))
    }
}

/// How a public key is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Rsa,
    P256,
    P384,
    Ed25519,
    Ed448,
}

impl Form {
    const fn of(algorithm: KeyAlgorithm) -> Self {
        match algorithm {
            KeyAlgorithm::Made(Algorithm::RsaSha256 | Algorithm::RsaSha512)
            | KeyAlgorithm::Legacy(LegacyAlgorithm::RsaSha1 | LegacyAlgorithm::RsaSha1Nsec3Sha1) => Self::Rsa,
            KeyAlgorithm::Made(Algorithm::EcdsaP256Sha256) => Self::P256,
            KeyAlgorithm::Made(Algorithm::EcdsaP384Sha384) => Self::P384,
            KeyAlgorithm::Made(Algorithm::Ed25519) => Self::Ed25519,
            KeyAlgorithm::Legacy(LegacyAlgorithm::Ed448) => Self::Ed448,
        }
    }
}

fn without_leading_zeros(integer: &[u8]) -> &[u8] {
    let zeros = integer.iter().take_while(|byte| **byte == 0).count();
    &integer[zeros..]
}

/// Exponent and modulus of RFC 3110's form.
fn split_rsa(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    match *bytes {
        [0, high, low, ref rest @ ..] => rest.split_at_checked(usize::from(u16::from_be_bytes([high, low]))),
        [length, ref rest @ ..] => rest.split_at_checked(usize::from(length)),
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn key(algorithm: Algorithm, text: &str) -> PublicKey {
        PublicKey::from_dnskey(algorithm, &STANDARD.decode(text).unwrap()).unwrap()
    }

    /// RFC 6605 section 6.1, RFC 8080 section 6.1 and the root's KSK-2017 (tag 20326).
    #[test]
    fn tags_of_published_keys() {
        let p256 = "GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==";
        assert_eq!(key(Algorithm::EcdsaP256Sha256, p256).key_tag(Role::Ksk), 55648);
        let ed = key(Algorithm::Ed25519, "l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=");
        assert_eq!(ed.key_tag(Role::Ksk), 3613);
        let root = "AwEAAaz/tAm8yTn4Mfeh5eyI96WSVexTBAvkMgJzkKTOiW1vkIbzxeF3+/4RgWOq7HrxRixHlFlExOLAJr5emLvN7SWXgnLh4+B5xQlN\
                    Vz8Og8kvArMtNROxVQuCaSnIDdD5LKyWbRd2n9WGe2R8PzgCmr3EgVLrjyBxWezF0jLHwVN8efS3rCj/EWgvIWgb9tarpVUDK/b58Da+sqqls3\
                    eNbuv7pr+eoZG+SrDK6nWeL3c6H5Apxz7LjVc1uTIdsIXxuOLYA4/ilBmSVIzuDWfdRUfhHdY6+cn8HFRm+2hM8AnXGXws9555KrUB5qihylGa8\
                    subX2Nn6UwNR1AkUTV74bU=";
        let root = key(Algorithm::RsaSha256, root);
        assert_eq!(
            (
                root.key_tag(Role::Ksk),
                root.revoked_key_tag(Role::Ksk),
                root.bits()
            ),
            (20326, 20454, 2048)
        );
    }

    #[test]
    fn rsa_integers_lose_their_leading_zeros_and_bad_lengths_are_refused() {
        let plain = PublicKey::rsa(Algorithm::RsaSha256, &[0xc1; 256], &[1, 0, 1]).unwrap();
        let padded = PublicKey::rsa(
            Algorithm::RsaSha256,
            &[&[0][..], &[0xc1; 256]].concat(),
            &[0, 1, 0, 1],
        )
        .unwrap();
        assert_eq!(plain, padded);
        assert_eq!(
            PublicKey::from_dnskey(Algorithm::RsaSha256, plain.as_dnskey()),
            Ok(plain)
        );
        assert!(PublicKey::rsa(Algorithm::Ed25519, &[0xc1; 256], &[3]).is_err());
        for bytes in [&[][..], &[0], &[3, 1], &[3, 1, 0, 1, 9]] {
            assert_eq!(
                PublicKey::from_dnskey(Algorithm::RsaSha512, bytes),
                Err(PublicKeyError::Rsa)
            );
        }
        assert!(PublicKey::from_dnskey(Algorithm::EcdsaP384Sha384, &[0; 64]).is_err());
    }
}
