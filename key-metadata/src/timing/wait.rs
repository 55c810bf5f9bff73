//! A wait as a sum that can be shown.

use std::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::equation::Equation;
use super::figures::Figure;
use crate::span::Span;
use crate::time::Time;

/// A wait as a sum of figures that have names, so that it can be shown how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Its name in the RFC, such as `Ipub`.
    pub name: &'static str,
    /// The equation that it is of. Where that is a maximum of two sums, the wait is the one that counts.
    pub equation: Equation,
    /// Where the equation stands.
    pub source: &'static str,
    /// What it is the sum of.
    pub parts: Vec<Part>,
}

/// A part of a wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name in the RFC, such as `TTLkey`.
    pub name: &'static str,
    /// How long it is, and who says so.
    pub figure: Figure,
}

/// A wait that began, and so ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// When it began.
    pub since: Time,
    /// How long it is.
    pub wait: Wait,
}

impl Wait {
    pub(super) fn new<'a>(
        name: &'static str,
        equation: Equation,
        parts: impl IntoIterator<Item = (&'static str, &'a Figure)>,
    ) -> Self {
        let part = |(name, figure): (_, &Figure)| Part {
            name,
            figure: figure.clone(),
        };
        Self {
            name,
            equation,
            source: equation.source(),
            parts: parts.into_iter().map(part).collect(),
        }
    }

    /// The sum.
    pub fn total(&self) -> Span {
        let seconds = self.parts.iter().map(|part| part.figure.span.seconds());
        // A policy's figures are bounded far below 136 years.
        Span::from_seconds(seconds.fold(0, u32::saturating_add))
    }

    /// When it ends, if it begins then.
    pub fn from(&self, since: Time) -> Time {
        since.after(self.total())
    }

    /// The same wait after another one.
    #[must_use]
    pub fn preceded_by(mut self, name: &'static str, figure: &Figure) -> Self {
        let figure = figure.clone();
        self.parts.insert(0, Part { name, figure });
        self
    }

    /// The longer of both; this one, where they are the same.
    #[must_use]
    pub fn or_longer(self, other: Self) -> Self {
        if other.total() > self.total() { other } else { self }
    }

    /// The same sum as of another equation, or by a source that says more.
    #[must_use]
    pub(super) const fn of(mut self, equation: Equation, source: &'static str) -> Self {
        self.equation = equation;
        self.source = source;
        self
    }

    /// What it is the sum of: `Dprp 1h + TTLkey 1h`.
    pub fn sum(&self) -> String {
        let parts = self.parts.iter();
        let parts: Vec<_> = parts
            .map(|part| format!("{} {}", part.name, part.figure.span))
            .collect();
        parts.join(" + ")
    }

    /// The sum with where each part came from: `Iret = DprpP 1h (policy) + TTLds 1d (measured at ...) = 1d1h`.
    pub fn explained(&self) -> String {
        let parts = self.parts.iter();
        let parts: Vec<_> = parts
            .map(|part| format!("{} {}", part.name, part.figure))
            .collect();
        format!("{} = {} = {}", self.name, parts.join(" + "), self.total())
    }
}

impl Due {
    /// When it ends.
    pub fn at(&self) -> Time {
        self.wait.from(self.since)
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = ", self.name)?;
        if let [_, _, ..] = self.parts.as_slice() {
            write!(f, "{} = ", self.sum())?;
        }
        write!(f, "{} ({})", self.total(), self.source)
    }
}

impl Serialize for Wait {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut wait = serializer.serialize_struct("Wait", 6)?;
        wait.serialize_field("name", self.name)?;
        wait.serialize_field("equation", &self.equation)?;
        wait.serialize_field("source", self.source)?;
        wait.serialize_field("parts", &self.parts)?;
        wait.serialize_field("total", &self.total())?;
        wait.serialize_field("seconds", &self.total().seconds())?;
        wait.end()
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut part = serializer.serialize_struct("Part", 3)?;
        part.serialize_field("name", self.name)?;
        part.serialize_field("span", &self.figure.span)?;
        part.serialize_field("origin", &self.figure.origin)?;
        part.end()
    }
}

#[cfg(test)]
mod tests {
    use super::super::figures::tests::{at, figure};
    use super::*;

    fn wait() -> Wait {
        let when = at("2026-11-29T10:02:00Z");
        let ttl = Figure::measured("1d".parse().unwrap(), when, "the parent's servers");
        Wait::new(
            "Iret",
            Equation::K3,
            [
                ("DprpP", &figure("1h")),
                ("TTLds", &ttl),
                ("Rsafe", &figure("1h")),
            ],
        )
    }

    #[test]
    fn a_wait_shows_its_sum_and_its_origins() {
        assert_eq!(
            wait().to_string(),
            "Iret = DprpP 1h + TTLds 1d + Rsafe 1h = 1d2h (RFC 7583 3.3.1)"
        );
        assert_eq!(
            wait().explained(),
            "Iret = DprpP 1h (policy) + TTLds 1d (measured at the parent's servers, 2026-11-29T10:02:00Z) + Rsafe 1h (policy) = 1d2h"
        );
        assert_eq!(
            wait().preceded_by("Dreg", &figure("2d")).sum(),
            "Dreg 2d + DprpP 1h + TTLds 1d + Rsafe 1h"
        );
    }

    #[test]
    fn a_wait_in_json_has_its_parts() {
        let json = serde_json::to_value(wait()).unwrap();
        assert_eq!(json["equation"], "K3");
        assert_eq!(json["total"], "1d2h");
        assert_eq!(json["seconds"], 93_600);
        assert_eq!(json["parts"][0]["origin"], "policy");
        assert_eq!(
            json["parts"][1]["origin"]["measured"]["by"],
            "the parent's servers"
        );
    }
}
