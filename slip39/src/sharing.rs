//! One level of sharing: a secret as values of polynomials over the field, at an index for each share.

use ring::hmac;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::gf256::{invert, multiply};

/// Where the polynomials have the secret.
const SECRET_INDEX: u8 = 255;

/// Where they have the digest of the secret, and random bytes after it.
const DIGEST_INDEX: u8 = 254;

/// The digest's length, in bytes.
const DIGEST: usize = 4;

/// A share's value at its index.
pub(crate) struct Point<'a> {
    pub(crate) index: u8,
    pub(crate) value: &'a [u8],
}

/// Why values give no secret.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Fewer than the threshold.
    TooFew,
    /// The digest that they give is not that of the secret that they give.
    Digest,
    /// The value at this place of the list is not on the polynomials of the first ones.
    Disagrees(usize),
}

/// The values of `count` shares of `secret`, at the indexes from zero on. `threshold` is 1 to `count`.
pub(crate) fn split<E>(
    threshold: u8,
    count: u8,
    secret: &[u8],
    random: &mut impl FnMut(&mut [u8]) -> Result<(), E>,
) -> Result<Vec<Zeroizing<Vec<u8>>>, E> {
    if threshold == 1 {
        return Ok((0..count).map(|_| Zeroizing::new(secret.to_vec())).collect());
    }
    let mut drawn = Vec::with_capacity(usize::from(count));
    for _ in 0..threshold.saturating_sub(2) {
        let mut value = Zeroizing::new(vec![0; secret.len()]);
        random(&mut value)?;
        drawn.push(value);
    }
    let digest = with_digest(secret, random)?;
    let mut base: Vec<Point<'_>> = points(&drawn);
    base.push(Point {
        index: DIGEST_INDEX,
        value: &digest,
    });
    base.push(Point {
        index: SECRET_INDEX,
        value: secret,
    });
    let computed: Vec<_> = (threshold.saturating_sub(2)..count)
        .map(|index| interpolate(&base, index))
        .collect();
    drawn.extend(computed);
    Ok(drawn)
}

/// The secret that these values are of. The first ones, as many as the threshold, give it, and those after them must agree. The indexes
/// differ, and the lengths do not.
pub(crate) fn recover(threshold: u8, points: &[Point<'_>]) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let threshold = usize::from(threshold);
    let (base, extra) = points.split_at_checked(threshold).ok_or(Fault::TooFew)?;
    let secret = interpolate(base, SECRET_INDEX);
    if threshold > 1 {
        let digest = interpolate(base, DIGEST_INDEX);
        let (digest, random) = digest.split_at_checked(DIGEST).ok_or(Fault::Digest)?;
        if !bool::from(digest_of(&secret, random).ct_eq(digest)) {
            return Err(Fault::Digest);
        }
    }
    for (number, point) in extra.iter().enumerate() {
        if !bool::from(interpolate(base, point.index).ct_eq(point.value)) {
            return Err(Fault::Disagrees(threshold + number));
        }
    }
    Ok(secret)
}

/// Values as points at the indexes from zero on.
fn points(values: &[Zeroizing<Vec<u8>>]) -> Vec<Point<'_>> {
    (0..)
        .zip(values)
        .map(|(index, value)| Point { index, value })
        .collect()
}

/// The digest of a secret and the random bytes that it is keyed with, as long as the secret.
fn with_digest<E>(
    secret: &[u8],
    random: &mut impl FnMut(&mut [u8]) -> Result<(), E>,
) -> Result<Zeroizing<Vec<u8>>, E> {
    let mut key = Zeroizing::new(vec![0; secret.len().saturating_sub(DIGEST)]);
    random(&mut key)?;
    let mut value = Zeroizing::new(Vec::with_capacity(secret.len()));
    value.extend_from_slice(&*digest_of(secret, &key));
    value.extend_from_slice(&key);
    Ok(value)
}

