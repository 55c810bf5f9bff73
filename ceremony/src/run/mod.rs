//! Holding a ceremony: one step after the other, on a screen.

mod question;

pub use question::{Ask, Asked, PersonField, Question, SheetField};
