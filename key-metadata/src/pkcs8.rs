//! A private key as PKCS#8 has it, which is the form in which a token wraps it.

use pkcs1::RsaPrivateKey;
use pkcs8::PrivateKeyInfo;
use sec1::EcPrivateKey;
use spki::der::asn1::{OctetStringRef, UintRef};
use spki::der::{Decode, Encode};
use zeroize::Zeroizing;

use crate::advice::Advice;
use crate::algorithm::{Algorithm, KeyAlgorithm};
use crate::public_key::PublicKey;
use crate::software_key::{RsaSecret, SoftwareKey, SoftwareSecret};

/// rsaEncryption (RFC 8017, appendix A), id-ecPublicKey and its curves (RFC 5480, 2.1.1), id-Ed25519 (RFC 8410, 3).
const RSA: &str = "1.2.840.113549.1.1.1";
const EC: &str = "1.2.840.10045.2.1";
const P256: &str = "1.2.840.10045.3.1.7";
const P384: &str = "1.3.132.0.34";
const ED25519: &str = "1.3.101.112";

/// Why bytes are not the private half of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Pkcs8Error {
    /// The public key is of an algorithm that is only read.
    #[error("Keyrite does not sign with {0}")]
    Legacy(KeyAlgorithm),
    /// Not DER, or with something behind it, or not of this form.
    #[error("these bytes are no private key of {algorithm} in the form of PKCS#8")]
    Malformed {
        /// The algorithm of the public key.
        algorithm: Algorithm,
    },
    /// A private key of another kind.
    #[error("this private key is none of {algorithm}")]
    OtherKind {
        /// The algorithm of the public key.
        algorithm: Algorithm,
    },
    /// The private half of another public key, or damaged.
    #[error("this private key is not the one of the public key")]
    OtherKey,
}

impl Advice for Pkcs8Error {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Legacy(_) => Some("replace the key by one of another algorithm, in a rollover".to_owned()),
            Self::Malformed { .. } | Self::OtherKind { .. } | Self::OtherKey => {
                Some("check that the private key and the public key are of one key".to_owned())
            }
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Legacy(_) | Self::Malformed { .. } | Self::OtherKind { .. } | Self::OtherKey => false,
        }
    }
}

impl SoftwareKey {
    /// The private key in this DER (RFC 5958), which is proved to be the private half of that public key ([`SoftwareSecret::is_of`]).
    ///
    /// An ECDSA key need not tell its public half (RFC 5915); where it does, that must be the same.
    pub fn from_pkcs8(der: &[u8], public_key: &PublicKey) -> Result<Self, Pkcs8Error> {
        let algorithm = public_key.algorithm();
        let algorithm = algorithm.made().ok_or(Pkcs8Error::Legacy(algorithm))?;
        let malformed = Pkcs8Error::Malformed { algorithm };
        let info = PrivateKeyInfo::from_der(der).map_err(|_| malformed)?;
        let kind = info.algorithm.oid.to_string();
        let curve = info.algorithm.parameters_oid().map(|curve| curve.to_string());
        let is_on = |wanted| kind == EC && curve.as_deref() == Ok(wanted);
        let secret = match algorithm {
            Algorithm::RsaSha256 | Algorithm::RsaSha512 if kind == RSA => {
                rsa(info.private_key, algorithm, public_key)?
            }
            Algorithm::EcdsaP256Sha256 if is_on(P256) => {
                ecdsa(info.private_key, 32, public_key)?.ok_or(malformed)?
            }
            Algorithm::EcdsaP384Sha384 if is_on(P384) => {
                ecdsa(info.private_key, 48, public_key)?.ok_or(malformed)?
            }
            Algorithm::Ed25519 if kind == ED25519 => {
                let seed = OctetStringRef::from_der(info.private_key).map_err(|_| malformed)?;
                SoftwareSecret::Scalar(Zeroizing::new(seed.as_bytes().to_vec()))
            }
            Algorithm::RsaSha256
            | Algorithm::RsaSha512
            | Algorithm::EcdsaP256Sha256
            | Algorithm::EcdsaP384Sha384
            | Algorithm::Ed25519 => return Err(Pkcs8Error::OtherKind { algorithm }),
        };
        if !secret.is_of(public_key) {
            return Err(Pkcs8Error::OtherKey);
        }
        Ok(Self {
            public_key: public_key.clone(),
            secret,
        })
    }
}

impl SoftwareKey {
    /// An RSA key as PKCS#1 has it, in memory that is wiped; `None` for one of another kind, or whose integers are not written so.
    pub fn to_pkcs1(&self) -> Option<Zeroizing<Vec<u8>>> {
        let (modulus, exponent) = self.public_key.rsa_parts()?;
        let SoftwareSecret::Rsa(secret) = &self.secret else {
            return None;
        };
        let key = RsaPrivateKey {
            modulus: UintRef::new(modulus).ok()?,
            public_exponent: UintRef::new(exponent).ok()?,
            private_exponent: UintRef::new(&secret.private_exponent).ok()?,
            prime1: UintRef::new(&secret.prime1).ok()?,
            prime2: UintRef::new(&secret.prime2).ok()?,
            exponent1: UintRef::new(&secret.exponent1).ok()?,
            exponent2: UintRef::new(&secret.exponent2).ok()?,
            coefficient: UintRef::new(&secret.coefficient).ok()?,
            other_prime_infos: None,
        };
        // As long as it becomes, so that no shorter one is left behind.
        let mut der = Zeroizing::new(vec![0; usize::try_from(key.encoded_len().ok()?).ok()?]);
        key.encode_to_slice(&mut der).ok()?;
        Some(der)
    }
}

fn rsa(der: &[u8], algorithm: Algorithm, public_key: &PublicKey) -> Result<SoftwareSecret, Pkcs8Error> {
    let key = RsaPrivateKey::from_der(der).map_err(|_| Pkcs8Error::Malformed { algorithm })?;
    let (modulus, exponent) = (key.modulus.as_bytes(), key.public_exponent.as_bytes());
    if public_key.rsa_parts() != Some((modulus, exponent)) {
        return Err(Pkcs8Error::OtherKey);
    }
    let number = |number: UintRef<'_>| Zeroizing::new(number.as_bytes().to_vec());
    Ok(SoftwareSecret::Rsa(RsaSecret {
        private_exponent: number(key.private_exponent),
        prime1: number(key.prime1),
        prime2: number(key.prime2),
        exponent1: number(key.exponent1),
        exponent2: number(key.exponent2),
        coefficient: number(key.coefficient),
    }))
}

/// `None` where it is no ECPrivateKey with a scalar of at most that length.
fn ecdsa(der: &[u8], length: usize, public_key: &PublicKey) -> Result<Option<SoftwareSecret>, Pkcs8Error> {
    let Ok(key) = EcPrivateKey::from_der(der) else {
        return Ok(None);
    };
    let is_other = |point: &[u8]| point.strip_prefix(&[0x04]) != Some(public_key.as_dnskey());
    if key.public_key.is_some_and(is_other) {
        return Err(Pkcs8Error::OtherKey);
    }
    // RFC 5915 wants the leading zeros, which some leave out.
    let mut scalar = Zeroizing::new(vec![0; length]);
    let start = length.checked_sub(key.private_key.len());
    let Some(place) = start.and_then(|start| scalar.get_mut(start..)) else {
        return Ok(None);
    };
    place.copy_from_slice(key.private_key);
    Ok(Some(SoftwareSecret::Scalar(scalar)))
}
