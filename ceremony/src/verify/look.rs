//! Looking at a claim: faults are collected, and become its verdict.

use super::claim::{Claim, ClaimVerdict};

/// How many faults a claim tells one by one.
const TOLD: usize = 4;

/// A claim that is being looked at.
#[derive(Debug, Default)]
pub(super) struct Look {
    faults: Vec<String>,
    fault_lines: Vec<u64>,
    lines: Vec<u64>,
}

impl Look {
    /// A line that the claim is about.
    pub(super) fn at(&mut self, line: u64) {
        self.lines.push(line);
    }

    /// Something that is not as claimed, in no line of the log.
    pub(super) fn fault(&mut self, what: impl Into<String>) {
        self.faults.push(what.into());
    }

    /// Something in a line that is not as claimed.
    pub(super) fn fault_at(&mut self, line: u64, what: impl std::fmt::Display) {
        self.fault_lines.push(line);
        self.faults.push(format!("line {line}: {what}"));
    }

    /// Whether nothing was found.
    pub(super) fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    /// The claim: it holds where no fault was found, and `seen` says what was looked at.
    pub(super) fn claim(self, id: &str, claim: &str, command: &str, seen: String) -> Claim {
        let failed = !self.faults.is_empty();
        let mut evidence = self.faults;
        let more = evidence.len().saturating_sub(TOLD);
        evidence.truncate(TOLD);
        let mut evidence = evidence.join("; ");
        if more > 0 {
            evidence.push_str(&format!("; and {more} more"));
        }
        let mut lines = if failed { self.fault_lines } else { self.lines };
        lines.sort_unstable();
        lines.dedup();
        Claim {
            id: id.to_owned(),
            claim: claim.to_owned(),
            verdict: if failed {
                ClaimVerdict::Fail
            } else {
                ClaimVerdict::Pass
            },
            evidence: if failed { evidence } else { seen },
            command: command.to_owned(),
            lines,
        }
    }
}

/// A claim that nobody looked at, and why.
pub(super) fn not_checked(id: &str, claim: &str, command: &str, why: &str) -> Claim {
    Claim {
        id: id.to_owned(),
        claim: claim.to_owned(),
        verdict: ClaimVerdict::NotChecked,
        evidence: why.to_owned(),
        command: command.to_owned(),
        lines: Vec::new(),
    }
}
