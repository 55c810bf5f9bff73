//! A key from outside, as C_CreateObject is given it.

use cryptoki::object::{Attribute, KeyType, ObjectClass};
use key_metadata::{Algorithm, Extractability, PublicKey, RsaSecret, SoftwareKey, SoftwareSecret};
use zeroize::Zeroize;

use crate::family;

/// The attributes of an object with a secret in it, which is wiped when dropped.
pub(crate) struct Secret(pub(crate) Vec<Attribute>);

impl Drop for Secret {
    fn drop(&mut self) {
        for attribute in &mut self.0 {
            if let Attribute::Value(value)
            | Attribute::PrivateExponent(value)
            | Attribute::Prime1(value)
            | Attribute::Prime2(value)
            | Attribute::Exponent1(value)
            | Attribute::Exponent2(value)
            | Attribute::Coefficient(value) = attribute
            {
                value.zeroize();
            }
        }
    }
}

/// What C_CreateObject is given for the private half; `None` where that is not of the public half's kind.
pub(crate) fn private(
    key: &SoftwareKey,
    algorithm: Algorithm,
    name: &[Attribute],
    extractability: Extractability,
) -> Option<Secret> {
    let mut attributes = vec![
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(extractability == Extractability::Wrapped),
        Attribute::Sign(true),
    ];
    attributes.extend_from_slice(name);
    attributes.extend(kind(&key.public_key, algorithm));
    let mut secret = Secret(attributes);
    let length = scalar_length(algorithm);
    match (&key.secret, key.public_key.rsa_parts()) {
        (SoftwareSecret::Rsa(rsa), Some((_, exponent))) => {
            let RsaSecret {
                private_exponent,
                prime1,
                prime2,
                exponent1,
                exponent2,
                coefficient,
            } = rsa;
            secret.0.extend([
                Attribute::PublicExponent(exponent.to_vec()),
                Attribute::PrivateExponent(private_exponent.to_vec()),
                Attribute::Prime1(prime1.to_vec()),
                Attribute::Prime2(prime2.to_vec()),
                Attribute::Exponent1(exponent1.to_vec()),
                Attribute::Exponent2(exponent2.to_vec()),
                Attribute::Coefficient(coefficient.to_vec()),
            ]);
        }
        (SoftwareSecret::Scalar(scalar), None) if scalar.len() == length => {
            secret.0.push(Attribute::Value(scalar.to_vec()));
        }
        (SoftwareSecret::Rsa(_) | SoftwareSecret::Scalar(_), _) => return None,
    }
    Some(secret)
}

/// What C_CreateObject is given for the public half.
pub(crate) fn public(key: &PublicKey, algorithm: Algorithm, name: &[Attribute]) -> Vec<Attribute> {
    let mut attributes = vec![
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::Private(false),
        Attribute::Verify(true),
    ];
    attributes.extend_from_slice(name);
    attributes.extend(kind(key, algorithm));
    attributes.push(match key.rsa_parts() {
        Some((_, exponent)) => Attribute::PublicExponent(exponent.to_vec()),
        None => Attribute::EcPoint(ec_point(algorithm, key.as_dnskey())),
    });
    attributes
}

/// The public values of a key, each of which tells it apart: a point also as tokens write it that leave out the OCTET STRING.
pub(crate) fn public_values(key: &PublicKey, algorithm: Algorithm) -> Vec<Attribute> {
    match key.rsa_parts() {
        Some((modulus, _)) => vec![Attribute::Modulus(modulus.to_vec())],
        None => {
            let point = ec_point(algorithm, key.as_dnskey());
            let bare = point.get(2..).map_or_else(Vec::new, <[u8]>::to_vec);
            vec![Attribute::EcPoint(point), Attribute::EcPoint(bare)]
        }
    }
}

/// What both halves tell of the key.
fn kind(key: &PublicKey, algorithm: Algorithm) -> [Attribute; 2] {
    let (kind, curve) = match algorithm {
        Algorithm::RsaSha256 | Algorithm::RsaSha512 => {
            let modulus = key.rsa_parts().map_or(&[][..], |(modulus, _)| modulus);
            return [
                Attribute::KeyType(KeyType::RSA),
                Attribute::Modulus(modulus.to_vec()),
            ];
        }
        Algorithm::EcdsaP256Sha256 => (KeyType::EC, family::P256),
        Algorithm::EcdsaP384Sha384 => (KeyType::EC, family::P384),
        Algorithm::Ed25519 => (KeyType::EC_EDWARDS, family::ED25519),
    };
    [Attribute::KeyType(kind), Attribute::EcParams(curve.to_vec())]
}

/// How many bytes CKA_VALUE has; RSA has none.
const fn scalar_length(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::RsaSha256 | Algorithm::RsaSha512 => 0,
        Algorithm::EcdsaP256Sha256 | Algorithm::Ed25519 => 32,
        Algorithm::EcdsaP384Sha384 => 48,
    }
}

/// CKA_EC_POINT as the standard has it: a DER OCTET STRING of the point, which for P-256 and P-384 is uncompressed (SEC 1 2.3.3). At most 97
/// bytes, so that the length is one.
fn ec_point(algorithm: Algorithm, coordinates: &[u8]) -> Vec<u8> {
    let prefix: &[u8] = match algorithm {
        Algorithm::EcdsaP256Sha256 | Algorithm::EcdsaP384Sha384 => &[0x04],
        Algorithm::RsaSha256 | Algorithm::RsaSha512 | Algorithm::Ed25519 => &[],
    };
    let point = [prefix, coordinates].concat();
    let length = u8::try_from(point.len()).map_or(0, |length| length);
    [&[0x04, length], point.as_slice()].concat()
}
