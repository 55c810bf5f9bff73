//! The private half of a key as a TPM keeps it, and whether it is that of a public area.

use p256::elliptic_curve::sec1::ToEncodedPoint;
use tss_esapi::structures::Public;
use zeroize::Zeroizing;

use crate::blob::{Kind, left_padded, only_sized, split_sized};
use crate::import::{ECC, RSA};

/// TPMT_SENSITIVE without its auth value (TPM 2.0 part 2, 12.3.2.4): it prints and copies in no way, and is wiped.
pub(crate) struct Sensitive {
    pub(crate) kind: [u8; 2],
    /// For a signing key usually empty.
    pub(crate) seed: Zeroizing<Vec<u8>>,
    /// One prime of an RSA key, or the scalar.
    pub(crate) secret: Zeroizing<Vec<u8>>,
}

/// Why a sensitive area is not that of a public one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SensitiveError {
    /// It is no sensitive area of such a key.
    #[error("the private part is none of such a key")]
    Form,
    /// The prime does not divide the modulus.
    #[error("the prime does not divide the modulus")]
    Prime,
    /// The scalar gives another point.
    #[error("the scalar gives another point")]
    Scalar,
}

impl Sensitive {
    /// Reads the sensitive area of that public one; its auth value is passed over.
    pub(crate) fn of(public: &Public, kind: Kind, area: &[u8]) -> Result<Self, SensitiveError> {
        let sensitive = Self::read(area).ok_or(SensitiveError::Form)?;
        match (public, kind) {
            (Public::Rsa { unique, .. }, Kind::Rsa { bits }) => {
                let length = usize::from(bits) / 16;
                if sensitive.kind != RSA || sensitive.secret.len() != length || unique.len() != 2 * length {
                    return Err(SensitiveError::Form);
                }
                if !divides(&sensitive.secret, unique) {
                    return Err(SensitiveError::Prime);
                }
            }
            (Public::Ecc { unique, .. }, Kind::P256 | Kind::P384) => {
                let length = kind.coordinate();
                if sensitive.kind != ECC || sensitive.secret.len() > length {
                    return Err(SensitiveError::Form);
                }
                let point = [
                    &[4],
                    &left_padded(unique.x(), length)[..],
                    &left_padded(unique.y(), length),
                ]
                .concat();
                if point_of(kind, &sensitive.secret) != Some(point) {
                    return Err(SensitiveError::Scalar);
                }
            }
            (Public::Rsa { .. } | Public::Ecc { .. }, _) => return Err(SensitiveError::Form),
            (Public::KeyedHash { .. } | Public::SymCipher { .. }, _) => return Err(SensitiveError::Form),
        }
        Ok(sensitive)
    }

    fn read(area: &[u8]) -> Option<Self> {
        let (kind, rest) = area.split_first_chunk()?;
        let (_auth, rest) = split_sized(rest)?;
        let (seed, rest) = split_sized(rest)?;
        let secret = only_sized(rest)?;
        Some(Self {
            kind: *kind,
            seed: Zeroizing::new(seed.to_vec()),
            secret: Zeroizing::new(secret.to_vec()),
        })
    }
}

/// The point that a scalar gives: 4, x and y; `None` for what is no scalar of the curve.
fn point_of(kind: Kind, scalar: &[u8]) -> Option<Vec<u8>> {
    let scalar = Zeroizing::new(left_padded(scalar, kind.coordinate()));
    let point = match kind {
        Kind::P256 => {
            let key = p256::SecretKey::from_slice(&scalar).ok()?;
            key.public_key().to_encoded_point(false).as_bytes().to_vec()
        }
        Kind::P384 => {
            let key = p384::SecretKey::from_slice(&scalar).ok()?;
            key.public_key().to_encoded_point(false).as_bytes().to_vec()
        }
        Kind::Rsa { .. } => return None,
    };
    Some(point)
}

/// Whether a number divides another, and is neither 0 nor 1; big-endian. Long division, in a remainder that is wiped: the crate rsa's
/// numbers leave theirs behind.
fn divides(divisor: &[u8], number: &[u8]) -> bool {
    let (Some((last, first)), true) = (divisor.split_last(), divisor.len() < number.len()) else {
        return false;
    };
    if *last < 2 && first.iter().all(|byte| *byte == 0) {
        return false;
    }
    // One byte more, for the bit that a doubled remainder has.
    let mut divisor_wide = Zeroizing::new(Vec::with_capacity(divisor.len() + 1));
    divisor_wide.push(0);
    divisor_wide.extend_from_slice(divisor);
    let mut remainder = Zeroizing::new(vec![0_u8; divisor_wide.len()]);
    for bit in number
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |place| (byte >> place) & 1))
    {
        let mut carry = bit;
        for byte in remainder.iter_mut().rev() {
            let out = *byte >> 7;
            *byte = (*byte << 1) | carry;
            carry = out;
        }
        if remainder[..] >= divisor_wide[..] {
            let mut borrow = false;
            for (byte, less) in remainder.iter_mut().zip(divisor_wide.iter()).rev() {
                let (first, under) = byte.overflowing_sub(*less);
                let (second, more) = first.overflowing_sub(u8::from(borrow));
                (*byte, borrow) = (second, under || more);
            }
        }
    }
    remainder.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn divides_as_numbers_do(a in 1_u64..=u64::MAX, b in 1_u64..=u64::MAX, more in 0_u64..3) {
            let product = u128::from(a) * u128::from(b) + u128::from(more);
            let expected = a > 1 && product % u128::from(a) == 0;
            prop_assert_eq!(divides(&a.to_be_bytes(), &product.to_be_bytes()), expected);
        }
    }

    #[test]
    fn what_is_no_divisor() {
        for (divisor, number) in [
            (&[][..], &[1, 2][..]),
            (&[0], &[1, 2]),
            (&[1], &[1, 2]),
            (&[0, 1], &[1, 2, 3]),
            (&[1, 2], &[1, 2]),
        ] {
            assert!(!divides(divisor, number), "{divisor:?} {number:?}");
        }
        assert!(divides(&[2], &[1, 2]));
    }
}
