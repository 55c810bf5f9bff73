//! What a check found: a verdict, the evidence for it, and what to do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is as it must be.
    Pass,
    /// It is in order, and deserves a look.
    Warn,
    /// It cannot be told. That is not in order: somebody must find out, or accept it on record.
    Unknown,
    /// It is not as it must be.
    Fail,
}

impl Verdict {
    /// Whether a check with this verdict says no.
    pub const fn says_no(self) -> bool {
        match self {
            Self::Pass | Self::Warn => false,
            Self::Unknown | Self::Fail => true,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Unknown => "unknown",
            Self::Fail => "fail",
        })
    }
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The check's name, which is stable: lower case, words joined by dashes.
    pub check: String,
    /// What it says.
    pub verdict: Verdict,
    /// What was seen.
    pub evidence: String,
    /// What to do about it; `None` where there is nothing to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Finding {
    /// All is well.
    pub fn pass(check: &str, evidence: impl Into<String>) -> Self {
        Self::new(check, Verdict::Pass, evidence, None)
    }

    /// In order, but worth a look.
    pub fn warn(check: &str, evidence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(check, Verdict::Warn, evidence, Some(remedy.into()))
    }

    /// It cannot be told.
    pub fn unknown(check: &str, evidence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(check, Verdict::Unknown, evidence, Some(remedy.into()))
    }

    /// It is not as it must be.
    pub fn fail(check: &str, evidence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(check, Verdict::Fail, evidence, Some(remedy.into()))
    }

    fn new(check: &str, verdict: Verdict, evidence: impl Into<String>, remedy: Option<String>) -> Self {
        let (check, evidence) = (check.to_owned(), evidence.into());
        Self {
            check,
            verdict,
            evidence,
            remedy,
        }
    }
}
