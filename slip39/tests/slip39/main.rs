//! The crate against the official vectors, against the reference implementation, and against all that can be wrong with a share.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too, and says how much it tried"
)]

mod anything;
mod changes;
mod reference;
mod refusals;
mod round_trip;
mod vectors;

use secrecy::{ExposeSecret, SecretString};
use slip39::{Passphrase, Share, split};

/// The list of words.
const WORDS: &str = include_str!("../../data/wordlist.txt");

fn phrase(text: &str) -> Passphrase {
    Passphrase::try_from(SecretString::from(text)).unwrap()
}

/// Shares from the system's generator, with the smallest exponent and no passphrase.
fn shares(secret: &[u8], threshold: u8, count: u8) -> Vec<Share> {
    split(secret, threshold, count, 0, &Passphrase::empty(), getrandom::fill).unwrap()
}

fn words(share: &Share) -> String {
    share.mnemonic().expose_secret().to_owned()
}

/// The same share once more: it does not clone.
fn again(share: &Share) -> Share {
    Share::parse(&words(share)).unwrap()
}

fn again_all<'a>(shares: impl IntoIterator<Item = &'a Share>) -> Vec<Share> {
    shares.into_iter().map(again).collect()
}

fn random<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}
