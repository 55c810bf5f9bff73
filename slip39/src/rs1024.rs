//! RS1024, the checksum of a share: three words, so that up to three wrong words of a share are always noticed.

use std::hint::black_box;

use crate::bits::lowest_ten;

/// Words of a checksum.
pub(crate) const CHECKSUM_WORDS: usize = 3;

/// The constants of the code (SLIP-0039, "Checksum").
const GENERATOR: [u32; 10] = [
    0x00e0_e040,
    0x01c1_c080,
    0x0383_8100,
    0x0707_0200,
    0x0e0e_0009,
    0x1c0c_2412,
    0x3808_6c24,
    0x3090_fc48,
    0x21b1_f890,
    0x03f3_f120,
];

/// What the checksum of a share begins with, by its extendable flag.
fn customization(extendable: bool) -> &'static [u8] {
    if extendable {
        b"shamir_extendable"
    } else {
        b"shamir"
    }
}

/// The words that make a share of `words`.
pub(crate) fn checksum(words: &[u16], extendable: bool) -> [u16; CHECKSUM_WORDS] {
    let rest = remainder(words.iter().copied().chain([0; CHECKSUM_WORDS]), extendable) ^ 1;
    [lowest_ten(rest >> 20), lowest_ten(rest >> 10), lowest_ten(rest)]
}

/// Whether the last words are the checksum of the others.
pub(crate) fn is_valid(words: &[u16], extendable: bool) -> bool {
    remainder(words.iter().copied(), extendable) == 1
}

/// The words as a polynomial over the field of 1024 elements, modulo the code's.
fn remainder(words: impl Iterator<Item = u16>, extendable: bool) -> u32 {
    let mut rest = 1u32;
    for word in customization(extendable)
        .iter()
        .map(|byte| u16::from(*byte))
        .chain(words)
    {
        let high = rest >> 20;
        rest = (rest & 0x000f_ffff) << 10 ^ u32::from(word);
        for (bit, constant) in GENERATOR.iter().enumerate() {
            rest ^= constant & black_box((high >> bit & 1).wrapping_neg());
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_valid_under_its_own_flag_only() {
        let words: Vec<u16> = (0..30).map(|n| n * 33).collect();
        for extendable in [false, true] {
            let share = [&words[..], &checksum(&words, extendable)].concat();
            assert!(is_valid(&share, extendable));
            assert!(!is_valid(&share, !extendable));
        }
    }
}
