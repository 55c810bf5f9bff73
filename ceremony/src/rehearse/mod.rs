//! Rehearsals: the same script on a TPM and tokens in software, which are thrown away.

mod answers;
mod draw;
mod fault;
mod file;
mod folder;
mod follow;
mod hold;
mod loss;
mod part;
mod people;
mod site;
mod stage;
mod timing;
mod value;

pub use answers::{Answers, AnswersError};
pub use fault::{Fault, FaultError, PlacedFault};
pub use file::{FileError, RehearsalFile};
pub use folder::{Occupant, StageFolder};
pub use hold::{Event, HoldError, TOOL, hold};
pub use part::{Entrance, Part};
pub use people::{Extra, cast, principal};
pub use stage::{Stage, StageError};
pub use timing::{ActEstimate, Estimate};
pub use value::{ValueError, matches, matching};
