//! A share that is not as it was made is refused.

use proptest::prelude::*;
use slip39::{Share, ShareError};

use crate::{WORDS, random, shares, words};

/// A share of a secret of 128 and one of 256 bits.
fn two() -> [String; 2] {
    [
        words(&shares(&random::<16>(), 2, 3)[0]),
        words(&shares(&random::<32>(), 5, 7)[6]),
    ]
}

#[test]
fn every_other_word_at_every_place_is_refused() {
    let list: Vec<&str> = WORDS.lines().collect();
    let mut tried = 0;
    for mnemonic in two() {
        let right: Vec<&str> = mnemonic.split(' ').collect();
        for place in 0..right.len() {
            let mut wrong = right.clone();
            for word in list.iter().filter(|word| **word != right[place]) {
                wrong[place] = word;
                assert!(
                    matches!(Share::parse(&wrong.join(" ")), Err(ShareError::Checksum)),
                    "{place} {word}"
                );
                tried += 1;
            }
        }
    }
    eprintln!("single words: {tried} changes were refused");
    assert_eq!(tried, (20 + 33) * 1023);
}

#[test]
fn every_flipped_bit_of_the_text_is_refused_or_changes_a_letters_case() {
    let (mut refused, mut cases) = (0, 0);
    for mnemonic in two() {
        let value = Share::parse(&mnemonic).unwrap().value().to_vec();
        for at in 0..mnemonic.len() {
            for bit in 0..8 {
                let mut bytes = mnemonic.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                // What is no UTF-8 does not get as far as here.
                let Ok(text) = String::from_utf8(bytes) else {
                    refused += 1;
                    continue;
                };
                match Share::parse(&text) {
                    Err(_) => refused += 1,
                    Ok(share) => {
                        assert!(text.eq_ignore_ascii_case(&mnemonic), "{at} {bit}");
                        assert_eq!(share.value(), value);
                        cases += 1;
                    }
                }
            }
        }
    }
    eprintln!("bits of the text: {refused} flips were refused, {cases} were capital letters");
}

#[test]
fn a_word_too_many_or_too_few_or_in_another_place_is_refused() {
    for mnemonic in two() {
        let right: Vec<&str> = mnemonic.split(' ').collect();
        for place in 0..right.len() {
            let mut fewer = right.clone();
            fewer.remove(place);
            assert!(Share::parse(&fewer.join(" ")).is_err(), "without word {place}");
            let mut more = right.clone();
            more.insert(place, right[place]);
            assert!(Share::parse(&more.join(" ")).is_err(), "word {place} twice");
            for other in 0..place {
                let mut swapped = right.clone();
                swapped.swap(place, other);
                assert_eq!(
                    Share::parse(&swapped.join(" ")).is_ok(),
                    swapped == right,
                    "words {place} and {other}"
                );
            }
        }
    }
}

proptest! {
    /// What the code guarantees: at most three wrong words are always noticed.
    #[test]
    fn three_wrong_words_are_refused(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 0..1024usize), 1..=3),
    ) {
        let list: Vec<&str> = WORDS.lines().collect();
        for mnemonic in two() {
            let right: Vec<&str> = mnemonic.split(' ').collect();
            let mut wrong = right.clone();
            for (place, word) in &changes {
                wrong[place.index(right.len())] = list[*word];
            }
            prop_assert_eq!(Share::parse(&wrong.join(" ")).is_ok(), wrong == right);
        }
    }
}
