//! How many shares there are, and how many of them suffice.

use std::fmt;
use std::str::FromStr;

/// m of n: any m of the n shares open a bundle, and m-1 say nothing.
///
/// 2 <= m <= n <= 16: SLIP-0039 has 4 bits for each, and a single share that suffices is no custody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    needed: u8,
    shares: u8,
}

/// Why numbers are no threshold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ThresholdError {
    /// Not within the bounds.
    #[error(
        "{needed} of {shares} is no way to split a secret; at least 2 shares are needed, there are at most 16, and no more are needed than there are"
    )]
    Bounds {
        /// How many would suffice.
        needed: usize,
        /// How many there would be.
        shares: usize,
    },
    /// Not two numbers.
    #[error("'{0}' is no threshold; write it as 2-of-3")]
    Form(String),
}

impl Threshold {
    /// The most shares (SLIP-0039: the member index has 4 bits).
    pub const MOST: usize = 16;

    /// `needed` of `shares`.
    pub fn new(needed: usize, shares: usize) -> Result<Self, ThresholdError> {
        let bounds = ThresholdError::Bounds { needed, shares };
        if needed < 2 || needed > shares || shares > Self::MOST {
            return Err(bounds);
        }
        match (u8::try_from(needed), u8::try_from(shares)) {
            (Ok(needed), Ok(shares)) => Ok(Self { needed, shares }),
            (Err(_), _) | (_, Err(_)) => Err(bounds),
        }
    }

    /// How many suffice.
    pub const fn needed(self) -> u8 {
        self.needed
    }

    /// How many there are.
    pub const fn shares(self) -> u8 {
        self.shares
    }

    /// Every choice of as many shares as are needed, as places from 0, in lexical order.
    pub fn subsets(self) -> impl Iterator<Item = Vec<usize>> {
        let (needed, shares) = (usize::from(self.needed), usize::from(self.shares));
        let mut next = Some((0..needed).collect::<Vec<usize>>());
        std::iter::from_fn(move || {
            let now = next.take()?;
            let movable = (0..needed)
                .rev()
                .find(|place| now[*place] < shares - needed + place);
            next = movable.map(|place| {
                let start = now[place] + 1;
                let tail = (0..needed - place).map(|step| start + step);
                now[..place].iter().copied().chain(tail).collect()
            });
            Some(now)
        })
    }
}

impl FromStr for Threshold {
    type Err = ThresholdError;

    /// Reads `2-of-3`.
    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        let form = || ThresholdError::Form(text.chars().take(40).collect());
        let (needed, shares) = text.split_once("-of-").ok_or_else(form)?;
        match (needed.parse::<usize>(), shares.parse::<usize>()) {
            // Neither a sign nor a zero in front: one text for each.
            (Ok(needed), Ok(shares)) if format!("{needed}-of-{shares}") == text => Self::new(needed, shares),
            (Ok(_), Ok(_)) | (Err(_), _) | (_, Err(_)) => Err(form()),
        }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.needed, self.shares)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn subsets_are_all_there_once() {
        for (needed, shares, count) in [
            (2, 3, 3),
            (5, 7, 21),
            (2, 2, 1),
            (8, 16, 12_870),
            (16, 16, 1),
            (2, 16, 120),
        ] {
            let threshold = Threshold::new(needed, shares).unwrap();
            let subsets: Vec<_> = threshold.subsets().collect();
            assert_eq!(subsets.len(), count);
            let different: BTreeSet<_> = subsets.iter().collect();
            assert_eq!(different.len(), count);
            for subset in &subsets {
                assert_eq!(subset.len(), needed);
                assert!(subset.windows(2).all(|pair| pair[0] < pair[1]));
                assert!(subset.iter().all(|place| *place < shares));
            }
        }
    }

    #[test]
    fn bounds() {
        for (needed, shares) in [(0, 0), (1, 1), (1, 3), (4, 3), (2, 17), (300, 300)] {
            assert!(Threshold::new(needed, shares).is_err(), "{needed} of {shares}");
        }
        assert_eq!("2-of-3".parse(), Threshold::new(2, 3));
        assert_eq!("2-of-3".parse::<Threshold>().unwrap().to_string(), "2 of 3");
        for text in ["", "2", "2/3", "-of-", "a-of-3", "2-of-3-of-4"] {
            assert!(text.parse::<Threshold>().is_err(), "{text}");
        }
    }
}
