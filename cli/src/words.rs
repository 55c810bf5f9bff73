//! A digest as words that are told apart by ear: the PGP word list. Bytes 0, 2, 4 and so on are words of two syllables, the others of three, so
//! that a word that was left out, said twice or changed with its neighbour is heard.

use std::sync::LazyLock;

use key_metadata::{Advice, Digest};

/// What was typed is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WordsError {
    /// A word of no list.
    #[error("word {number}, '{word}', is no PGP word")]
    Unknown {
        /// Which one, from 1.
        number: usize,
        /// The word.
        word: String,
        /// The word that comes nearest, of those that can be there.
        nearest: Option<&'static str>,
    },
    /// A word of the other list.
    #[error(
        "word {number}, '{word}', has {has} syllables where one of {wanted} comes: a word was left out or said twice before it"
    )]
    OutOfTurn {
        /// Which one, from 1.
        number: usize,
        /// The word.
        word: &'static str,
        /// Its syllables.
        has: u8,
        /// Those of the word that comes.
        wanted: u8,
    },
    /// Too few or too many words.
    #[error("{count} words; a SHA-256 has 32")]
    WordCount {
        /// How many.
        count: usize,
    },
    /// Too few or too many digits.
    #[error("{count} hex digits; a SHA-256 has 64")]
    DigitCount {
        /// How many.
        count: usize,
    },
    /// Something among hex digits.
    #[error("'{letter}', character {number}, is no hex digit")]
    Digit {
        /// Which one, from 1, blanks not counted.
        number: usize,
        /// The character.
        letter: char,
    },
}

impl Advice for WordsError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { nearest, .. } => nearest.map(|nearest| format!("perhaps it is '{nearest}'")),
            Self::OutOfTurn { number, .. } => Some(format!(
                "have words {} to {number} read again",
                number.saturating_sub(2).max(1)
            )),
            Self::WordCount { .. } | Self::DigitCount { .. } | Self::Digit { .. } => {
                Some("have all of it read again".to_owned())
            }
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}

/// The words of a digest: 32 of them.
pub fn words(digest: &Digest) -> Vec<&'static str> {
    let turns = Turn::all().zip(digest.bytes());
    turns.map(|(turn, byte)| turn.word(*byte)).collect()
}

/// The digest that was typed, as words or as hex digits: in small or capital letters, with blanks and commas between them.
pub fn digest_of(typed: &str) -> Result<Digest, WordsError> {
    // No word has a digit, and none is of the letters a to f alone.
    let mut letters = typed.chars().filter(|letter| !is_between(*letter)).peekable();
    let is_typed = letters.peek().is_some();
    if is_typed && letters.all(|letter| letter.is_ascii_hexdigit())
        || typed.contains(|letter: char| letter.is_ascii_digit())
    {
        return of_digits(typed);
    }
    let mut bytes = Vec::new();
    let mut count = 0;
    for (turn, word) in Turn::all().zip(typed.split(is_between).filter(|word| !word.is_empty())) {
        count += 1;
        let word = word.to_lowercase();
        match (turn.byte(&word), turn.other().byte(&word)) {
            (Some(byte), _) => bytes.push(byte),
            (None, Some(byte)) => {
                return Err(WordsError::OutOfTurn {
                    number: count,
                    word: turn.other().word(byte),
                    has: turn.other().syllables(),
                    wanted: turn.syllables(),
                });
            }
            (None, None) => {
                return Err(WordsError::Unknown {
                    number: count,
                    nearest: turn.nearest(&word),
                    word,
                });
            }
        }
    }
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| WordsError::WordCount { count })?;
    Ok(Digest::from(bytes))
}

fn is_between(letter: char) -> bool {
    letter.is_whitespace() || letter == ','
}

fn of_digits(typed: &str) -> Result<Digest, WordsError> {
    let digits: String = typed.chars().filter(|letter| !is_between(*letter)).collect();
    let wrong = (1..)
        .zip(digits.chars())
        .find(|(_, letter)| !letter.is_ascii_hexdigit());
    if let Some((number, letter)) = wrong {
        return Err(WordsError::Digit { number, letter });
    }
    digits
        .parse()
        .map_err(|_| WordsError::DigitCount { count: digits.len() })
}

/// Which list has the word at a place.
#[derive(Clone, Copy)]
enum Turn {
    Two,
    Three,
}

/// Each byte twice, so that its words of both lists come one after the other.
static TWICE: [u8; 512] = {
    let mut bytes = [0; 512];
    let mut place = 0;
    while place < 512 {
        bytes[place] = (place / 2) as u8;
        place += 1;
    }
    bytes
};

static WORDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| pgp_words::to_words(&TWICE));

impl Turn {
    fn all() -> impl Iterator<Item = Self> {
        [Self::Two, Self::Three].into_iter().cycle()
    }

