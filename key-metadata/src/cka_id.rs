//! What a PKCS#11 token knows a key by, whoever made it.

use std::fmt;
use std::str::FromStr;

use crate::key_id::KeyId;
use crate::text::written_as_text;

/// The CKA_ID of a key: 1 to 255 bytes, written as hex digits.
///
/// A key that Keyrite made has its [`KeyId`] there; other tools have what they like: Knot DNS 20 bytes, people often one or two.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CkaId(Box<[u8]>);

/// Bytes or a text that are no CKA_ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a CKA_ID that can be followed has 1 to 255 bytes, each written as two hex digits")]
pub struct CkaIdError;

impl CkaId {
    /// The CKA_LABEL, and as bytes the CKA_ID, of the key in a token that signs a ceremony's log, and of no other key.
    pub const CEREMONY_LOG: &str = "keyrite ceremony log";

    /// The id of the key that signs a ceremony's log. Its 20 bytes are no [`KeyId`].
    pub fn of_ceremony_log() -> Self {
        Self(Self::CEREMONY_LOG.as_bytes().into())
    }

    /// Whether it is that key's.
    pub fn is_of_ceremony_log(&self) -> bool {
        &*self.0 == Self::CEREMONY_LOG.as_bytes()
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The key id that it can be: it has 16 bytes. Whether it is one, the records tell.
    pub fn as_key_id(&self) -> Option<KeyId> {
        let bytes = <[u8; 16]>::try_from(&*self.0).ok()?;
        Some(KeyId::from_random(bytes))
    }
}

impl From<KeyId> for CkaId {
    fn from(id: KeyId) -> Self {
        Self(Box::new(*id.as_bytes()))
    }
}

impl From<&CkaId> for CkaId {
    fn from(id: &CkaId) -> Self {
        id.clone()
    }
}

impl TryFrom<&[u8]> for CkaId {
    type Error = CkaIdError;

    fn try_from(bytes: &[u8]) -> Result<Self, CkaIdError> {
        match bytes.len() {
            1..=255 => Ok(Self(bytes.into())),
            _ => Err(CkaIdError),
        }
    }
}

impl FromStr for CkaId {
    type Err = CkaIdError;

    fn from_str(text: &str) -> Result<Self, CkaIdError> {
        hex::decode(text).map_err(|_| CkaIdError)?.as_slice().try_into()
    }
}

impl fmt::Display for CkaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for CkaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CkaId({self})")
    }
}

written_as_text!(CkaId, CkaIdError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_to_255_bytes_are_taken() {
        for length in [1, 16, 20, 255] {
            let id = CkaId::try_from(&[0xa5; 255][..length]).unwrap();
            assert_eq!(id.to_string().parse(), Ok(id.clone()));
            assert_eq!(id.as_key_id().is_some(), length == 16);
        }
        assert!(CkaId::try_from(&[][..]).is_err() && CkaId::try_from(&[0; 256][..]).is_err());
        assert!(
            "0".parse::<CkaId>().is_err() && "".parse::<CkaId>().is_err() && "xy".parse::<CkaId>().is_err()
        );
        let ours = KeyId::from_random([7; 16]);
        assert_eq!(CkaId::from(ours).as_key_id(), Some(ours));
        let log = CkaId::of_ceremony_log();
        assert!(log.is_of_ceremony_log() && !CkaId::from(ours).is_of_ceremony_log());
        assert_eq!(log.as_key_id(), None);
    }
}
