//! Times in the site's files.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::span::Span;
use crate::text::written_as_text;

/// An instant in UTC, in whole seconds, written as `2026-11-23T10:07:31Z` (RFC 3339).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String", extend("format" = "date-time"))]
pub struct Time(DateTime<Utc>);

/// A text that is no time of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no time; write it in UTC as 2026-11-23T10:07:31Z")]
pub struct TimeError(String);

const FORM: &str = "%Y-%m-%dT%H:%M:%SZ";

impl Time {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub const fn unix_seconds(self) -> i64 {
        self.0.timestamp()
    }

    /// That much later; at the end of the calendar, the end.
    pub fn after(self, span: Span) -> Self {
        let later = self
            .0
            .checked_add_signed(TimeDelta::seconds(span.seconds().into()));
        Self(later.map_or(DateTime::<Utc>::MAX_UTC, |later| later))
    }

    /// That much earlier; at the beginning of the calendar, the beginning.
    pub fn before(self, span: Span) -> Self {
        let earlier = self
            .0
            .checked_sub_signed(TimeDelta::seconds(span.seconds().into()));
        Self(earlier.map_or(DateTime::<Utc>::MIN_UTC, |earlier| earlier))
    }

    /// How long after `earlier` it is: nothing, where it is not after it, and at most the longest span.
    pub fn since(self, earlier: Self) -> Span {
        let seconds = self.unix_seconds().saturating_sub(earlier.unix_seconds()).max(0);
        Span::from_seconds(u32::try_from(seconds).map_or(u32::MAX, |seconds| seconds))
    }

    /// This instant, for arithmetic and calendars.
    pub const fn to_utc(self) -> DateTime<Utc> {
        self.0
    }
}

impl From<DateTime<Utc>> for Time {
    /// Drops the fraction of the second.
    fn from(time: DateTime<Utc>) -> Self {
        Self(DateTime::from_timestamp(time.timestamp(), 0).map_or(time, |whole| whole))
    }
}

impl FromStr for Time {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        NaiveDateTime::parse_from_str(text, FORM)
            .map(|time| Self(time.and_utc()))
            .map_err(|_| TimeError(text.chars().take(40).collect()))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.format(FORM).fmt(f)
    }
}

written_as_text!(Time, TimeError);