    fn other(self) -> Self {
        match self {
            Self::Two => Self::Three,
            Self::Three => Self::Two,
        }
    }

    fn syllables(self) -> u8 {
        match self {
            Self::Two => 2,
            Self::Three => 3,
        }
    }

    fn list(self) -> impl Iterator<Item = &'static str> {
        let first = match self {
            Self::Two => 0,
            Self::Three => 1,
        };
        WORDS.iter().skip(first).step_by(2).copied()
    }

    fn word(self, byte: u8) -> &'static str {
        self.list().nth(byte.into()).map_or("", |word| word)
    }

    fn byte(self, wanted: &str) -> Option<u8> {
        let mut list = (0..=u8::MAX).zip(self.list());
        list.find(|(_, word)| *word == wanted).map(|(byte, _)| byte)
    }

    /// The word that is made of `typed` by the fewest changes of a letter, if they are few.
    fn nearest(self, typed: &str) -> Option<&'static str> {
        let near = self.list().map(|word| (changes(typed, word), word));
        near.min().filter(|(count, _)| *count <= 3).map(|(_, word)| word)
    }
}

/// How many letters must be put in, taken out or replaced to make one word of the other (Levenshtein).
fn changes(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut next = vec![index + 1];
        for ((above, corner), wanted) in row.iter().skip(1).zip(&row).zip(other.chars()) {
            let left = next.last().map_or(0, |left| *left);
            let replaced = corner + usize::from(letter != wanted);
            next.push(replaced.min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().map_or(0, |count| *count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The lists are those of two other works, word for word; their digest is pinned.
    #[test]
    fn the_lists_are_known() {
        let lines: String = (0..=255)
            .map(|byte| format!("{} {}\n", Turn::Two.word(byte), Turn::Three.word(byte)))
            .collect();
        assert_eq!(
            Digest::of(lines.as_bytes()).to_string(),
            "a24d0bcb9d754b40963109851b38ae943464a66944ca76d5698fb002761c0138"
        );
    }

    #[test]
    fn the_known_digest_has_the_known_words() {
        let digest = Digest::of(b"hello, world\n");
        let words = words(&digest);
        assert_eq!(words.len(), 32);
        assert!(words.starts_with(&["music", "customer", "waffle", "consensus"]));
        assert!(words.ends_with(&["facial", "butterfat"]));
        let heard = words.join(", ").to_uppercase();
        assert_eq!(digest_of(&format!("  {heard}\t")).unwrap(), digest);
    }

    #[test]
    fn hex_digits_do_as_well() {
        let digest = Digest::of(b"hello, world\n");
        let digits = digest.to_string().to_uppercase();
        let (one, other) = digits.split_at(30);
        assert_eq!(digest_of(&format!("{one}, {other}")).unwrap(), digest);
        assert_eq!(digest_of(one), Err(WordsError::DigitCount { count: 30 }));
        assert_eq!(
            digest_of(&"a".repeat(63)),
            Err(WordsError::DigitCount { count: 63 })
        );
        assert_eq!(
            digest_of(&digits.replacen('5', "S", 1)),
            Err(WordsError::Digit {
                number: 2,
                letter: 'S'
            })
        );
    }

    #[test]
    fn an_error_says_which_word() {
        let error = digest_of("music customer wafle").unwrap_err();
        assert_eq!(error.to_string(), "word 3, 'wafle', is no PGP word");
        assert_eq!(error.hint().unwrap(), "perhaps it is 'waffle'");
        let error = digest_of("music waffle consensus").unwrap_err();
        assert_eq!(
            error.to_string(),
            "word 2, 'waffle', has 2 syllables where one of 3 comes: a word was left out or said twice before it"
        );
        assert_eq!(
            digest_of("music").unwrap_err(),
            WordsError::WordCount { count: 1 }
        );
        assert_eq!(digest_of(" ").unwrap_err(), WordsError::WordCount { count: 0 });
        assert_eq!(digest_of("xxxxxxxxxxxx").unwrap_err().hint(), None);
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_is_typed(bytes: [u8; 32]) {
            let digest = Digest::from(bytes);
            prop_assert_eq!(digest_of(&words(&digest).join(" ")), Ok(digest));
        }

        #[test]
        fn a_slip_is_refused(bytes: [u8; 32], at in 0_usize..32, next in 0_usize..31) {
            let said = words(&Digest::from(bytes));
            let mut dropped = said.clone();
            dropped.remove(at);
            prop_assert!(digest_of(&dropped.join(" ")).is_err());
            let mut doubled = said.clone();
            doubled.insert(at, said[at]);
            prop_assert!(digest_of(&doubled.join(" ")).is_err());
            let mut swapped = said;
            swapped.swap(next, next + 1);
            prop_assert!(digest_of(&swapped.join(" ")).is_err());
        }

        #[test]
        fn anything_may_be_typed(text: String) {
            let _ = digest_of(&text);
        }
    }
}
