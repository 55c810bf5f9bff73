//! A native key outside the TPM: its public part and the private part that only its TPM can read.

use std::fmt;

use key_metadata::algorithm::KeySpecError;
use key_metadata::public_key::PublicKeyError;
use key_metadata::{Advice, Algorithm, KeySpec, PublicKey};
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::structures::{EccParameter, Private, Public};
use tss_esapi::traits::{Marshall, UnMarshall};

use crate::exit::{Exit, attributes, policy};
use crate::name::Name;
use crate::recovery::RecoveryParent;

const MAGIC: &[u8; 16] = b"keyrite-tpm-key\0";
const VERSION: u16 = 1;

/// A signing key that one TPM made, as it is kept in a file: useless without that TPM.
///
/// The file, version 1; integers are big-endian:
///
/// | bytes | what |
/// |---|---|
/// | 16 | `keyrite-tpm-key` and a zero byte |
/// | 2 | version: 1 |
/// | 2 + n | TPM2B_NAME: the Name of the parent, the SRK of the TPM that made the key |
/// | 2 + n | TPM2B_PUBLIC |
/// | 2 + n | TPM2B_PRIVATE |
///
/// The last two are the files that `tpm2_load -u -r` takes.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyBlob {
    parent: Name,
    public: Public,
    private: Private,
    kind: Kind,
}

/// Why bytes are no key of ours, or a key does not serve an algorithm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyBlobError {
    /// Another kind of file.
    #[error("this is no TPM key file of Keyrite")]
    Magic,
    /// A version that we do not know.
    #[error("this TPM key file has version {found}; versions up to {VERSION} are known")]
    Version {
        /// The version.
        found: u16,
    },
    /// The file ends too early.
    #[error("this TPM key file ends inside its {part}")]
    Truncated {
        /// Where.
        part: &'static str,
    },
    /// Something comes after the key.
    #[error("this TPM key file has {count} bytes after its end")]
    Trailing {
        /// How many bytes.
        count: usize,
    },
    /// A part that is not what it should be.
    #[error("the {part} of this TPM key file is damaged")]
    Damaged {
        /// The part.
        part: &'static str,
    },
    /// An object that signs nothing, or with an algorithm that DNSSEC does not have.
    #[error("this TPM key file holds no key that signs for DNSSEC")]
    NotASigningKey,
    /// The key is of another algorithm.
    #[error("a key of {kind} does not sign with {algorithm}")]
    Algorithm {
        /// The algorithm asked for.
        algorithm: Algorithm,
        /// What the key is.
        kind: String,
    },
    /// A key that does not leave the TPM in the way that was asked for.
    #[error("this TPM key does not leave its TPM as it should")]
    OtherExit,
    /// The key's numbers make no public key.
    #[error("the public key in this TPM key file is not usable")]
    PublicKey(#[source] PublicKeyError),
}

impl Advice for KeyBlobError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Truncated { .. } | Self::Trailing { .. } | Self::Damaged { .. } => {
                Some("restore the file from the site's version control or a backup".to_owned())
            }
            Self::Version { .. } => {
                Some("use the version of Keyrite that wrote it, or a later one".to_owned())
            }
            Self::Magic
            | Self::NotASigningKey
            | Self::Algorithm { .. }
            | Self::OtherExit
            | Self::PublicKey(_) => None,
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}

/// What a key is, whatever hash it signs with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Rsa { bits: u16 },
    P256,
    P384,
}

impl Kind {
    pub(crate) fn of(public: &Public) -> Result<Self, KeyBlobError> {
        match public {
            Public::Rsa {
                object_attributes,
                parameters,
                ..
            } if object_attributes.sign_encrypt() => Ok(Self::Rsa {
                bits: tss_esapi::tss2_esys::TPMI_RSA_KEY_BITS::from(parameters.key_bits()),
            }),
            Public::Ecc {
                object_attributes,
                parameters,
                ..
            } if object_attributes.sign_encrypt() => {
                let curve = parameters.ecc_curve();
                let known = [(EccCurve::NistP256, Self::P256), (EccCurve::NistP384, Self::P384)];
                let found = known.into_iter().find(|(one, _)| *one == curve);
                found.map(|(_, kind)| kind).ok_or(KeyBlobError::NotASigningKey)
            }
            Public::Rsa { .. } | Public::Ecc { .. } | Public::KeyedHash { .. } | Public::SymCipher { .. } => {
                Err(KeyBlobError::NotASigningKey)
            }
        }
    }

    /// The public key in the area of such a key.
    pub(crate) fn public_key(self, public: &Public, algorithm: Algorithm) -> Result<PublicKey, KeyBlobError> {
        if !self.serves(algorithm) {
            return Err(KeyBlobError::Algorithm {
                algorithm,
                kind: self.to_string(),
            });
        }
        match public {
            Public::Rsa {
                unique, parameters, ..
            } => {
                // 0 stands for the default (TPM 2.0 part 2, 12.2.3.5).
                let exponent = match parameters.exponent().value() {
                    0 => 65_537,
                    given => given,
                };
                PublicKey::rsa(algorithm, unique, &exponent.to_be_bytes())
            }
            Public::Ecc { unique, .. } => {
                let coordinate = |number: &EccParameter| left_padded(number, self.coordinate());
                let point = [coordinate(unique.x()), coordinate(unique.y())].concat();
                PublicKey::from_dnskey(algorithm, &point)
            }
            Public::KeyedHash { .. } | Public::SymCipher { .. } => return Err(KeyBlobError::NotASigningKey),
        }
        .map_err(KeyBlobError::PublicKey)
    }

