//! One share: what it says, and its words.

use key_metadata::Advice;
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::bits::{WORD_BITS, lowest_ten, padding, to_bytes, to_words};
use crate::rs1024::{CHECKSUM_WORDS, checksum, is_valid};
use crate::{text, words};

/// Words before the value: two of the set, two of the share's place in it.
const HEADER_WORDS: usize = 4;

/// The shortest secret, in bytes: 128 bits (SLIP-0039, "Format of the share mnemonic").
pub(crate) const SHORTEST: usize = 16;

/// The longest mnemonic for which RS1024 notices every three wrong words: a Reed-Solomon code over GF(1024) is as long.
pub(crate) const MOST_WORDS: usize = 1023;

/// The longest secret, in bytes: its share has [`MOST_WORDS`]. The specification sets no limit; this one is ours.
pub(crate) const LONGEST: usize = (MOST_WORDS - HEADER_WORDS - CHECKSUM_WORDS) * WORD_BITS / 8;

/// What all shares of a set have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Common {
    /// 15 random bits.
    pub(crate) identifier: u16,
    pub(crate) extendable: bool,
    /// 0 to 15.
    pub(crate) iteration_exponent: u8,
    /// 1 to the count.
    pub(crate) group_threshold: u8,
    /// 1 to 16.
    pub(crate) group_count: u8,
}

/// Where a share belongs in its set.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// 0 to 15.
    pub(crate) group_index: u8,
    /// 0 to 15.
    pub(crate) member_index: u8,
    /// 1 to 16.
    pub(crate) member_threshold: u8,
}

/// One share of a secret: one mnemonic. It is a secret itself, so it prints and copies in no way, and is wiped when it is dropped.
pub struct Share {
    pub(crate) common: Common,
    pub(crate) place: Place,
    /// As long as the secret; its length is even and from [`SHORTEST`] to [`LONGEST`].
    pub(crate) value: Zeroizing<Vec<u8>>,
}

/// Why a text is no share. No word of the text is in it: words are told by their numbers, from one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShareError {
    /// A word that is not in the list.
    #[error("word {number} is not in SLIP-0039's list")]
    UnknownWord {
        /// The word's number.
        number: usize,
    },
    /// Words are numbered, and one has another number than its place.
    #[error("what is numbered does not go on with word {number}")]
    Numbering {
        /// The number that should be there.
        number: usize,
    },
    /// No secret has shares of so many words.
    #[error("no share has {count} words")]
    WordCount {
        /// The words, where there are at most 1023; otherwise 1024.
        count: usize,
    },
    /// One word or several are wrong, or in another order. Which, is not told: a guess could make a wrong share a valid one.
    #[error("the words do not fit their checksum")]
    Checksum,
    /// The checksum fits, but bits that are always zero are not: some program wrote the share wrongly.
    #[error("the bits that fill the first word of the value up are not zero")]
    Padding,
    /// The checksum fits, but more groups are needed than there are.
    #[error("the share is of a set of {count} groups of which {threshold} are needed")]
    GroupThreshold {
        /// Groups that are needed.
        threshold: u8,
        /// Groups.
        count: u8,
    },
}

impl Advice for ShareError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownWord { number } => Some(format!(
                "compare word {number} with the paper; the first four letters tell it from every other"
            )),
            Self::Numbering { number } => Some(format!(
                "go on with word {number} of the paper, or leave the numbers out"
            )),
            Self::WordCount { .. } => {
                Some("a share of a secret of 256 bits has 33 words, and one of 128 bits has 20".to_owned())
            }
            Self::Checksum => Some("compare every word and their order with the paper".to_owned()),
            Self::Padding | Self::GroupThreshold { .. } => {
                Some("the share was not made by this specification; take another one".to_owned())
            }
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::UnknownWord { .. }
            | Self::Numbering { .. }
            | Self::WordCount { .. }
            | Self::Checksum
            | Self::Padding
            | Self::GroupThreshold { .. } => false,
        }
    }
}

impl Share {
    /// Reads a mnemonic: words in capital or small letters, between blanks or new lines, and each with its number before it or none.
    pub fn parse(text: &str) -> Result<Self, ShareError> {
        let words = text::read(text)?;
        let wrong_count = ShareError::WordCount { count: words.len() };
        let Some(([set_high, set_low, place_high, place_low], rest)) = words.split_first_chunk() else {
            return Err(wrong_count);
        };
        let Some((value, _)) = rest.split_last_chunk::<CHECKSUM_WORDS>() else {
            return Err(wrong_count);
        };
        if value.len() * WORD_BITS < SHORTEST * 8 || padding(value.len()) > 8 {
            return Err(wrong_count);
        }
        let set = u32::from(*set_high) << 10 | u32::from(*set_low);
        let extendable = set >> 4 & 1 == 1;
        if !is_valid(&words, extendable) {
            return Err(ShareError::Checksum);
        }
        let place = u32::from(*place_high) << 10 | u32::from(*place_low);
        let [.., high, low] = (set >> 5).to_be_bytes();
        let common = Common {
            identifier: u16::from_be_bytes([high, low]),
            extendable,
            iteration_exponent: nibble(set),
            group_threshold: nibble(place >> 12) + 1,
            group_count: nibble(place >> 8) + 1,
        };
        if common.group_threshold > common.group_count {
            return Err(ShareError::GroupThreshold {
                threshold: common.group_threshold,
                count: common.group_count,
            });
        }
        Ok(Self {
            common,
            place: Place {
                group_index: nibble(place >> 16),
                member_index: nibble(place >> 4),
                member_threshold: nibble(place) + 1,
            },
            value: to_bytes(value).ok_or(ShareError::Padding)?,
        })
    }

