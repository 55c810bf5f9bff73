//! The Name of an object: what a TPM knows it by, whoever holds it.

use std::fmt;
use std::str::FromStr;

use key_metadata::{Advice, ObjectName};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// TPM_ALG_SHA256.
const SHA256: [u8; 2] = [0x00, 0x0b];

/// The Name of an object: its hash algorithm's number and the digest of its public area (TPM 2.0 part 1, 16), written as hex digits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name(Vec<u8>);

/// A text or bytes that are no Name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a TPM object's name is the number of its hash algorithm and a digest, such as 000b and 64 hex digits"
)]
pub struct NameError;

impl Advice for NameError {
    fn hint(&self) -> Option<String> {
        None
    }

    fn is_credential(&self) -> bool {
        false
    }
}

impl Name {
    /// The bytes, algorithm first.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The Name of a marshalled public area that says SHA-256.
    pub(crate) fn of_sha256(area: &[u8]) -> Self {
        Self([&SHA256[..], &Sha256::digest(area)].concat())
    }
}

impl TryFrom<&[u8]> for Name {
    type Error = NameError;

    fn try_from(bytes: &[u8]) -> Result<Self, NameError> {
        // TPM_ALG_ID, and the digest's length: SHA-1, SHA-256, -384, -512, SM3, SHA3-256, -384, -512 (TCG Algorithm Registry).
        let digest = match bytes.get(..2) {
            Some([0x00, 0x04]) => 20,
            Some([0x00, 0x0b | 0x12 | 0x27]) => 32,
            Some([0x00, 0x0c | 0x28]) => 48,
            Some([0x00, 0x0d | 0x29]) => 64,
            Some(_) | None => return Err(NameError),
        };
        if bytes.len() != 2 + digest {
            return Err(NameError);
        }
        Ok(Self(bytes.to_vec()))
    }
}

impl From<&ObjectName> for Name {
    fn from(name: &ObjectName) -> Self {
        // It was checked when it was read; without digits it would be the Name of nothing.
        Self(hex::decode(name.to_string()).map_or_else(|_| Vec::new(), |bytes| bytes))
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        hex::decode(text).map_err(|_| NameError)?.as_slice().try_into()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

/// The Name of a marshalled public area, whose bytes 2 and 3 are the hash algorithm (TPM 2.0 part 1, 16); `None` for a hash that we lack.
pub(crate) fn name_of(area: &[u8]) -> Option<Name> {
    let algorithm = area.get(2..4)?;
    let digest = match algorithm {
        [0x00, 0x0b] => Sha256::digest(area).to_vec(),
        [0x00, 0x0c] => Sha384::digest(area).to_vec(),
        [0x00, 0x0d] => Sha512::digest(area).to_vec(),
        _ => return None,
    };
    Name::try_from([algorithm, &digest].concat().as_slice()).ok()
}
