//! The secret that opens a bundle's payload.

use ring::hkdf;
use secrecy::SecretString;
use zeroize::Zeroizing;

/// How many bytes it has: 256 bits, of which SLIP-0039 makes 33 words a share.
pub const LENGTH: usize = 32;
/// What HKDF is salted with; it says what for.
const SALT: &[u8] = b"keyrite backup secret v1";

/// S of the bundle: 256 random bits. In lower-case hex it is the passphrase of `payload.age`.
///
/// It is never written, but split: m shares of n give it back.
pub struct BundleSecret(Zeroizing<[u8; LENGTH]>);

/// Why there is no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// A source that gives fewer bits than the secret has.
    #[error("a source of randomness gave {found} bytes, at least {LENGTH} are needed")]
    Short {
        /// How many it gave.
        found: usize,
    },
    /// Another length than the secret has.
    #[error("the shares give {found} bytes, a bundle's secret has {LENGTH}")]
    Length {
        /// How many.
        found: usize,
    },
    /// HKDF failed.
    #[error("the secret could not be derived")]
    Derive,
}

impl BundleSecret {
    /// Drawn from several sources, each of at least 32 bytes, so that the best of them decides (HKDF-SHA-256, RFC 5869), and from dice beside
    /// them: `dice` may be empty.
    pub fn draw(sources: &[&[u8]], dice: &[u8]) -> Result<Self, SecretError> {
        if let Some(short) = sources.iter().find(|source| source.len() < LENGTH) {
            return Err(SecretError::Short { found: short.len() });
        }
        if sources.is_empty() {
            return Err(SecretError::Short { found: 0 });
        }
        let length = sources.iter().map(|source| source.len() + 4).sum::<usize>() + dice.len() + 4;
        let mut material = Zeroizing::new(Vec::with_capacity(length));
        for part in sources.iter().chain([&dice]) {
            // With its length, so that no two ways to divide the bytes are the same.
            let length = u32::try_from(part.len()).map_err(|_| SecretError::Derive)?;
            material.extend_from_slice(&length.to_be_bytes());
            material.extend_from_slice(part);
        }
        let derived = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(&material);
        let mut secret = Zeroizing::new([0; LENGTH]);
        derived
            .expand(&[b"S"], hkdf::HKDF_SHA256)
            .and_then(|output| output.fill(&mut *secret))
            .map_err(|_| SecretError::Derive)?;
        Ok(Self(secret))
    }

    /// The one that shares gave back.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SecretError> {
        let wrong = |_| SecretError::Length { found: bytes.len() };
        Ok(Self(Zeroizing::new(bytes.try_into().map_err(wrong)?)))
    }

    /// Its bytes, which are what is split.
    pub fn expose(&self) -> &[u8; LENGTH] {
        &self.0
    }

    /// The passphrase of `payload.age`.
    pub fn passphrase(&self) -> SecretString {
        let mut digits = Zeroizing::new([0_u8; 2 * LENGTH]);
        // Two digits for each byte fit.
        let _ = hex::encode_to_slice(*self.0, &mut *digits);
        std::str::from_utf8(&*digits)
            .map_or_else(|_| String::new(), str::to_owned)
            .into()
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn every_source_decides() {
        let draw = |first: u8, second: u8, dice: &[u8]| {
            *BundleSecret::draw(&[&[first; 32], &[second; 32]], dice)
                .unwrap()
                .expose()
        };
        let all = [
            draw(1, 2, b""),
            draw(1, 3, b""),
            draw(2, 2, b""),
            draw(1, 2, b"6"),
            draw(1, 2, b"66"),
        ];
        for (place, secret) in all.iter().enumerate() {
            assert!(all[place + 1..].iter().all(|other| other != secret));
        }
        assert_eq!(draw(1, 2, b"6"), draw(1, 2, b"6"));
        assert!(BundleSecret::draw(&[&[0; 31]], b"").is_err());
        assert!(BundleSecret::draw(&[], b"123456").is_err());
    }

    #[test]
    fn the_passphrase_is_lower_case_hex() {
        let secret = BundleSecret::from_bytes(&[0xab; 32]).unwrap();
        assert_eq!(secret.passphrase().expose_secret(), "ab".repeat(32));
        assert!(BundleSecret::from_bytes(&[0; 16]).is_err());
    }
}
