//! DNSSEC algorithms, and what it takes to generate a key for one.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::written_as_text;

/// A DNSSEC algorithm that Keyrite generates keys for and signs with.
///
/// Numbers and mnemonics are those of the IANA registry "DNS Security Algorithm Numbers".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String", extend("pattern" = r"^(RSASHA256|RSASHA512|ECDSAP256SHA256|ECDSAP384SHA384|ED25519)$"))]
pub enum Algorithm {
    /// RSA/SHA-256, number 8 (RFC 5702).
    RsaSha256,
    /// RSA/SHA-512, number 10 (RFC 5702).
    RsaSha512,
    /// ECDSA on P-256 with SHA-256, number 13 (RFC 6605).
    EcdsaP256Sha256,
    /// ECDSA on P-384 with SHA-384, number 14 (RFC 6605).
    EcdsaP384Sha384,
    /// Ed25519, number 15 (RFC 8080).
    Ed25519,
}

/// The registry's other algorithms: they are recognised, and refused by name. Those of [`LegacyAlgorithm`] are still read from records.
const REFUSED: [(u8, &str); 9] = [
    (1, "RSAMD5"),
    (3, "DSA"),
    (5, LegacyAlgorithm::RsaSha1.mnemonic()),
    (6, "DSA-NSEC3-SHA1"),
    (7, LegacyAlgorithm::RsaSha1Nsec3Sha1.mnemonic()),
    (12, "ECC-GOST"),
    (16, LegacyAlgorithm::Ed448.mnemonic()),
    (17, "SM2SM3"),
    (23, "ECC-GOST12"),
];

/// Why a text or number is no algorithm to generate a key for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AlgorithmError {
    /// In the registry, but not among those that this suite generates.
    #[error("algorithm {number} ({mnemonic}) is not one that Keyrite makes keys for; it makes {SUPPORTED}")]
    Refused {
        /// The registry's number.
        number: u8,
        /// The registry's mnemonic.
        mnemonic: &'static str,
    },
    /// Not in the registry.
    #[error("'{text}' is no DNSSEC algorithm; Keyrite makes {SUPPORTED}")]
    Unknown {
        /// What was given.
        text: String,
    },
}

const SUPPORTED: &str = "RSASHA256, RSASHA512, ECDSAP256SHA256, ECDSAP384SHA384 and ED25519";

impl Algorithm {
    /// Every algorithm, in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::RsaSha256,
        Self::RsaSha512,
        Self::EcdsaP256Sha256,
        Self::EcdsaP384Sha384,
        Self::Ed25519,
    ];

    /// The number in the IANA registry.
    pub const fn number(self) -> u8 {
        match self {
            Self::RsaSha256 => 8,
            Self::RsaSha512 => 10,
            Self::EcdsaP256Sha256 => 13,
            Self::EcdsaP384Sha384 => 14,
            Self::Ed25519 => 15,
        }
    }

    /// The mnemonic in the IANA registry.
    pub const fn mnemonic(self) -> &'static str {
        match self {
            Self::RsaSha256 => "RSASHA256",
            Self::RsaSha512 => "RSASHA512",
            Self::EcdsaP256Sha256 => "ECDSAP256SHA256",
            Self::EcdsaP384Sha384 => "ECDSAP384SHA384",
            Self::Ed25519 => "ED25519",
        }
    }

    /// The algorithm of that number.
    pub fn from_number(number: u8) -> Result<Self, AlgorithmError> {
        if let Some(known) = Self::ALL.into_iter().find(|a| a.number() == number) {
            return Ok(known);
        }
        match REFUSED.iter().find(|(n, _)| *n == number) {
            Some(&(number, mnemonic)) => Err(AlgorithmError::Refused { number, mnemonic }),
            None => Err(AlgorithmError::Unknown {
                text: number.to_string(),
            }),
        }
    }
}

impl FromStr for Algorithm {
    type Err = AlgorithmError;

