//! Spans of time in policies.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::written_as_text;

/// A span of whole seconds, written as `90s`, `15m`, `6h`, `14d`, `2w` or a sum of them such as `1d12h`.
///
/// A month and a year have no fixed length (signers take 30 or 31 days for a month), so they are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String", extend("pattern" = "^([0-9]+[smhdw])+$"))]
pub struct Span(u32);

/// Why a text is no span.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpanError {
    /// Not numbers with units.
    #[error("'{0}' is no span of time; write 90s, 15m, 6h, 14d or 2w")]
    Form(String),
    /// A month or a year.
    #[error("'{0}' has a month or a year, which have no fixed length; write days or weeks")]
    NoFixedLength(String),
    /// More seconds than 32 bits hold, 136 years.
    #[error("'{0}' is longer than 136 years")]
    TooLong(String),
}

const UNITS: [(char, u32); 5] = [('w', 604_800), ('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];

impl Span {
    /// A span of that many seconds.
    pub const fn from_seconds(seconds: u32) -> Self {
        Self(seconds)
    }

    /// How many seconds it has.
    pub const fn seconds(self) -> u32 {
        self.0
    }

    /// That much shorter; nothing, where it is not longer than that.
    #[must_use]
    pub const fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let form = || SpanError::Form(text.to_owned());
        if text.contains(['y', 'M', 'Y']) || text.contains("mo") {
            return Err(SpanError::NoFixedLength(text.to_owned()));
        }
        let mut total = 0u32;
        let mut rest = text;
        if rest.is_empty() {
            return Err(form());
        }
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(form)?;
            let (digits, tail) = rest.split_at(end);
            let (_, factor) = UNITS
                .into_iter()
                .find(|(unit, _)| tail.starts_with(*unit))
                .ok_or_else(form)?;
            if digits.is_empty() {
                return Err(form());
            }
            let too_long = || SpanError::TooLong(text.to_owned());
            let number: u32 = digits.parse().map_err(|_| too_long())?;
            total = number
                .checked_mul(factor)
                .and_then(|n| total.checked_add(n))
                .ok_or_else(too_long)?;
            rest = &tail[1..];
        }
        Ok(Self(total))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, length) in UNITS {
            // 14d reads better than 2w, and 8d than 1w1d.
            if unit == 'w' || rest < length {
                continue;
            }
            write!(f, "{}{unit}", rest / length)?;
            rest %= length;
        }
        Ok(())
    }
}

written_as_text!(Span, SpanError);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn months_and_nonsense_are_refused() {
        assert_eq!("2w".parse::<Span>().unwrap().to_string(), "14d");
        assert_eq!("1d12h".parse::<Span>().unwrap().seconds(), 129_600);
        assert!(matches!("6mo".parse::<Span>(), Err(SpanError::NoFixedLength(_))));
        assert!(matches!("1y".parse::<Span>(), Err(SpanError::NoFixedLength(_))));
        assert!(matches!("9999999w".parse::<Span>(), Err(SpanError::TooLong(_))));
        for bad in ["", "14", "d", "1 d", "-1d", "1.5h"] {
            assert!(matches!(bad.parse::<Span>(), Err(SpanError::Form(_))), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_span_reads_back(seconds: u32) {
            let span = Span::from_seconds(seconds);
            prop_assert_eq!(span.to_string().parse(), Ok(span));
        }
    }
}
