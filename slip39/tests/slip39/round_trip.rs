//! Every subset that is large enough gives the secret.

use proptest::prelude::*;
use secrecy::SecretString;
use slip39::{Passphrase, Share, combine, split};

use crate::{again_all, phrase, random, shares, words};

fn chosen(shares: &[Share], subset: u32) -> Vec<Share> {
    again_all(
        (0..)
            .zip(shares)
            .filter(|(index, _)| subset >> index & 1 == 1)
            .map(|(_, share)| share),
    )
}

#[test]
fn every_subset_of_m_and_more_gives_the_secret_and_no_smaller_one_does() {
    let mut combined = 0;
    for (threshold, count) in [(1, 1), (2, 2), (2, 3), (3, 5), (4, 6), (5, 7)] {
        let secret: [u8; 32] = random();
        let shares = shares(&secret, threshold, count);
        for subset in 0u32..1 << count {
            let some = chosen(&shares, subset);
            let recovered = combine(&some, &Passphrase::empty());
            if some.len() < usize::from(threshold) {
                assert!(recovered.is_err(), "{threshold} of {count}, {subset:b}");
            } else {
                assert_eq!(*recovered.unwrap(), secret, "{threshold} of {count}, {subset:b}");
                combined += 1;
            }
        }
    }
    eprintln!("subsets: {combined} gave the secret");
}

#[test]
fn the_largest_group_gives_the_secret() {
    let secret: [u8; 32] = random();
    let shares = shares(&secret, 16, 16);
    assert_eq!(*combine(&shares, &Passphrase::empty()).unwrap(), secret);
    assert_eq!(words(&shares[15]).split(' ').count(), 33);
}

#[test]
fn a_wrong_passphrase_gives_another_secret() {
    let secret: [u8; 16] = random();
    let shares = split(&secret, 2, 3, 1, &phrase("right"), getrandom::fill).unwrap();
    assert_eq!(*combine(&shares, &phrase("right")).unwrap(), secret);
    assert_ne!(*combine(&shares, &phrase("wrong")).unwrap(), secret);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_secret_comes_back_from_its_words(
        (threshold, count) in (2u8..=16).prop_flat_map(|count| (2..=count, Just(count))),
        half in proptest::collection::vec(any::<[u8; 2]>(), 8..40),
        exponent in 0u8..2,
        text in "[ -~]{0,20}",
        start in any::<prop::sample::Index>(),
    ) {
        let secret = half.concat();
        let passphrase = Passphrase::try_from(SecretString::from(text)).unwrap();
        let shares = split(&secret, threshold, count, exponent, &passphrase, getrandom::fill).unwrap();
        // The threshold's number of neighbours, from anywhere in the set.
        let start = start.index(shares.len());
        let some = again_all(shares.iter().cycle().skip(start).take(usize::from(threshold)));
        prop_assert_eq!(&*combine(&some, &passphrase).unwrap(), &secret);
    }
}