    /// Reads a mnemonic in any case, or a number.
    fn from_str(text: &str) -> Result<Self, AlgorithmError> {
        if let Ok(number) = text.parse() {
            return Self::from_number(number);
        }
        if let Some(known) = Self::ALL
            .into_iter()
            .find(|a| a.mnemonic().eq_ignore_ascii_case(text))
        {
            return Ok(known);
        }
        match REFUSED.iter().find(|(_, m)| m.eq_ignore_ascii_case(text)) {
            Some(&(number, mnemonic)) => Err(AlgorithmError::Refused { number, mnemonic }),
            None => Err(AlgorithmError::Unknown {
                text: text.to_owned(),
            }),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.mnemonic())
    }
}

written_as_text!(Algorithm, AlgorithmError);

/// An algorithm that keys in records can have, and that Keyrite neither generates keys for nor signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LegacyAlgorithm {
    /// RSA/SHA-1, number 5 (RFC 3110); must not be used for signing (RFC 8624 3.1).
    RsaSha1,
    /// The same for zones with NSEC3, number 7 (RFC 5155).
    RsaSha1Nsec3Sha1,
    /// Ed448, number 16 (RFC 8080); no token that we know makes it.
    Ed448,
}

impl LegacyAlgorithm {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::RsaSha1, Self::RsaSha1Nsec3Sha1, Self::Ed448];

    /// The number in the IANA registry.
    pub const fn number(self) -> u8 {
        match self {
            Self::RsaSha1 => 5,
            Self::RsaSha1Nsec3Sha1 => 7,
            Self::Ed448 => 16,
        }
    }

    /// The mnemonic in the IANA registry.
    pub const fn mnemonic(self) -> &'static str {
        match self {
            Self::RsaSha1 => "RSASHA1",
            Self::RsaSha1Nsec3Sha1 => "RSASHA1-NSEC3-SHA1",
            Self::Ed448 => "ED448",
        }
    }
}

/// The algorithm of a key in a record: one that we sign with, or one that we only know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
pub enum KeyAlgorithm {
    /// One that Keyrite makes keys for and signs with.
    Made(Algorithm),
    /// One that it only reads.
    Legacy(LegacyAlgorithm),
}

impl KeyAlgorithm {
    /// The number in the IANA registry.
    pub const fn number(self) -> u8 {
        match self {
            Self::Made(algorithm) => algorithm.number(),
            Self::Legacy(algorithm) => algorithm.number(),
        }
    }

    /// The algorithm to sign with, if it is one.
    pub const fn made(self) -> Option<Algorithm> {
        match self {
            Self::Made(algorithm) => Some(algorithm),
            Self::Legacy(_) => None,
        }
    }
}

impl From<Algorithm> for KeyAlgorithm {
    fn from(algorithm: Algorithm) -> Self {
        Self::Made(algorithm)
    }
}

impl FromStr for KeyAlgorithm {
    type Err = AlgorithmError;

    /// Reads a mnemonic in any case, or a number.
    fn from_str(text: &str) -> Result<Self, AlgorithmError> {
        text.parse().map(Self::Made).or_else(|error| match error {
            AlgorithmError::Refused { number, mnemonic } => {
                let known = LegacyAlgorithm::ALL
                    .into_iter()
                    .find(|legacy| legacy.number() == number);
                known
                    .map(Self::Legacy)
                    .ok_or(AlgorithmError::Refused { number, mnemonic })
            }
            AlgorithmError::Unknown { .. } => Err(error),
        })
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Made(algorithm) => algorithm.mnemonic(),
            Self::Legacy(algorithm) => algorithm.mnemonic(),
        })
    }
}

written_as_text!(KeyAlgorithm, AlgorithmError);

/// An algorithm with its key size: all that a token needs to know to generate a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeySpec {
    algorithm: Algorithm,
    bits: u16,
}

/// Why an algorithm and a size make no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySpecError {
    /// RSA of a size that is not offered.
    #[error("an {algorithm} key has 2048, 3072 or 4096 bits, not {bits}")]
    RsaSize {
        /// The algorithm asked for.
        algorithm: Algorithm,
        /// The size asked for, in bits.
        bits: u16,
    },
    /// A size given for an algorithm that has only one.
    #[error("{algorithm} has one key size, {only} bits, so {bits} cannot be asked for")]
    FixedSize {
        /// The algorithm asked for.
        algorithm: Algorithm,
        /// Its one size, in bits.
        only: u16,
        /// The size asked for, in bits.
        bits: u16,
    },
}

