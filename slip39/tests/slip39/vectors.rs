//! The official vectors, all of them: <https://github.com/trezor/python-shamir-mnemonic/blob/master/vectors.json>.

use slip39::{CombineError, Share, ShareError, combine};

use crate::{phrase, words};

/// A description, mnemonics, the master secret in hexadecimal or nothing where the set must be refused, and what Bitcoin makes of it.
type Vector = (String, Vec<String>, String, String);

#[derive(Debug)]
enum Refusal {
    Share(ShareError),
    Set(CombineError),
}

fn official() -> Vec<Vector> {
    serde_json::from_str(include_str!("../vectors.json")).unwrap()
}

fn secret(mnemonics: &[String]) -> Result<String, Refusal> {
    let shares = mnemonics
        .iter()
        .map(|mnemonic| {
            let share = Share::parse(mnemonic).map_err(Refusal::Share)?;
            assert_eq!(&words(&share), mnemonic);
            Ok(share)
        })
        .collect::<Result<Vec<_>, _>>()?;
    combine(&shares, &phrase("TREZOR"))
        .map(hex::encode)
        .map_err(Refusal::Set)
}

/// Why the vector of that number must be refused, by its description.
fn is_the_reason(number: usize, refusal: &Refusal) -> bool {
    use CombineError as Set;
    use Refusal::{Set as OfSet, Share as OfShare};
    match number {
        2 | 21 => matches!(refusal, OfShare(ShareError::Checksum)),
        3 | 22 => matches!(refusal, OfShare(ShareError::Padding)),
        5 | 24 => matches!(refusal, OfSet(Set::TooFew { have: 1, need: 2 })),
        6..=9 | 25..=28 => matches!(refusal, OfSet(Set::Foreign { .. })),
        10 | 29 => matches!(refusal, OfShare(ShareError::GroupThreshold { .. })),
        11 | 30 => matches!(refusal, OfSet(Set::Contradiction { first: 0, second: 1 })),
        12 | 31 => matches!(refusal, OfSet(Set::MemberThresholds { position: 1 })),
        13 | 32 => matches!(refusal, OfSet(Set::Digest)),
        14 | 15 | 33 | 34 => matches!(refusal, OfSet(Set::TooFewGroups { have: 1, need: 2 })),
        16 | 35 => matches!(refusal, OfSet(Set::TooFewOfGroup { have: 1, .. })),
        39 => matches!(refusal, OfShare(ShareError::WordCount { count: 19 })),
        40 => matches!(refusal, OfShare(ShareError::WordCount { count: 21 })),
        _ => false,
    }
}

#[test]
fn every_official_vector_is_passed() {
    let (mut given, mut refused) = (0, 0);
    for (number, (description, mnemonics, expected, _)) in (1..).zip(official()) {
        assert!(description.starts_with(&format!("{number}. ")), "{description}");
        match secret(&mnemonics) {
            Ok(secret) => {
                assert_eq!(secret, expected, "{description}");
                given += 1;
            }
            Err(refusal) => {
                assert_eq!(expected, "", "{description}: {refusal:?}");
                assert!(is_the_reason(number, &refusal), "{description}: {refusal:?}");
                refused += 1;
            }
        }
    }
    eprintln!("official vectors: {given} gave their secret, {refused} were refused, each for its reason");
    assert_eq!((given, refused), (15, 30));
}

#[test]
fn the_order_of_the_shares_does_not_matter() {
    let mut tried = 0;
    for (description, mut mnemonics, expected, _) in official() {
        if expected.is_empty() {
            continue;
        }
        for _ in 0..mnemonics.len() {
            mnemonics.rotate_left(1);
            assert_eq!(secret(&mnemonics).unwrap(), expected, "{description}");
            tried += 1;
        }
    }
    eprintln!("official vectors: {tried} orders of shares");
}
