//! What the screen asks, so that somebody at a terminal or a file of answers can say it.

use key_metadata::Digest;

use crate::script::{Seat, Word};

/// One question. The answer is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The step in which it is asked.
    pub step: Word,
    /// What is asked.
    pub ask: Ask,
    /// The words in front of the cursor.
    pub prompt: String,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Enter, to go on.
    GoOn,
    /// Enter, to try again what did not succeed.
    Retry,
    /// The initials of that seat, as they were given at sign-in.
    Initials {
        /// Whose.
        seat: Seat,
        /// What they are.
        initials: String,
    },
    /// Something about a person who signs in.
    Person {
        /// The seat.
        seat: Seat,
        /// What.
        field: PersonField,
    },
    /// What the wall clock shows: `2026-11-23 10:07:31` or `10:07:31`, UTC.
    Wall,
    /// A value.
    Value {
        /// Its name.
        name: Word,
        /// The pattern that it must match.
        pattern: String,
        /// What it must be because the ceremony before had it.
        last_time: Option<String>,
    },
    /// A digest as PGP words or hex digits, as it was heard. The one who types does not see it.
    Heard {
        /// Of what.
        what: String,
        /// What it must be.
        sha256: Digest,
    },
    /// One of some words.
    Choice(Vec<String>),
    /// This very word.
    Exact(String),
    /// A key tag that the person reads elsewhere.
    KeyTag(String),
    /// Where the private key of that seat is: a path, or nothing for the ssh-agent.
    SigningKey(Seat),
    /// A line of an exception sheet.
    Sheet(SheetField),
}

/// What is asked of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonField {
    /// The name.
    Name,
    /// The initials.
    Initials,
    /// The principal in allowed_signers; nothing for one who does not sign.
    Principal,
}

/// What is asked for an exception sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SheetField {
    /// What was expected.
    Expected,
    /// What happened.
    Happened,
    /// What was decided.
    Decided,
    /// `again`, `skip` or `abort`.
    Then,
    /// Whether that seat agrees: `yes` or `no`.
    Agrees(Seat),
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A line, without its end.
    Line(String),
    /// Ctrl-C.
    Interrupt,
    /// There will be no more answers.
    Closed,
}
