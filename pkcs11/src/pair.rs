//! A key pair, as C_GenerateKeyPair is asked for it.

use cryptoki::error::Result;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType, ObjectHandle};
use cryptoki::session::Session;
use key_metadata::{Algorithm, Extractability, KeySpec};

use crate::family;

/// 65537, CKA_PUBLIC_EXPONENT.
const EXPONENT: [u8; 3] = [1, 0, 1];

/// Both halves.
#[derive(Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) public: ObjectHandle,
    pub(crate) private: ObjectHandle,
}

/// Makes a pair that signs, hidden, with the attributes `name` on both halves.
pub(crate) fn make(
    session: &Session,
    spec: KeySpec,
    name: &[Attribute],
    extractability: Extractability,
) -> Result<Pair> {
    let (mechanism, kind) = match spec.algorithm() {
        Algorithm::RsaSha256 | Algorithm::RsaSha512 => (
            Mechanism::RsaPkcsKeyPairGen,
            vec![
                Attribute::ModulusBits(usize::from(spec.bits()).try_into()?),
                Attribute::PublicExponent(EXPONENT.to_vec()),
            ],
        ),
        Algorithm::EcdsaP256Sha256 => (
            Mechanism::EccKeyPairGen,
            vec![Attribute::EcParams(family::P256.to_vec())],
        ),
        Algorithm::EcdsaP384Sha384 => (
            Mechanism::EccKeyPairGen,
            vec![Attribute::EcParams(family::P384.to_vec())],
        ),
        Algorithm::Ed25519 => (
            Mechanism::EccEdwardsKeyPairGen,
            vec![Attribute::EcParams(family::ED25519.to_vec())],
        ),
    };
    let public = [
        &kind[..],
        name,
        &[Attribute::Private(false), Attribute::Verify(true)],
    ]
    .concat();
    let private = [
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(extractability == Extractability::Wrapped),
        Attribute::Sign(true),
    ];
    let private = [name, &private].concat();
    let (public, private) = session.generate_key_pair(&mechanism, &public, &private)?;
    Ok(Pair { public, private })
}

/// Makes an RSA-2048 pair that wraps and takes back other keys.
pub(crate) fn make_wrapping(session: &Session, name: &[Attribute]) -> Result<Pair> {
    let public = [
        Attribute::ModulusBits(2048.into()),
        Attribute::PublicExponent(EXPONENT.to_vec()),
        Attribute::Private(false),
        Attribute::Wrap(true),
    ];
    let private = [
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Unwrap(true),
    ];
    let (public, private) = session.generate_key_pair(
        &Mechanism::RsaPkcsKeyPairGen,
        &[name, &public].concat(),
        &[name, &private].concat(),
    )?;
    Ok(Pair { public, private })
}

/// CKA_KEY_TYPE.
pub(crate) const fn key_type(algorithm: Algorithm) -> KeyType {
    match algorithm {
        Algorithm::RsaSha256 | Algorithm::RsaSha512 => KeyType::RSA,
        Algorithm::EcdsaP256Sha256 | Algorithm::EcdsaP384Sha384 => KeyType::EC,
        Algorithm::Ed25519 => KeyType::EC_EDWARDS,
    }
}
