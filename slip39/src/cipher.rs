//! The cipher between a master secret and what is split: four rounds of a Feistel network over PBKDF2 with HMAC-SHA-256.

use std::num::NonZeroU32;

use ring::pbkdf2;
use zeroize::Zeroizing;

use crate::passphrase::Passphrase;
use crate::share::Common;

/// Iterations of PBKDF2 in one of the four rounds at exponent 0: a quarter of 10,000 (SLIP-0039, "Encryption of the master secret").
const ITERATIONS: u32 = 2500;

/// The largest iteration exponent: it has four bits.
pub(crate) const MOST_EXPONENT: u8 = 15;

/// What is split in place of `secret`, whose length is even.
pub(crate) fn encrypt(secret: &[u8], passphrase: &Passphrase, common: &Common) -> Zeroizing<Vec<u8>> {
    feistel(secret, [0, 1, 2, 3], passphrase, common)
}

/// The secret that was encrypted. Another passphrase gives another secret.
pub(crate) fn decrypt(encrypted: &[u8], passphrase: &Passphrase, common: &Common) -> Zeroizing<Vec<u8>> {
    feistel(encrypted, [3, 2, 1, 0], passphrase, common)
}

fn feistel(input: &[u8], rounds: [u8; 4], passphrase: &Passphrase, common: &Common) -> Zeroizing<Vec<u8>> {
    let (left, right) = input.split_at(input.len() / 2);
    let mut left = Zeroizing::new(left.to_vec());
    let mut right = Zeroizing::new(right.to_vec());
    for round in rounds {
        let mask = round_function(round, &right, passphrase, common);
        for (byte, mask) in left.iter_mut().zip(mask.iter()) {
            *byte ^= mask;
        }
        std::mem::swap(&mut left, &mut right);
    }
    let mut output = Zeroizing::new(Vec::with_capacity(input.len()));
    output.extend_from_slice(&right);
    output.extend_from_slice(&left);
    output
}

fn round_function(round: u8, right: &[u8], passphrase: &Passphrase, common: &Common) -> Zeroizing<Vec<u8>> {
    let phrase = passphrase.as_bytes();
    let mut password = Zeroizing::new(Vec::with_capacity(1 + phrase.len()));
    password.push(round);
    password.extend_from_slice(phrase);
    let prefix = salt_prefix(common);
    let mut salt = Zeroizing::new(Vec::with_capacity(prefix.len() + right.len()));
    salt.extend_from_slice(&prefix);
    salt.extend_from_slice(right);
    let mut output = Zeroizing::new(vec![0; right.len()]);
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        iterations(common.iteration_exponent),
        &salt,
        &password,
        &mut output,
    );
    output
}

/// Iterations of a round. The exponent has four bits: at most 2500 * 2^15.
fn iterations(exponent: u8) -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add((ITERATIONS << exponent.min(MOST_EXPONENT)) - 1)
}

/// Extendable sets leave the identifier out, so that shares that are made later under another one give the same secret.
fn salt_prefix(common: &Common) -> Vec<u8> {
    if common.extendable {
        return Vec::new();
    }
    let [high, low] = common.identifier.to_be_bytes();
    [&b"shamir"[..], &[high, low]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::SecretString;

    fn common(identifier: u16, extendable: bool, iteration_exponent: u8) -> Common {
        Common {
            identifier,
            extendable,
            iteration_exponent,
            group_threshold: 1,
            group_count: 1,
        }
    }

    #[test]
    fn what_is_encrypted_comes_back() {
        let phrase = || Passphrase::try_from(SecretString::from("TREZOR")).unwrap();
        for (length, extendable, exponent) in [
            (16, false, 0),
            (16, true, 1),
            (32, true, 0),
            (34, false, 0),
            (66, true, 0),
        ] {
            let secret: Vec<u8> = (0..length).collect();
            let common = common(0x7abc, extendable, exponent);
            let encrypted = encrypt(&secret, &phrase(), &common);
            assert_ne!(*encrypted, secret);
            assert_eq!(*decrypt(&encrypted, &phrase(), &common), secret);
            assert_ne!(*decrypt(&encrypted, &Passphrase::empty(), &common), secret);
        }
    }

    #[test]
    fn the_identifier_matters_without_the_extendable_flag_only() {
        let encrypted = |identifier, extendable| {
            encrypt(&[7; 16], &Passphrase::empty(), &common(identifier, extendable, 0)).to_vec()
        };
        assert_eq!(encrypted(1, true), encrypted(2, true));
        assert_ne!(encrypted(1, false), encrypted(2, false));
        assert_ne!(encrypted(1, false), encrypted(1, true));
    }

    #[test]
    fn iterations_double_with_the_exponent() {
        for exponent in 0..=15 {
            assert_eq!(iterations(exponent).get(), 2500 << exponent);
        }
    }
}
