//! What is wrong with a zone.

use std::fmt;

use domain::base::iana::Rtype;

use crate::records::{Record, Records};
use crate::walk::{Node, Set};

/// What a problem is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// The zone, as it is signed.
    Zone,
    /// The DS records at the parent, which do not lead into the zone.
    Parent,
    /// A delegation, which its holder may mend: the rest of the zone is what it should be.
    Delegation,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The first record that it is about, for the order.
    pub(crate) place: usize,
    /// Whose matter it is.
    pub about: About,
    /// The name that it is about.
    pub owner: String,
    /// The type, where it is about one.
    pub rtype: Option<Rtype>,
    /// The line of the file, where it is about a record that is there.
    pub line: Option<u32>,
    /// What is wrong, in words that go on behind the name.
    pub what: String,
}

impl Problem {
    pub(crate) fn of_zone(records: &Records, what: impl Into<String>) -> Self {
        Self {
            place: 0,
            about: About::Zone,
            owner: records.apex().to_string(),
            rtype: None,
            line: None,
            what: what.into(),
        }
    }

    pub(crate) fn of_node(records: &Records, node: &Node, what: impl Into<String>) -> Self {
        let first = records.at(node.records.start);
        Self {
            place: node.records.start,
            about: About::Zone,
            owner: first.owner().to_string(),
            rtype: None,
            line: first.line(),
            what: what.into(),
        }
    }

    pub(crate) fn of_set(set: Set<'_>, what: impl Into<String>) -> Self {
        Self::of_record(set.first(), set.place(), what)
    }

    pub(crate) fn of_record(record: Record<'_>, place: usize, what: impl Into<String>) -> Self {
        Self {
            place,
            about: About::Zone,
            owner: record.owner().to_string(),
            rtype: Some(record.rtype()),
            line: record.line(),
            what: what.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rtype {
            Some(rtype) => write!(f, "{} {rtype} {}", self.owner, self.what),
            None => write!(f, "{} {}", self.owner, self.what),
        }
    }
}
