//! What a key's objects tell of its public half.

use cryptoki::error::Result;
use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki::session::Session;
use key_metadata::{Algorithm, PublicKey};

use crate::ec_point::coordinates;
use crate::family::Family;

/// Whether a key in a token is one whose public half is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// It has the same public values.
    Same,
    /// It is another key.
    Other,
    /// The token does not tell: the public object is not there, or cannot be read.
    Untold,
}

/// The public values in one object, or in both of a key's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Material {
    pub(crate) family: Family,
    modulus: Option<Vec<u8>>,
    exponent: Option<Vec<u8>>,
    point: Option<Vec<u8>>,
}

impl Material {
    pub(crate) const NOTHING: Self = Self {
        family: Family::Other,
        modulus: None,
        exponent: None,
        point: None,
    };

    pub(crate) fn read(session: &Session, object: ObjectHandle) -> Result<Self> {
        let (mut kind, mut curve) = (None, None);
        let mut material = Self::NOTHING;
        let wanted = [
            AttributeType::KeyType,
            AttributeType::EcParams,
            AttributeType::EcPoint,
            AttributeType::Modulus,
            AttributeType::PublicExponent,
        ];
        for attribute in session.get_attributes(object, &wanted)? {
            #[expect(clippy::wildcard_enum_match_arm, reason = "no other attribute was asked for")]
            match attribute {
                Attribute::KeyType(value) => kind = Some(value),
                Attribute::EcParams(value) => curve = Some(value),
                Attribute::EcPoint(value) => material.point = present(value),
                Attribute::Modulus(value) => material.modulus = present(value),
                Attribute::PublicExponent(value) => material.exponent = present(value),
                _ => {}
            }
        }
        if let Some(kind) = kind {
            material.family = Family::of(kind, material.modulus.as_deref(), curve.as_deref());
        }
        Ok(material)
    }

    /// What this object tells, and what it leaves out from the other.
    pub(crate) fn or(self, other: Self) -> Self {
        let family = match self.family {
            Family::Other | Family::Rsa { bits: 0 } => other.family,
            Family::Rsa { .. } | Family::P256 | Family::P384 | Family::Ed25519 => self.family,
        };
        Self {
            family,
            modulus: self.modulus.or(other.modulus),
            exponent: self.exponent.or(other.exponent),
            point: self.point.or(other.point),
        }
    }

    /// Whether these are the values of that key.
    pub(crate) fn is_of(&self, key: &PublicKey) -> Likeness {
        let fits = match key.algorithm().made() {
            Some(algorithm) => self.family.signs_for(algorithm),
            None => matches!(self.family, Family::Rsa { .. }) && key.rsa_parts().is_some(),
        };
        if !fits {
            return match self.family {
                Family::Other => Likeness::Untold,
                Family::Rsa { .. } | Family::P256 | Family::P384 | Family::Ed25519 => Likeness::Other,
            };
        }
        let same = match key.rsa_parts() {
            // A private object may leave out the exponent; the modulus alone tells keys apart.
            Some((modulus, exponent)) => self.modulus.as_ref().map(|own| {
                let own_exponent = self.exponent.as_deref().map_or(exponent, |own| own);
                PublicKey::rsa(Algorithm::RsaSha256, own, own_exponent)
                    .is_ok_and(|own| own.rsa_parts() == Some((modulus, exponent)))
            }),
            None => self.coordinates().map(|own| own == key.as_dnskey()),
        };
        match same {
            Some(true) => Likeness::Same,
            Some(false) => Likeness::Other,
            None => Likeness::Untold,
        }
    }

    /// Whether both tell the same value and it differs: then they are of two keys.
    pub(crate) fn contradicts(&self, other: &Self) -> bool {
        let differ = |one: Option<&[u8]>, other: Option<&[u8]>| matches!((one, other), (Some(one), Some(other)) if one != other);
        differ(self.modulus.as_deref(), other.modulus.as_deref())
            || differ(self.coordinates(), other.coordinates())
    }

    /// The point of a curve, however the token writes it.
    fn coordinates(&self) -> Option<&[u8]> {
        let (length, edwards) = match self.family {
            Family::P256 => (64, false),
            Family::P384 => (96, false),
            Family::Ed25519 => (32, true),
            Family::Rsa { .. } | Family::Other => return None,
        };
        coordinates(self.point.as_ref()?, length, edwards)
    }

    /// The public key for that algorithm, of whose family the key is; `None` where the objects do not tell it.
    pub(crate) fn public_key(&self, algorithm: Algorithm) -> Option<PublicKey> {
        let (length, edwards) = match algorithm {
            Algorithm::RsaSha256 | Algorithm::RsaSha512 => {
                return PublicKey::rsa(algorithm, self.modulus.as_ref()?, self.exponent.as_ref()?).ok();
            }
            Algorithm::EcdsaP256Sha256 => (64, false),
            Algorithm::EcdsaP384Sha384 => (96, false),
            Algorithm::Ed25519 => (32, true),
        };
        PublicKey::from_dnskey(algorithm, coordinates(self.point.as_ref()?, length, edwards)?).ok()
    }
}

/// A token that does not keep a value may answer an empty one.
fn present(value: Vec<u8>) -> Option<Vec<u8>> {
    (!value.is_empty()).then_some(value)
}