/// The first bytes of HMAC-SHA-256.
fn digest_of(secret: &[u8], key: &[u8]) -> Zeroizing<[u8; DIGEST]> {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), secret);
    let mut digest = Zeroizing::new([0; DIGEST]);
    for (byte, of_tag) in digest.iter_mut().zip(tag.as_ref()) {
        *byte = *of_tag;
    }
    digest
}

/// The values at `index` of the polynomials of lowest degree through the points (Lagrange).
fn interpolate(points: &[Point<'_>], index: u8) -> Zeroizing<Vec<u8>> {
    let length = points.first().map_or(0, |point| point.value.len());
    let mut sum = Zeroizing::new(vec![0; length]);
    for (number, point) in points.iter().enumerate() {
        let (mut numerator, mut denominator) = (1, 1);
        for (other_number, other) in points.iter().enumerate() {
            if other_number != number {
                numerator = multiply(numerator, index ^ other.index);
                denominator = multiply(denominator, point.index ^ other.index);
            }
        }
        let weight = multiply(numerator, invert(denominator));
        for (byte, value) in sum.iter_mut().zip(point.value) {
            *byte ^= multiply(*value, weight);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    /// Bytes that repeat late enough for no two values to be the same.
    fn counting() -> impl FnMut(&mut [u8]) -> Result<(), Infallible> {
        let mut state = 1u32;
        move |bytes| {
            for byte in bytes {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *byte = state.to_be_bytes()[0];
            }
            Ok(())
        }
    }

    fn shares(threshold: u8, count: u8, secret: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
        let Ok(values) = split(threshold, count, secret, &mut counting());
        assert_eq!(values.len(), usize::from(count));
        values
    }

    #[test]
    fn a_polynomial_goes_through_its_points_and_has_the_degree() {
        // 3 + 5x + 7x^2 at the first byte, x^2 at the second.
        let value = |x: u8| [3 ^ multiply(5, x) ^ multiply(7, multiply(x, x)), multiply(x, x)];
        let values = [value(1), value(9), value(200)];
        let points = [1, 9, 200].map(|index| match index {
            1 => Point {
                index,
                value: &values[0],
            },
            9 => Point {
                index,
                value: &values[1],
            },
            _ => Point {
                index,
                value: &values[2],
            },
        });
        for x in 0..=255 {
            assert_eq!(*interpolate(&points, x), value(x), "{x}");
        }
    }

    #[test]
    fn every_subset_of_threshold_and_more_gives_the_secret() {
        let secret: Vec<u8> = (0..32).collect();
        for (threshold, count) in [(1, 1), (2, 2), (2, 3), (3, 5), (5, 7), (8, 8)] {
            let values = shares(threshold, count, &secret);
            let all = points(&values);
            for chosen in 0u32..1 << count {
                let subset: Vec<_> = all
                    .iter()
                    .filter(|point| chosen >> point.index & 1 == 1)
                    .map(|point| Point { ..*point })
                    .collect();
                let recovered = recover(threshold, &subset);
                if subset.len() < usize::from(threshold) {
                    assert_eq!(recovered.err(), Some(Fault::TooFew));
                } else {
                    assert_eq!(*recovered.unwrap(), secret);
                }
            }
        }
    }

    #[test]
    fn a_changed_value_is_noticed_by_the_digest_or_told_by_its_place() {
        let secret = [9; 16];
        let mut values = shares(3, 5, &secret);
        values[1][3] ^= 1;
        assert_eq!(recover(3, &points(&values)).err(), Some(Fault::Digest));
        values[1][3] ^= 1;
        values[4][15] ^= 0x80;
        assert_eq!(recover(3, &points(&values)).err(), Some(Fault::Disagrees(4)));
        assert_eq!(*recover(3, &points(&values[..4])).unwrap(), secret);
    }

    #[test]
    fn what_the_generator_says_is_handed_on() {
        let mut left = 2;
        let mut failing = |bytes: &mut [u8]| {
            bytes.fill(7);
            left -= 1;
            if left < 0 { Err("no bytes") } else { Ok(()) }
        };
        assert_eq!(split(4, 5, &[0; 16], &mut failing).err(), Some("no bytes"));
    }
}
