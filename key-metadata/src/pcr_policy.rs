//! A policy on PCRs: the registers in which a machine's start-up is measured, and who approves their values.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A policy on PCRs that somebody can change in advance, by signing (TPM2_PolicyAuthorize).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PcrPolicy {
    /// The PEM file, in the site, with the public key whose signature approves PCR values: P-256 or RSA-2048.
    pub authority: PathBuf,
    /// The PCRs, of the SHA-256 bank; 7 is the Secure Boot state. Not 16 and 23, which any program can reset.
    pub pcrs: PcrSelection,
}

/// The number of a PCR, 0 to 23.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(into = "u8", try_from = "u8")]
#[schemars(with = "u8", extend("maximum" = 23))]
pub struct PcrNumber(u8);

/// A number that no PCR has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no PCR {0}: they are 0 to 23")]
pub struct PcrNumberError(u8);

impl PcrNumber {
    /// The debug PCR: nothing of a start-up is measured into it, and any program can reset it (TCG PC Client Platform TPM Profile, PCR
    /// attributes).
    pub const DEBUG: Self = Self(16);

    /// Whether any program on the machine can reset it, so that its value proves nothing: 16 and 23 (the same table: locality 0).
    pub const fn is_resettable(self) -> bool {
        matches!(self.0, 16 | 23)
    }
}

impl TryFrom<u8> for PcrNumber {
    type Error = PcrNumberError;

    fn try_from(number: u8) -> Result<Self, PcrNumberError> {
        if number > 23 {
            return Err(PcrNumberError(number));
        }
        Ok(Self(number))
    }
}

impl From<PcrNumber> for u8 {
    fn from(pcr: PcrNumber) -> Self {
        pcr.0
    }
}

impl fmt::Display for PcrNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One PCR or more, each once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(into = "Vec<PcrNumber>", try_from = "Vec<PcrNumber>")]
#[schemars(with = "Vec<PcrNumber>", extend("minItems" = 1, "uniqueItems" = true))]
pub struct PcrSelection(BTreeSet<PcrNumber>);

/// Numbers that select no PCRs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PcrSelectionError {
    /// A policy on nothing would hold nobody off.
    #[error("no PCR is named")]
    Empty,
    /// Twice the same.
    #[error("PCR {0} is there twice")]
    Twice(PcrNumber),
}

impl PcrSelection {
    /// PCR 0 to 7: the firmware, its settings, what it started, and the Secure Boot state (TCG PC Client Platform Firmware Profile, 2.3.4).
    pub fn start_up() -> Self {
        Self((0..8).map(PcrNumber).collect())
    }

    /// The PCRs, by number.
    pub fn iter(&self) -> impl Iterator<Item = PcrNumber> {
        self.0.iter().copied()
    }
}

impl TryFrom<Vec<PcrNumber>> for PcrSelection {
    type Error = PcrSelectionError;

    fn try_from(numbers: Vec<PcrNumber>) -> Result<Self, PcrSelectionError> {
        let mut selection = BTreeSet::new();
        for number in numbers {
            if !selection.insert(number) {
                return Err(PcrSelectionError::Twice(number));
            }
        }
        if selection.is_empty() {
            return Err(PcrSelectionError::Empty);
        }
        Ok(Self(selection))
    }
}

impl From<PcrSelection> for Vec<PcrNumber> {
    fn from(selection: PcrSelection) -> Self {
        selection.0.into_iter().collect()
    }
}

impl From<PcrNumber> for PcrSelection {
    fn from(number: PcrNumber) -> Self {
        Self(BTreeSet::from([number]))
    }
}

impl fmt::Display for PcrSelection {
    /// `PCR 7`, `PCR 4, 7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        write!(f, "PCR {}", numbers.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_selections() {
        assert!(PcrNumber::try_from(24).is_err());
        let numbers = |numbers: &[u8]| -> Vec<PcrNumber> {
            numbers
                .iter()
                .map(|number| PcrNumber::try_from(*number).unwrap())
                .collect()
        };
        let selection = PcrSelection::try_from(numbers(&[7, 4])).unwrap();
        assert_eq!(selection.to_string(), "PCR 4, 7");
        assert_eq!(Vec::from(selection), numbers(&[4, 7]));
        assert_eq!(PcrSelection::try_from(vec![]), Err(PcrSelectionError::Empty));
        assert!(PcrSelection::try_from(numbers(&[7, 7])).is_err());
        assert_eq!(
            Vec::from(PcrSelection::start_up()),
            numbers(&[0, 1, 2, 3, 4, 5, 6, 7])
        );
    }
}
