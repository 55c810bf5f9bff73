//! Shares of a secret: one group.

use key_metadata::Advice;
use zeroize::Zeroizing;

use crate::cipher::{MOST_EXPONENT, encrypt};
use crate::passphrase::Passphrase;
use crate::share::{Common, LONGEST, Place, SHORTEST, Share};
use crate::sharing;

/// The most shares of a group: an index has four bits.
const MOST_MEMBERS: u8 = 16;

/// Why no shares were made. `E` is what the random number generator says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError<E: std::error::Error + 'static> {
    /// A threshold above the number of shares, a number that no group has, or several shares that each give the secret alone.
    #[error("a secret cannot be split {threshold} of {count}")]
    Threshold {
        /// Shares that would be needed.
        threshold: u8,
        /// Shares.
        count: u8,
    },
    /// A secret that is too short, too long, or of an odd number of bytes.
    #[error("a secret of {length} bytes cannot be split")]
    SecretLength {
        /// The secret's length, in bytes.
        length: usize,
    },
    /// An exponent of more than four bits.
    #[error("the iteration exponent {exponent} is larger than {MOST_EXPONENT}")]
    IterationExponent {
        /// The exponent.
        exponent: u8,
    },
    /// The random number generator failed.
    #[error("there are no random bytes for the shares")]
    Random(#[source] E),
}

impl<E: Advice + 'static> Advice for SplitError<E> {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Threshold { .. } => Some(format!(
                "2 of 3 and 5 of 7 are usual; there are at most {MOST_MEMBERS} shares, and a share that is enough alone is the only one"
            )),
            Self::SecretLength { .. } => Some(format!(
                "it has {SHORTEST} to {LONGEST} bytes, and an even number of them"
            )),
            Self::IterationExponent { .. } => None,
            Self::Random(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Random(error) => error.is_credential(),
            Self::Threshold { .. } | Self::SecretLength { .. } | Self::IterationExponent { .. } => false,
        }
    }
}

/// Splits `secret` into `member_count` shares, of which any `member_threshold` give it back; in the order of their indexes.
///
/// The secret has 16 to 1270 bytes and an even number of them, and at least 128 bits of it are random (SLIP-0039, "Digest"). There are 2
/// to 16 shares with a threshold of at least 2, or one that is enough alone. `iteration_exponent` is 0 to 15: PBKDF2 runs 10,000 *
/// 2^exponent iterations, which slows down whoever guesses the passphrase, and matters to nobody where there is none.
///
/// `random` fills its argument with random bytes that are fit for keys. It is asked for the identifier first (2 bytes), then for the values
/// of the first shares, then for the digest's key, as the reference implementation does.
pub fn split<E: std::error::Error + 'static>(
    secret: &[u8],
    member_threshold: u8,
    member_count: u8,
    iteration_exponent: u8,
    passphrase: &Passphrase,
    mut random: impl FnMut(&mut [u8]) -> Result<(), E>,
) -> Result<Vec<Share>, SplitError<E>> {
    let is_alone = member_threshold == 1 && member_count == 1;
    let is_shared = 2 <= member_threshold && member_threshold <= member_count && member_count <= MOST_MEMBERS;
    if !is_alone && !is_shared {
        return Err(SplitError::Threshold {
            threshold: member_threshold,
            count: member_count,
        });
    }
    if !(SHORTEST..=LONGEST).contains(&secret.len()) || !secret.len().is_multiple_of(2) {
        return Err(SplitError::SecretLength { length: secret.len() });
    }
    if iteration_exponent > MOST_EXPONENT {
        return Err(SplitError::IterationExponent {
            exponent: iteration_exponent,
        });
    }
    let mut identifier = [0; 2];
    random(&mut identifier).map_err(SplitError::Random)?;
    let common = Common {
        identifier: u16::from_be_bytes(identifier) & 0x7fff,
        extendable: true,
        iteration_exponent,
        group_threshold: 1,
        group_count: 1,
    };
    let encrypted = encrypt(secret, passphrase, &common);
    let values = sharing::split(member_threshold, member_count, &encrypted, &mut random)
        .map_err(SplitError::Random)?;
    Ok((0..)
        .zip(values)
        .map(|(member_index, value)| share(common, member_index, member_threshold, value))
        .collect())
}

fn share(common: Common, member_index: u8, member_threshold: u8, value: Zeroizing<Vec<u8>>) -> Share {
    Share {
        common,
        place: Place {
            group_index: 0,
            member_index,
            member_threshold,
        },
        value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn zeros(bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(0xff);
        Ok(())
    }

    fn shares(
        length: usize,
        threshold: u8,
        count: u8,
        exponent: u8,
    ) -> Result<Vec<Share>, SplitError<Infallible>> {
        split(
            &vec![5; length],
            threshold,
            count,
            exponent,
            &Passphrase::empty(),
            zeros,
        )
    }

    #[test]
    fn thresholds_are_those_that_protect() {
        for threshold in 0..=18 {
            for count in 0..=18 {
                let may = (threshold, count) == (1, 1) || (2..=count).contains(&threshold) && count <= 16;
                match shares(16, threshold, count, 0) {
                    Ok(shares) => assert!(may && shares.len() == usize::from(count)),
                    Err(error) => assert!(!may && matches!(error, SplitError::Threshold { .. })),
                }
            }
        }
    }

    #[test]
    fn a_secret_has_an_even_length_within_the_limits() {
        for length in [0, 14, 15, 17, 31, 33, 1271, 1272] {
            assert!(
                matches!(shares(length, 2, 3, 0), Err(SplitError::SecretLength { length: told }) if told == length)
            );
        }
        for length in [16, 18, 32, 64, 1270] {
            assert!(shares(length, 2, 3, 0).is_ok(), "{length}");
        }
    }

    #[test]
    fn an_exponent_has_four_bits() {
        assert!(matches!(
            shares(16, 2, 3, 16),
            Err(SplitError::IterationExponent { exponent: 16 })
        ));
    }

    #[test]
    fn shares_are_of_one_extendable_group() {
        for (index, share) in (0..).zip(shares(32, 3, 5, 1).unwrap()) {
            assert_eq!(
                (
                    share.identifier(),
                    share.is_extendable(),
                    share.iteration_exponent()
                ),
                (0x7fff, true, 1)
            );
            assert_eq!(
                (share.group_index(), share.group_threshold(), share.group_count()),
                (0, 1, 1)
            );
            assert_eq!((share.member_index(), share.member_threshold()), (index, 3));
            assert_eq!(share.value().len(), 32);
        }
    }
}
