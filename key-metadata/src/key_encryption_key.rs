//! The key that keys leave a token under, and what was wrapped by it, opened without a token.

use aes_kw::{KeyInit, KwpAes256};
use spki::der::{Encode, Reader, SliceReader, Tag};
use zeroize::Zeroizing;

use crate::advice::Advice;

/// An AES-256 key that wraps private keys, and nothing else. It leaves this process only in the encrypted part of a backup bundle; so it
/// prints, copies and serialises in no way, and is wiped when it is dropped.
pub struct KeyEncryptionKey(Zeroizing<[u8; Self::LENGTH]>);

/// Why what was wrapped does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenWrappedError {
    /// Bytes that RFC 5649 cannot have made.
    #[error("a wrapped private key has three or more times 8 bytes, this one has {found}")]
    Length {
        /// How many there are.
        found: usize,
    },
    /// The check of RFC 5649 fails.
    #[error("the wrapped key was changed, or another key wrapped it")]
    Integrity,
    /// It opens, and what is in it is no DER SEQUENCE with nothing but zeros behind it.
    #[error("what was wrapped is no private key in DER (PKCS#8)")]
    NotDer,
}

impl Advice for OpenWrappedError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Length { .. } | Self::Integrity => Some(
                "take another copy of the backup; if all are alike, check that key and blob are of one bundle"
                    .to_owned(),
            ),
            Self::NotDer => Some("the token that wrapped it does not follow PKCS#11, 6.13.3".to_owned()),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Length { .. } | Self::Integrity | Self::NotDer => false,
        }
    }
}

impl KeyEncryptionKey {
    /// Bytes of AES-256.
    pub const LENGTH: usize = 32;

    /// The key of these bytes, which come from a generator or from a bundle.
    pub const fn new(bytes: Zeroizing<[u8; Self::LENGTH]>) -> Self {
        Self(bytes)
    }

    /// Its bytes, for the token that is to wrap with it and for the bundle that is to keep it.
    pub fn expose(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// The PKCS#8 private key (RFC 5958) that was wrapped, in DER.
    ///
    /// By RFC 5649, whose check finds every change. SoftHSM fills the private key up with zeros to a multiple of 8 bytes before it wraps
    /// it, which are dropped here.
    pub fn open(&self, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenWrappedError> {
        let found = wrapped.len();
        let inside = match found.checked_sub(8) {
            Some(inside) if inside >= 16 && found.is_multiple_of(8) => inside,
            Some(_) | None => return Err(OpenWrappedError::Length { found }),
        };
        let mut opened = Zeroizing::new(vec![0; inside]);
        let length = KwpAes256::new(self.expose().into())
            .unwrap_key(wrapped, &mut opened)
            .map_err(|_| OpenWrappedError::Integrity)?
            .len();
        opened.truncate(length);
        let length = sequence_length(&opened).ok_or(OpenWrappedError::NotDer)?;
        match opened.get(length..) {
            Some(rest) if rest.iter().all(|byte| *byte == 0) => {}
            Some(_) | None => return Err(OpenWrappedError::NotDer),
        }
        opened.truncate(length);
        Ok(opened)
    }
}

/// Bytes of the SEQUENCE that these begin with, its header included.
fn sequence_length(bytes: &[u8]) -> Option<usize> {
    let header = SliceReader::new(bytes).ok()?.peek_header().ok()?;
    let length = (header.encoded_len().ok()? + header.length).ok()?;
    (header.tag == Tag::Sequence).then_some(usize::try_from(length).ok()?)
}
