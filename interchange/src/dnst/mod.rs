//! The state of `dnst keyset`, of NLnet Labs' dnst and Cascade: JSON with the keys of one zone and the rollovers under way.

mod export;
mod import;
mod state;

pub use export::Exported;
pub use import::{import, read};
pub use state::{Flags, Key, KeySet, Kind, RollState, RollType, Stamp, Stamps, Wrapping};

/// The largest state that is read, in bytes; it is of one zone.
pub const LARGEST_STATE: usize = 4 << 20;