    /// The first algorithm that such a key signs with, and its size; an error where no key of ours has that size.
    pub(crate) fn spec(self) -> Result<KeySpec, KeySpecError> {
        match self {
            Self::Rsa { bits } => KeySpec::new(Algorithm::RsaSha256, Some(bits)),
            Self::P256 => KeySpec::new(Algorithm::EcdsaP256Sha256, None),
            Self::P384 => KeySpec::new(Algorithm::EcdsaP384Sha384, None),
        }
    }

    /// Whether such a key signs with that algorithm.
    pub(crate) fn serves(self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::RsaSha256 | Algorithm::RsaSha512 => matches!(self, Self::Rsa { .. }),
            Algorithm::EcdsaP256Sha256 => self == Self::P256,
            Algorithm::EcdsaP384Sha384 => self == Self::P384,
            Algorithm::Ed25519 => false,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(f, "RSA-{bits}"),
            Self::P256 => f.write_str("P-256"),
            Self::P384 => f.write_str("P-384"),
        }
    }
}

impl KeyBlob {
    pub(crate) fn new(parent: Name, public: Public, private: Private) -> Result<Self, KeyBlobError> {
        let kind = Kind::of(&public)?;
        Ok(Self {
            parent,
            public,
            private,
            kind,
        })
    }

    /// Reads a file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyBlobError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(KeyBlobError::Magic)?;
        let (version, rest) = rest
            .split_first_chunk()
            .ok_or(KeyBlobError::Truncated { part: "version" })?;
        match u16::from_be_bytes(*version) {
            VERSION => {}
            found => return Err(KeyBlobError::Version { found }),
        }
        let (parent, rest) = sized(rest, "parent's name")?;
        let (public, rest) = sized(rest, "public part")?;
        let (private, rest) = sized(rest, "private part")?;
        if !rest.is_empty() {
            return Err(KeyBlobError::Trailing { count: rest.len() });
        }
        let parent = Name::try_from(parent).map_err(|_| KeyBlobError::Damaged {
            part: "parent's name",
        })?;
        let private = match Private::try_from(private) {
            Ok(whole) if !whole.is_empty() => whole,
            Ok(_) | Err(_) => return Err(KeyBlobError::Damaged { part: "private part" }),
        };
        let damaged = KeyBlobError::Damaged { part: "public part" };
        match Public::unmarshall(public) {
            // The library ignores what follows the structure.
            Ok(read) if read.marshall().is_ok_and(|again| again == public) => {
                Self::new(parent, read, private)
            }
            Ok(_) | Err(_) => Err(damaged),
        }
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let parent = with_size(self.parent.as_bytes());
        [
            MAGIC,
            &VERSION.to_be_bytes()[..],
            &parent,
            &self.public_part(),
            &self.private_part(),
        ]
        .concat()
    }

    /// TPM2B_PUBLIC, as `tpm2_load -u` takes it.
    pub fn public_part(&self) -> Vec<u8> {
        // What was marshalled once is marshalled again.
        self.public
            .marshall()
            .map_or(Vec::new(), |bytes| with_size(&bytes))
    }

    /// TPM2B_PRIVATE, as `tpm2_load -r` takes it; encrypted by the TPM.
    pub fn private_part(&self) -> Vec<u8> {
        with_size(&self.private)
    }

    /// The Name of the SRK that the key was made under.
    pub fn parent(&self) -> &Name {
        &self.parent
    }

    /// The public key; an RSA key serves two algorithms, so it is named.
    pub fn public_key(&self, algorithm: Algorithm) -> Result<PublicKey, KeyBlobError> {
        self.kind.public_key(&self.public, algorithm)
    }

    /// Whether the key leaves its TPM to that parent, with the owner's authorisation, and in no other way.
    pub fn leaves_to(&self, parent: &RecoveryParent) -> bool {
        Exit::by_owner(parent).is_of(&self.public)
    }

    /// Whether the key never leaves its TPM: it is fixed there, or has no policy that would let it go.
    pub(crate) fn stays(&self) -> bool {
        attributes(&self.public).fixed_tpm() || policy(&self.public).is_empty()
    }

    pub(crate) fn public(&self) -> &Public {
        &self.public
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn parts(&self) -> (Private, Public) {
        (self.private.clone(), self.public.clone())
    }
}

impl Kind {
    /// The length of a coordinate, and of each half of a signature, in bytes.
    pub(crate) fn coordinate(self) -> usize {
        match self {
            Self::Rsa { .. } => 0,
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }
}

impl fmt::Debug for KeyBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyBlob({}, parent {})", self.kind, self.parent)
    }
}

/// A number of exactly that length: a TPM may leave out leading zeros.
pub(crate) fn left_padded(number: &[u8], length: usize) -> Vec<u8> {
    let mut padded = vec![0; length.saturating_sub(number.len())];
    padded.extend_from_slice(number);
    padded
}

/// A TPM2B: two bytes of length, and as many bytes.
fn sized<'b>(bytes: &'b [u8], part: &'static str) -> Result<(&'b [u8], &'b [u8]), KeyBlobError> {
    split_sized(bytes).ok_or(KeyBlobError::Truncated { part })
}

/// The same, and what follows it.
pub(crate) fn split_sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// What a TPM2B holds that is all of `bytes`.
pub(crate) fn only_sized(bytes: &[u8]) -> Option<&[u8]> {
    split_sized(bytes)
        .filter(|(_, rest)| rest.is_empty())
        .map(|(content, _)| content)
}

pub(crate) fn with_size(bytes: &[u8]) -> Vec<u8> {
    let mut sized = u16::try_from(bytes.len())
        .map_or(u16::MAX, |length| length)
        .to_be_bytes()
        .to_vec();
    sized.extend_from_slice(bytes);
    sized
}
