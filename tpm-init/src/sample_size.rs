//! How much of a generator's output is tested.

use std::fmt;
use std::str::FromStr;

use crate::random_test::RandomTest;

/// A number of bytes to be tested, written as `65536`, `64KiB` or `1MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleSize(u64);

/// Why a text is no number of bytes to be tested.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SampleSizeError {
    /// No number with one of the units.
    #[error("'{0}' is no number of bytes; write 65536, 64KiB or 1MiB")]
    Form(String),
    /// Too few say nothing, and of too many the digests fill the memory.
    #[error("'{0}' is out of range; 4096 bytes to 16MiB can be tested")]
    Range(String),
}

impl SampleSize {
    /// The least, in bytes.
    pub const LEAST: u64 = RandomTest::LEAST;
    /// The most, in bytes: our choice, for less than 100 MB of memory.
    pub const MOST: u64 = 16 << 20;

    /// How many bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl Default for SampleSize {
    /// 64 KiB: our choice, a minute of a slow TPM.
    fn default() -> Self {
        Self(64 << 10)
    }
}

impl fmt::Display for SampleSize {
    /// In the largest unit of which it is a multiple.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, factor) in UNITS {
            if self.0.is_multiple_of(factor) {
                return write!(f, "{}{unit}", self.0 / factor);
            }
        }
        write!(f, "{}", self.0)
    }
}

const UNITS: [(&str, u64); 2] = [("MiB", 1 << 20), ("KiB", 1 << 10)];

impl FromStr for SampleSize {
    type Err = SampleSizeError;

    fn from_str(text: &str) -> Result<Self, SampleSizeError> {
        let with_unit = UNITS
            .into_iter()
            .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)));
        let (digits, factor) = with_unit.map_or((text, 1), |split| split);
        // A sign is no digit, though Rust takes a number with one.
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SampleSizeError::Form(text.to_owned()));
        }
        let number: Option<u64> = digits.parse().ok();
        match number.and_then(|number| number.checked_mul(factor)) {
            Some(bytes @ Self::LEAST..=Self::MOST) => Ok(Self(bytes)),
            Some(_) | None => Err(SampleSizeError::Range(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        for (text, bytes) in [
            ("64KiB", 65_536),
            ("1MiB", 1_048_576),
            ("16MiB", 16_777_216),
            ("65537", 65_537),
            ("4KiB", 4096),
        ] {
            let size: SampleSize = text.parse().unwrap();
            assert_eq!((size.bytes(), size.to_string().as_str()), (bytes, text));
        }
        assert_eq!(SampleSize::default().to_string(), "64KiB");
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in [
            "", "KiB", "+65536", "64 KiB", "64kb", "64KB", "1GiB", "-1", "0x10000",
        ] {
            assert_eq!(
                text.parse::<SampleSize>(),
                Err(SampleSizeError::Form(text.to_owned()))
            );
        }
        for text in [
            "0",
            "4095",
            "3KiB",
            "17MiB",
            "99999999999999999999",
            "18446744073709551615MiB",
        ] {
            assert_eq!(
                text.parse::<SampleSize>(),
                Err(SampleSizeError::Range(text.to_owned()))
            );
        }
    }

    #[test]
    fn the_error_tells_the_range() {
        assert_eq!((SampleSize::LEAST, SampleSize::MOST), (4096, 16 * 1024 * 1024));
    }
}
