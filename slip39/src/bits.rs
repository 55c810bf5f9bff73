//! Bytes as numbers of ten bits, and back; big-endian, filled up with zeros on the left.

use zeroize::Zeroizing;

/// Bits of a word.
pub(crate) const WORD_BITS: usize = 10;

/// The numbers of ten bits that `bytes` are written as.
pub(crate) fn to_words(bytes: &[u8]) -> Zeroizing<Vec<u16>> {
    let count = (bytes.len() * 8).div_ceil(WORD_BITS);
    let mut words = Zeroizing::new(Vec::with_capacity(count));
    // So many bits of `held` are not in a word yet; at first those that fill up.
    let mut bits = count * WORD_BITS - bytes.len() * 8;
    let mut held = 0u32;
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        if bits >= WORD_BITS {
            bits -= WORD_BITS;
            words.push(lowest_ten(held >> bits));
            held &= (1 << bits) - 1;
        }
    }
    words
}

/// How many of the bits of `count` words fill up: what is over when they are taken in pairs of bytes. More than eight means that no secret
/// has so many words.
pub(crate) fn padding(count: usize) -> usize {
    count * WORD_BITS % 16
}

/// The bytes that are written as `words`, or none if a bit that fills up is set.
pub(crate) fn to_bytes(words: &[u16]) -> Option<Zeroizing<Vec<u8>>> {
    let padding = padding(words.len());
    let mut bytes = Zeroizing::new(Vec::with_capacity((words.len() * WORD_BITS - padding) / 8));
    let mut bits = 0;
    let mut held = 0u32;
    for (number, word) in words.iter().enumerate() {
        held = held << WORD_BITS | u32::from(*word);
        bits += WORD_BITS;
        if number == 0 {
            bits = bits.checked_sub(padding)?;
            if held >> bits != 0 {
                return None;
            }
        }
        while bits >= 8 {
            bits -= 8;
            let [.., byte] = (held >> bits).to_be_bytes();
            bytes.push(byte);
            held &= (1 << bits) - 1;
        }
    }
    Some(bytes)
}

/// A word of `number`'s lowest ten bits.
pub(crate) fn lowest_ten(number: u32) -> u16 {
    let [.., high, low] = number.to_be_bytes();
    u16::from_be_bytes([high & 0x03, low])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_number_in_base_1024() {
        assert_eq!(*to_words(&[0xff; 16]), [vec![0xff], vec![0x3ff; 12]].concat());
        assert_eq!(*to_words(&[0, 1]), [0, 1]);
        assert_eq!(*to_words(&[0x04, 0x01]), [1, 1]);
    }

    #[test]
    fn bytes_come_back_and_a_set_bit_before_them_is_refused() {
        for length in (2..=1270).step_by(2) {
            let bytes: Vec<u8> = (0..=255)
                .cycle()
                .skip(length)
                .take(length)
                .map(|byte: u8| byte.wrapping_mul(151))
                .collect();
            let mut words = to_words(&bytes);
            assert_eq!(words.len(), (length * 8).div_ceil(10));
            assert_eq!(*to_bytes(&words).unwrap(), bytes);
            for bit in 1..=padding(words.len()) {
                words[0] ^= 1 << (WORD_BITS - bit);
                assert!(to_bytes(&words).is_none());
                words[0] ^= 1 << (WORD_BITS - bit);
            }
        }
    }
}
