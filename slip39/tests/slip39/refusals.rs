//! What is wrong with a set of shares has an error of its own, and no error has a word of a share in it.

use key_metadata::Advice;
use slip39::{CombineError, Passphrase, Share, ShareError, combine};

use crate::{WORDS, again, again_all, random, shares, words};

fn refusal(shares: &[Share]) -> CombineError {
    let error = combine(shares, &Passphrase::empty()).err().unwrap();
    assert!(error.hint().is_some_and(|hint| !hint.is_empty()));
    assert!(!error.is_credential());
    error
}

#[test]
fn no_shares_at_all() {
    assert_eq!(refusal(&[]), CombineError::Empty);
}

#[test]
fn one_share_less_than_are_needed() {
    for (threshold, count) in [(2, 3), (5, 7), (16, 16)] {
        let shares = shares(&random::<32>(), threshold, count);
        let need = usize::from(threshold);
        assert_eq!(
            refusal(&shares[1..need]),
            CombineError::TooFew { have: need - 1, need }
        );
    }
    let error = refusal(&shares(&random::<32>(), 3, 5)[..2]);
    assert_eq!(error.to_string(), "2 of the 3 shares that are needed are here");
}

#[test]
fn a_share_of_another_set_is_told_by_its_position() {
    let ours = shares(&random::<32>(), 3, 5);
    let others = shares(&random::<32>(), 3, 5);
    if ours[0].identifier() == others[0].identifier() {
        return a_share_of_another_set_is_told_by_its_position();
    }
    for position in 0..4 {
        let mut set = again_all(&ours[..3]);
        set.insert(position, again(&others[4]));
        assert_eq!(refusal(&set), CombineError::Foreign { position });
    }
    // One of each: the first one counts.
    assert_eq!(
        refusal(&again_all([&ours[0], &others[1]])),
        CombineError::Foreign { position: 1 }
    );
    assert_eq!(
        CombineError::Foreign { position: 1 }.to_string(),
        "share 2 is of another set than the others"
    );
}

#[test]
fn a_doubled_share_is_told_by_its_positions() {
    let shares = shares(&random::<32>(), 2, 3);
    assert_eq!(
        refusal(&again_all([&shares[1], &shares[1]])),
        CombineError::Doubled { first: 0, second: 1 }
    );
    assert_eq!(
        refusal(&again_all([&shares[0], &shares[2], &shares[1], &shares[2]])),
        CombineError::Doubled { first: 1, second: 3 }
    );
}

/// Shares of another secret under the same identifier: only the digest tells them.
#[test]
fn a_forged_share_is_told_by_the_digest_or_by_the_others() {
    let set = |fill: u8| {
        let mut is_first = true;
        let random = move |bytes: &mut [u8]| {
            bytes.fill(if is_first { 1 } else { fill });
            is_first = false;
            Ok::<(), std::convert::Infallible>(())
        };
        slip39::split(&[fill; 32], 2, 3, 0, &Passphrase::empty(), random).unwrap()
    };
    let (ours, others) = (set(3), set(4));
    assert_eq!(ours[0].identifier(), others[0].identifier());
    assert_eq!(refusal(&again_all([&ours[0], &others[1]])), CombineError::Digest);
    assert_eq!(
        refusal(&again_all([&ours[0], &ours[1], &others[2]])),
        CombineError::Disagrees { position: 2 }
    );
    assert_eq!(
        refusal(&again_all([&ours[0], &others[0]])),
        CombineError::Contradiction { first: 0, second: 1 }
    );
}

#[test]
fn a_share_of_another_length_is_told_by_its_position() {
    let set = |secret: &[u8]| {
        let ones = |bytes: &mut [u8]| {
            bytes.fill(1);
            Ok::<(), std::convert::Infallible>(())
        };
        slip39::split(secret, 2, 3, 0, &Passphrase::empty(), ones).unwrap()
    };
    let set = again_all([&set(&[1; 32])[0], &set(&[1; 16])[1]]);
    assert_eq!(refusal(&set), CombineError::Lengths { position: 1 });
}

#[test]
fn no_error_says_a_word_that_was_typed() {
    let mnemonic = words(&shares(&random::<32>(), 2, 3)[0]);
    let typed: Vec<&str> = mnemonic.split(' ').collect();
    let mut errors = Vec::new();
    for place in 0..typed.len() {
        let mut wrong = typed.clone();
        let misspelt = format!("{}x", typed[place]);
        wrong[place] = &misspelt;
        let error = Share::parse(&wrong.join(" ")).err().unwrap();
        assert_eq!(error, ShareError::UnknownWord { number: place + 1 });
        errors.push(error);
        let fewer = [&typed[..place], &typed[place + 1..]].concat().join(" ");
        errors.push(Share::parse(&fewer).err().unwrap());
    }
    let secret: Vec<&str> = WORDS.lines().filter(|word| typed.contains(word)).collect();
    // Words of the messages themselves.
    let own = [
        "check", "every", "other", "paper", "share", "secret", "word", "list", "order",
    ];
    for error in errors {
        let shown = format!("{error} {error:?} {}", error.hint().unwrap());
        for word in shown.split(|letter: char| !letter.is_ascii_alphabetic()) {
            assert!(own.contains(&word) || !secret.contains(&word), "{shown}");
        }
    }
}