    /// The words in small letters, with one blank between two.
    pub fn mnemonic(&self) -> SecretString {
        let words = self.words();
        let letters: Zeroizing<Vec<_>> =
            Zeroizing::new(words.iter().map(|word| *words::letters(*word)).collect());
        let length =
            letters.iter().flatten().filter(|letter| **letter != 0).count() + words.len().saturating_sub(1);
        // At its full size from the start: a text that grows leaves copies, and so does one that shrinks to its size.
        let mut text = String::with_capacity(length);
        for word in letters.iter() {
            if !text.is_empty() {
                text.push(' ');
            }
            text.extend(
                word.iter()
                    .filter(|letter| **letter != 0)
                    .map(|letter| char::from(*letter)),
            );
        }
        SecretString::from(text)
    }

    /// What tells the set from others: 15 random bits.
    pub fn identifier(&self) -> u16 {
        self.common.identifier
    }

    /// Whether more shares of the same secret can be made later under another identifier.
    pub fn is_extendable(&self) -> bool {
        self.common.extendable
    }

    /// PBKDF2 runs 10,000 * 2^exponent iterations; 0 to 15.
    pub fn iteration_exponent(&self) -> u8 {
        self.common.iteration_exponent
    }

    /// The share's group, from zero.
    pub fn group_index(&self) -> u8 {
        self.place.group_index
    }

    /// How many groups give the secret; 1 to 16.
    pub fn group_threshold(&self) -> u8 {
        self.common.group_threshold
    }

    /// How many groups there are; 1 to 16.
    pub fn group_count(&self) -> u8 {
        self.common.group_count
    }

    /// The share's place in its group, from zero.
    pub fn member_index(&self) -> u8 {
        self.place.member_index
    }

    /// How many shares of the group give the group's part; 1 to 16.
    pub fn member_threshold(&self) -> u8 {
        self.place.member_threshold
    }

    /// The share's value, as long as the secret. It is secret.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// The words as indexes.
    fn words(&self) -> Zeroizing<Vec<u16>> {
        let value = to_words(&self.value);
        let mut words = Zeroizing::new(Vec::with_capacity(HEADER_WORDS + value.len() + CHECKSUM_WORDS));
        let (common, place) = (&self.common, &self.place);
        let set = u32::from(common.identifier) << 5
            | u32::from(common.extendable) << 4
            | u32::from(common.iteration_exponent);
        let place = u32::from(place.group_index) << 16
            | u32::from(common.group_threshold.saturating_sub(1)) << 12
            | u32::from(common.group_count.saturating_sub(1)) << 8
            | u32::from(place.member_index) << 4
            | u32::from(place.member_threshold.saturating_sub(1));
        for number in [set >> 10, set, place >> 10, place] {
            words.push(lowest_ten(number));
        }
        words.extend_from_slice(&value);
        let checksum = Zeroizing::new(checksum(&words, common.extendable));
        words.extend_from_slice(&*checksum);
        words
    }
}

/// The lowest four bits.
fn nibble(number: u32) -> u8 {
    let [.., byte] = number.to_be_bytes();
    byte & 0x0f
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn share(value: Vec<u8>) -> Share {
        Share {
            common: Common {
                identifier: 0x5a5a,
                extendable: true,
                iteration_exponent: 9,
                group_threshold: 3,
                group_count: 16,
            },
            place: Place {
                group_index: 15,
                member_index: 6,
                member_threshold: 16,
            },
            value: Zeroizing::new(value),
        }
    }

    #[test]
    fn every_field_comes_back_from_the_words() {
        for length in (SHORTEST..=LONGEST).step_by(2) {
            let value: Vec<u8> = (1..=251).cycle().take(length).collect();
            let text = share(value.clone()).mnemonic();
            let read = Share::parse(text.expose_secret()).unwrap();
            assert_eq!(
                (read.identifier(), read.is_extendable(), read.iteration_exponent()),
                (0x5a5a, true, 9)
            );
            assert_eq!(
                (read.group_index(), read.group_threshold(), read.group_count()),
                (15, 3, 16)
            );
            assert_eq!((read.member_index(), read.member_threshold()), (6, 16));
            assert_eq!(read.value(), value);
        }
    }

    #[test]
    fn the_lengths_are_those_of_the_specification() {
        let words = |length| {
            share(vec![1; length])
                .mnemonic()
                .expose_secret()
                .split(' ')
                .count()
        };
        assert_eq!((words(16), words(32), words(LONGEST)), (20, 33, MOST_WORDS));
    }

    #[test]
    fn another_number_of_words_is_told() {
        for count in (0..60).chain([1024]) {
            let text = "academic ".repeat(count);
            let is_possible = (20..=MOST_WORDS).contains(&count) && (count - 7) * 10 % 16 <= 8;
            match Share::parse(&text).err().unwrap() {
                ShareError::WordCount { count: told } => assert!(!is_possible && told == count, "{count}"),
                error => assert!(is_possible && error == ShareError::Checksum, "{count}: {error}"),
            }
        }
    }
}
