//! A secret as shares that people can write down, by SLIP-0039: any `m` of `n` give it back, fewer say nothing of it.
//!
//! [`split()`] makes the shares of one group, with the extendable flag. [`combine()`] takes all that the specification knows, several
//! groups and shares without that flag too. A [`Share`] is read from words as they were typed from paper, and gives its words.
//!
//! **Timing.** Whatever is secret meets no table and no branch: the field multiplies bit by bit under masks (`gf256`), the checksum chooses
//! its constants by masks, a word is looked up by comparing it with the whole list (`words`), and digests and share values are compared
//! whole. What steers loops and branches is public: indexes, thresholds, lengths, and whether a check passed. PBKDF2 and HMAC are ring's.
//! Two things are not hidden: how long each word is when a text is read or written, which whoever sees the text's layout knows as well, and
//! how long a passphrase is. The compiler is kept from making branches of masks by `black_box` and `subtle`, as far as either can promise.
//!
//! **Memory.** Buffers with a secret are wiped when they are dropped, and made at their full size, so that none moves and leaves a copy.
//! Registers, the stack, and the key schedules inside ring are not wiped.
//!
//! No random number generator is chosen here, no clock asked, no file touched.

mod bits;
mod cipher;
mod combine;
mod gf256;
mod passphrase;
mod rs1024;
mod share;
mod sharing;
mod split;
mod text;
mod words;

pub use combine::{CombineError, combine};
pub use passphrase::{Passphrase, PassphraseError};
pub use share::{Share, ShareError};
pub use split::{SplitError, split};