impl KeySpec {
    /// The size of an RSA key where none is asked for, in bits (NIST SP 800-57 part 1, 112-bit strength; the root's ZSK).
    pub const DEFAULT_RSA_BITS: u16 = 2048;

    /// Every key that Keyrite makes, by the algorithms' numbers and by size.
    pub const ALL: [Self; 9] = [
        Self::of(Algorithm::RsaSha256, 2048),
        Self::of(Algorithm::RsaSha256, 3072),
        Self::of(Algorithm::RsaSha256, 4096),
        Self::of(Algorithm::RsaSha512, 2048),
        Self::of(Algorithm::RsaSha512, 3072),
        Self::of(Algorithm::RsaSha512, 4096),
        Self::of(Algorithm::EcdsaP256Sha256, 256),
        Self::of(Algorithm::EcdsaP384Sha384, 384),
        Self::of(Algorithm::Ed25519, 256),
    ];

    const fn of(algorithm: Algorithm, bits: u16) -> Self {
        Self { algorithm, bits }
    }

    /// A key of that algorithm; `bits` may be left out, and for RSA is 2048, 3072 or 4096.
    pub fn new(algorithm: Algorithm, bits: Option<u16>) -> Result<Self, KeySpecError> {
        let only = match algorithm {
            Algorithm::RsaSha256 | Algorithm::RsaSha512 => {
                let bits = bits.map_or(Self::DEFAULT_RSA_BITS, |bits| bits);
                return match bits {
                    2048 | 3072 | 4096 => Ok(Self { algorithm, bits }),
                    _ => Err(KeySpecError::RsaSize { algorithm, bits }),
                };
            }
            Algorithm::EcdsaP256Sha256 | Algorithm::Ed25519 => 256,
            Algorithm::EcdsaP384Sha384 => 384,
        };
        match bits {
            Some(bits) if bits != only => Err(KeySpecError::FixedSize {
                algorithm,
                only,
                bits,
            }),
            Some(_) | None => Ok(Self {
                algorithm,
                bits: only,
            }),
        }
    }

    /// The DNSSEC algorithm.
    pub const fn algorithm(self) -> Algorithm {
        self.algorithm
    }

    /// The key size in bits: of the modulus for RSA, of the curve otherwise.
    pub const fn bits(self) -> u16 {
        self.bits
    }
}

impl fmt::Display for KeySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.algorithm {
            Algorithm::RsaSha256 | Algorithm::RsaSha512 => {
                write!(f, "{} ({} bits)", self.algorithm, self.bits)
            }
            Algorithm::EcdsaP256Sha256 | Algorithm::EcdsaP384Sha384 | Algorithm::Ed25519 => {
                write!(f, "{}", self.algorithm)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mnemonics_and_numbers_are_read_and_the_others_are_refused_by_name() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.mnemonic().to_lowercase().parse(), Ok(algorithm));
            assert_eq!(algorithm.number().to_string().parse(), Ok(algorithm));
        }
        let refused = "rsasha1".parse::<Algorithm>().unwrap_err().to_string();
        assert!(
            refused.starts_with("algorithm 5 (RSASHA1) is not one"),
            "{refused}"
        );
        assert_eq!("16".parse::<Algorithm>(), "ED448".parse::<Algorithm>());
        assert!(matches!(
            "des".parse::<Algorithm>(),
            Err(AlgorithmError::Unknown { .. })
        ));
        assert!(matches!(
            "300".parse::<Algorithm>(),
            Err(AlgorithmError::Unknown { .. })
        ));
    }

    #[test]
    fn sizes_are_checked_against_the_algorithm() {
        assert_eq!(KeySpec::new(Algorithm::RsaSha256, None).unwrap().bits(), 2048);
        assert!(KeySpec::new(Algorithm::RsaSha512, Some(1024)).is_err());
        assert!(KeySpec::new(Algorithm::Ed25519, Some(384)).is_err());
        for spec in KeySpec::ALL {
            assert_eq!(KeySpec::new(spec.algorithm(), Some(spec.bits())), Ok(spec));
        }
        assert_eq!(
            KeySpec::new(Algorithm::EcdsaP384Sha384, Some(384))
                .unwrap()
                .bits(),
            384
        );
    }
}
