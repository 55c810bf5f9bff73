//! No text makes the reader panic, and what it reads it writes so that it reads the same.

use proptest::prelude::*;
use slip39::Share;

use crate::{WORDS, random, shares, words};

fn reads_or_refuses(text: &str) {
    if let Ok(share) = Share::parse(text) {
        let again = Share::parse(&words(&share)).unwrap();
        assert_eq!(words(&again), words(&share));
        assert_eq!(again.value(), share.value());
    }
}

/// Whatever may stand where a word does.
fn token() -> impl Strategy<Value = String> {
    let list: Vec<&str> = WORDS.lines().collect();
    prop_oneof![
        20 => proptest::sample::select(list).prop_map(str::to_owned),
        1 => "[0-9]{0,25}[.):]?[a-zA-Z]{0,9}",
        1 => "\\PC{0,9}",
    ]
}

/// How a word may be typed: which letters are capital, what stands before it (`#` is its number), and what after it.
fn manner() -> impl Strategy<Value = (u8, &'static str, &'static str)> {
    let before = ["", "", "# ", "#.", "#) ", "#:\n", "0#.\t"];
    let after = [" ", "  ", "\n", "\r\n", "\t", "\u{a0}"];
    (
        any::<u8>(),
        proptest::sample::select(before.to_vec()),
        proptest::sample::select(after.to_vec()),
    )
}

fn typed(mnemonic: &str, manners: &[(u8, &str, &str)]) -> String {
    (1..)
        .zip(mnemonic.split(' ').zip(manners))
        .map(|(number, (word, (capitals, before, after)))| {
            let letter = |(place, letter): (usize, char)| match capitals >> (place % 8) & 1 {
                1 => letter.to_ascii_uppercase(),
                _ => letter,
            };
            let word: String = word.chars().enumerate().map(letter).collect();
            format!("{}{word}{after}", before.replace('#', &number.to_string()))
        })
        .collect()
}

proptest! {
    #[test]
    fn a_share_in_any_manner_of_typing(manners in proptest::collection::vec(manner(), 33)) {
        let mnemonic = words(&shares(&random::<32>(), 2, 3)[1]);
        let text = typed(&mnemonic, &manners);
        prop_assert_eq!(words(&Share::parse(&text).unwrap()), mnemonic);
    }

    #[test]
    fn any_text(text in "\\PC{0,400}") {
        reads_or_refuses(&text);
    }

    #[test]
    fn any_bytes_that_are_text(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        reads_or_refuses(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_words(tokens in proptest::collection::vec(token(), 0..70), separator in "[ \t\r\n]{1,3}") {
        reads_or_refuses(&tokens.join(&separator));
    }
}
