//! What a token can do, asked before it is tried.

use std::fmt;

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::{MechanismInfo, MechanismType};
use cryptoki_sys::CK_MECHANISM_TYPE;
use key_metadata::{Advice, Algorithm, KeySpec, TokenLabel};

use crate::call::CallError;
use crate::session::AccessError;
use crate::token::Token;
use crate::wrap::WrapMechanism;

/// A mechanism of a token (CK_MECHANISM_INFO).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mechanism {
    /// Its number.
    pub number: u64,
    /// Its name, as `CKM_RSA_PKCS`, or its number where that is all we know.
    pub name: String,
    /// The smallest key that it takes, in bits where keys are asymmetric.
    pub min_key_size: usize,
    /// The largest; 0 where the token does not tell.
    pub max_key_size: usize,
    /// Whether it generates key pairs.
    pub generates_pairs: bool,
    /// Whether it signs.
    pub signs: bool,
    /// Whether it wraps keys.
    pub wraps: bool,
}

/// Why a token's mechanisms are not known.
#[derive(Debug, thiserror::Error)]
#[error("token '{label}' does not tell its mechanisms")]
pub struct MechanismsError {
    /// The token.
    pub label: TokenLabel,
    /// Why not.
    pub source: AccessError,
}

impl Advice for MechanismsError {
    fn hint(&self) -> Option<String> {
        self.source.hint()
    }

    fn is_credential(&self) -> bool {
        self.source.is_credential()
    }

    fn is_absence(&self) -> bool {
        self.source.is_absence()
    }
}

/// The key pairs that a token generates and signs with, for an error that says what to ask for instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer(Vec<String>);

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no key pairs for DNSSEC at all");
        }
        f.write_str(&self.0.join(", "))
    }
}

impl Token {
    /// The mechanisms, sorted by number. Asked once; a token's mechanisms do not change.
    pub fn mechanisms(&self) -> Result<&[Mechanism], MechanismsError> {
        if let Some(known) = self.0.mechanisms.get() {
            return Ok(known);
        }
        let error = |error| MechanismsError {
            label: self.label().clone(),
            source: CallError::of(error).into(),
        };
        let raw = self.0.module.raw();
        let mut mechanisms = Vec::new();
        for number in raw.mechanisms(self.0.slot).map_err(error)? {
            match raw.mechanism_info(self.0.slot, number) {
                Ok(info) => mechanisms.push(Mechanism::new(number, &info)),
                // Listed, and disowned when it is asked for.
                Err(Error::Pkcs11(RvError::MechanismInvalid, _)) => {}
                Err(other) => return Err(error(other)),
            }
        }
        mechanisms.sort_by_key(|mechanism| mechanism.number);
        Ok(self.0.mechanisms.get_or_init(|| mechanisms))
    }

    /// The keys for DNSSEC that the token generates and signs with, as far as its mechanisms tell.
    pub fn claimed(&self) -> Result<Vec<KeySpec>, MechanismsError> {
        let mechanisms = self.mechanisms()?;
        Ok(KeySpec::ALL
            .into_iter()
            .filter(|spec| supports(mechanisms, *spec))
            .collect())
    }

    /// Whether the token generates such a pair and signs with it, as far as its mechanisms tell.
    pub fn supports(&self, spec: KeySpec) -> Result<bool, MechanismsError> {
        Ok(supports(self.mechanisms()?, spec))
    }
}

impl Mechanism {
    fn new(number: CK_MECHANISM_TYPE, info: &MechanismInfo) -> Self {
        Self {
            number,
            name: name(number),
            min_key_size: info.min_key_size(),
            max_key_size: info.max_key_size(),
            generates_pairs: info.generate_key_pair(),
            signs: info.sign(),
            wraps: info.wrap(),
        }
    }

    fn takes(&self, bits: usize) -> bool {
        self.max_key_size == 0 || (self.min_key_size <= bits && bits <= self.max_key_size)
    }
}

