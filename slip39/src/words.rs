//! The 1024 words of SLIP-0039. A word is looked up by comparing with all of them, so that no access to memory depends on which it is.

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

/// The list as the specification's authors publish it.
const LIST: &str = include_str!("../data/wordlist.txt");

/// Words of the list.
const COUNT: usize = 1024;

/// The longest word, in letters.
const LONGEST: usize = 8;

/// Each word as the number that its letters are in base 256.
static PACKED: [u64; COUNT] = packed();

const fn packed() -> [u64; COUNT] {
    let bytes = LIST.as_bytes();
    let mut packed = [0; COUNT];
    let (mut word, mut at) = (0, 0);
    while at < bytes.len() {
        if bytes[at] == b'\n' {
            word += 1;
        } else {
            packed[word] = packed[word] << 8 | bytes[at] as u64;
        }
        at += 1;
    }
    assert!(word == COUNT, "the list has 1024 words");
    packed
}

/// The index of a word, in capital or small letters; none if the list has not got it.
pub(crate) fn index_of(word: &str) -> Option<u16> {
    if word.len() > LONGEST || !word.bytes().all(|letter| letter.is_ascii_alphabetic()) {
        return None;
    }
    let mut sought = Zeroizing::new(0u64);
    for letter in word.bytes() {
        *sought = *sought << 8 | u64::from(letter | 0x20);
    }
    let (mut index, mut is_found) = (0, Choice::from(0));
    for (number, candidate) in (0u16..).zip(&PACKED) {
        let is_same = candidate.ct_eq(&sought);
        index.conditional_assign(&number, is_same);
        is_found |= is_same;
    }
    bool::from(is_found).then_some(index)
}

/// The letters of a word, the last ones of the eight; those before are zero. An index that is too large gives zeros.
pub(crate) fn letters(index: u16) -> Zeroizing<[u8; LONGEST]> {
    let mut word = Zeroizing::new(0u64);
    for (number, candidate) in (0u16..).zip(&PACKED) {
        word.conditional_assign(candidate, number.ct_eq(&index));
    }
    Zeroizing::new(word.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_has_its_index_and_each_index_its_word() {
        for (number, word) in LIST.lines().enumerate() {
            let number = u16::try_from(number).unwrap();
            assert_eq!(index_of(word), Some(number));
            assert_eq!(index_of(&word.to_uppercase()), Some(number));
            let letters = letters(number);
            assert_eq!(&letters[LONGEST - word.len()..], word.as_bytes());
            assert!(letters[..LONGEST - word.len()].iter().all(|letter| *letter == 0));
        }
        assert_eq!(*letters(1024), [0; LONGEST]);
    }

    /// What the specification says of the list ("Wordlist").
    #[test]
    fn the_list_is_sorted_and_four_letters_tell_a_word() {
        let words: Vec<&str> = LIST.lines().collect();
        assert_eq!(words.len(), COUNT);
        assert!(words.iter().all(|word| (4..=LONGEST).contains(&word.len())));
        assert!(words.is_sorted());
        assert!(words.windows(2).all(|pair| pair[0][..4] < pair[1][..4]));
    }

    #[test]
    fn what_is_no_word_of_the_list_has_no_index() {
        for text in [
            "",
            "aca",
            "academi",
            "academics",
            "\0acid",
            "acid\0",
            "acid ",
            "ac\u{131}d",
            "zzzz",
            "aci`",
            "ACI\u{44}\u{301}",
        ] {
            assert_eq!(index_of(text), None, "{text:?}");
        }
    }
}
