//! A share as people type it: words between blanks or on lines of their own, with or without their numbers.

use zeroize::Zeroizing;

use crate::share::{MOST_WORDS, ShareError};
use crate::words;

/// The indexes of the words of a text. A word's number may stand before it, as `7`, `7.`, `7)` or `7:`, and must then be right.
pub(crate) fn read(text: &str) -> Result<Zeroizing<Vec<u16>>, ShareError> {
    let mut indexes = Zeroizing::new(Vec::with_capacity(MOST_WORDS));
    let mut has_number = false;
    for token in text.split_whitespace() {
        let number = indexes.len() + 1;
        let word = token.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let digits = token.strip_suffix(word).filter(|digits| !digits.is_empty());
        let word = match digits {
            Some(digits) => {
                if has_number || digits.parse() != Ok(number) {
                    return Err(ShareError::Numbering { number });
                }
                has_number = true;
                match word.strip_prefix(['.', ')', ':']) {
                    Some(word) => word,
                    None => word,
                }
            }
            None => word,
        };
        if word.is_empty() {
            continue;
        }
        let index = words::index_of(word).ok_or(ShareError::UnknownWord { number })?;
        if number > MOST_WORDS {
            return Err(ShareError::WordCount { count: number });
        }
        indexes.push(index);
        has_number = false;
    }
    if has_number {
        return Err(ShareError::Numbering {
            number: indexes.len() + 1,
        });
    }
    Ok(indexes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indexes(text: &str) -> Vec<u16> {
        read(text).unwrap().to_vec()
    }

    #[test]
    fn words_are_read_as_they_are_typed() {
        for text in [
            "academic acid zero",
            "  Academic\tACID\r\n\n zero\n",
            "1 academic 2 acid 3 zero",
            "1. academic\n2. acid\n3. zero\n",
            "01) academic 02)acid 3:zero",
            "academic 2. acid zero",
            "1.\nacademic\n2.\nacid\n3zero",
        ] {
            assert_eq!(indexes(text), [0, 1, 1023], "{text}");
        }
        assert!(indexes(" \n").is_empty());
    }

    #[test]
    fn a_wrong_number_is_refused_by_its_place() {
        for (text, place) in [
            ("1. academic 3. acid", 2),
            ("2. academic", 1),
            ("1. 1. academic", 1),
            ("1. 2. academic", 1),
            ("1. academic 2.", 2),
            ("0 academic", 1),
            ("99999999999999999999999 academic", 1),
        ] {
            assert!(
                matches!(read(text), Err(ShareError::Numbering { number }) if number == place),
                "{text}"
            );
        }
    }

    #[test]
    fn an_unknown_word_is_told_by_its_number() {
        for (text, place) in [
            ("academic acdi", 2),
            ("1. academic 2. acid, 3. zero", 2),
            (".", 1),
            ("1.. academic", 1),
        ] {
            assert!(
                matches!(read(text), Err(ShareError::UnknownWord { number }) if number == place),
                "{text}"
            );
        }
    }

    #[test]
    fn no_text_is_too_long_to_be_refused() {
        assert_eq!(read(&"acid ".repeat(MOST_WORDS)).unwrap().len(), MOST_WORDS);
        let text = "acid ".repeat(100_000);
        assert!(matches!(read(&text), Err(ShareError::WordCount { count: 1024 })));
    }
}
