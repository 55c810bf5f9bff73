//! What holds at a point of the script whatever way led there, and why something else does not.

use std::collections::BTreeMap;

use crate::script::Word;

/// Facts, variables or people, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    holds: BTreeMap<String, Option<Word>>,
    lost: BTreeMap<String, Lost>,
}

/// Why something that a step gave does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// That step took it.
    Taken(Word),
    /// That step gave it, and may be skipped or is not on every way.
    Perhaps(Word),
}

impl Ledger {
    /// It holds from the start.
    pub(super) fn found(&mut self, name: &str) {
        self.holds.insert(name.to_owned(), None);
    }

    /// It holds, by that step.
    pub(super) fn give(&mut self, name: &str, step: &Word) {
        self.lost.remove(name);
        self.holds.insert(name.to_owned(), Some(step.clone()));
    }

    /// It holds no more, by that step.
    pub(super) fn take(&mut self, name: &str, step: &Word) {
        self.holds.remove(name);
        self.lost.insert(name.to_owned(), Lost::Taken(step.clone()));
    }

    /// Whether it holds.
    pub(super) fn has(&self, name: &str) -> bool {
        self.holds.contains_key(name)
    }

    /// Why it does not hold, where a step was concerned with it.
    pub(super) fn lost(&self, name: &str) -> Option<&Lost> {
        self.lost.get(name)
    }

    /// What holds at the end of both ways.
    pub(super) fn meet(&self, other: &Self) -> Self {
        let mut met = Self::default();
        for (here, there) in [(self, other), (other, self)] {
            for (name, step) in &here.holds {
                if there.has(name) {
                    met.holds.insert(name.clone(), step.clone());
                } else if let Some(Lost::Taken(taker)) = there.lost.get(name) {
                    met.lost.insert(name.clone(), Lost::Taken(taker.clone()));
                } else if let Some(step) = step {
                    met.lost.insert(name.clone(), Lost::Perhaps(step.clone()));
                }
            }
            for (name, why) in &here.lost {
                if !there.has(name) && !met.lost.contains_key(name) {
                    met.lost.insert(name.clone(), why.clone());
                }
            }
        }
        met
    }
}

impl Lost {
    /// As the end of a sentence about what is missed.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Taken(step) => format!("step '{step}' took it"),
            Self::Perhaps(step) => {
                format!("step '{step}' gives it, but that is not on every way here or may be skipped")
            }
        }
    }
}