pub(crate) fn supports(mechanisms: &[Mechanism], spec: KeySpec) -> bool {
    let generate = match spec.algorithm() {
        Algorithm::RsaSha256 | Algorithm::RsaSha512 => MechanismType::RSA_PKCS_KEY_PAIR_GEN,
        Algorithm::EcdsaP256Sha256 | Algorithm::EcdsaP384Sha384 => MechanismType::ECC_KEY_PAIR_GEN,
        Algorithm::Ed25519 => MechanismType::ECC_EDWARDS_KEY_PAIR_GEN,
    };
    let sizes = sizes(spec.algorithm(), spec.bits());
    find(mechanisms, generate)
        .is_some_and(|mechanism| mechanism.generates_pairs && sizes.iter().any(|bits| mechanism.takes(*bits)))
        && signs(mechanisms, spec.algorithm(), spec.bits())
}

/// Whether the token signs for that algorithm with keys of that many bits, wherever they were made.
pub(crate) fn signs(mechanisms: &[Mechanism], algorithm: Algorithm, bits: u16) -> bool {
    let sign: &[_] = match algorithm {
        Algorithm::RsaSha256 => &[MechanismType::RSA_PKCS, MechanismType::SHA256_RSA_PKCS],
        Algorithm::RsaSha512 => &[MechanismType::RSA_PKCS, MechanismType::SHA512_RSA_PKCS],
        Algorithm::EcdsaP256Sha256 | Algorithm::EcdsaP384Sha384 => &[MechanismType::ECDSA],
        Algorithm::Ed25519 => &[MechanismType::EDDSA],
    };
    let sizes = sizes(algorithm, bits);
    sign.iter().any(|kind| {
        find(mechanisms, *kind)
            .is_some_and(|mechanism| mechanism.signs && sizes.iter().any(|bits| mechanism.takes(*bits)))
    })
}

/// The sizes that such a key can be said to have: RFC 8032 counts Ed25519 as 255 or 256 bits, and so do tokens.
fn sizes(algorithm: Algorithm, bits: u16) -> [usize; 2] {
    match algorithm {
        Algorithm::RsaSha256
        | Algorithm::RsaSha512
        | Algorithm::EcdsaP256Sha256
        | Algorithm::EcdsaP384Sha384 => [bits.into(), bits.into()],
        Algorithm::Ed25519 => [255, 256],
    }
}

pub(crate) fn offer(mechanisms: &[Mechanism]) -> Offer {
    let families = [
        ("RSA", MechanismType::RSA_PKCS_KEY_PAIR_GEN),
        ("ECDSA", MechanismType::ECC_KEY_PAIR_GEN),
        ("EdDSA", MechanismType::ECC_EDWARDS_KEY_PAIR_GEN),
    ];
    let ranges = families.into_iter().filter_map(|(name, kind)| {
        let mechanism = find(mechanisms, kind).filter(|mechanism| mechanism.generates_pairs)?;
        Some(format!(
            "{name} of {} to {} bits",
            mechanism.min_key_size, mechanism.max_key_size
        ))
    });
    Offer(ranges.collect())
}

pub(crate) fn signs_with(mechanisms: &[Mechanism], kind: MechanismType) -> bool {
    find(mechanisms, kind).is_some_and(|mechanism| mechanism.signs)
}

fn name(number: CK_MECHANISM_TYPE) -> String {
    let wrap = WrapMechanism::ALL
        .into_iter()
        .find(|mechanism| mechanism.number() == number);
    match (wrap, MechanismType::try_from(number)) {
        (Some(mechanism), _) => mechanism.name().to_owned(),
        (None, Ok(known)) => known.to_string(),
        (None, Err(_)) => format!("0x{number:08x}"),
    }
}

fn find(mechanisms: &[Mechanism], kind: MechanismType) -> Option<&Mechanism> {
    mechanisms.iter().find(|mechanism| mechanism.number == *kind)
}
