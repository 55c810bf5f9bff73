//! What is claimed of a ceremony, and what came of looking.

use std::fmt;

use serde::Serialize;

/// What came of looking at a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClaimVerdict {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// Nobody looked, or there is nothing to look at: it does not count as if it held.
    NotChecked,
}

/// A claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Claim {
    /// Its name, such as `chain` or `signature`.
    pub id: String,
    /// The claim, as a sentence.
    pub claim: String,
    /// What came of it.
    pub verdict: ClaimVerdict,
    /// What was seen, and of a failure where.
    pub evidence: String,
    /// The stock command, in the ceremony's folder, that shows the same.
    pub command: String,
    /// The lines of the log that it is about.
    pub lines: Vec<u64>,
}

/// All claims of a ceremony.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Verification {
    /// The claims, in the order of the specification.
    pub claims: Vec<Claim>,
}

impl Verification {
    /// Fail where any claim fails. Claims that were not checked do not make it better or worse; they are told.
    pub fn verdict(&self) -> ClaimVerdict {
        let fails = self
            .claims
            .iter()
            .any(|claim| claim.verdict == ClaimVerdict::Fail);
        if fails {
            ClaimVerdict::Fail
        } else {
            ClaimVerdict::Pass
        }
    }

    /// How many claims have that verdict.
    pub fn count(&self, verdict: ClaimVerdict) -> usize {
        self.claims
            .iter()
            .filter(|claim| claim.verdict == verdict)
            .count()
    }
}

impl fmt::Display for ClaimVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::NotChecked => "not checked",
        })
    }
}
