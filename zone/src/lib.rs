//! A zone in memory: read from its text in pieces side by side, kept as it is on the wire in canonical order, walked, and checked.
//!
//! It knows no token and touches no file but those that it reads. Times are arguments.

mod additions;
mod canonical;
pub mod check;
mod denial;
mod digest;
mod error;
mod hash;
mod name;
mod pieces;
mod rdata_text;
mod reader;
mod records;
mod rrsig;
mod types;
mod walk;
mod write;

pub use additions::RdataAt;
pub use canonical::canonical_rdata;
pub use check::check;
pub use denial::{SameHash, add_denial};
pub use error::{Place, ReadError};
pub use hash::{Hash, Parameters};
pub use name::WireName;
pub use records::{Reading, Record, Records};
pub use rrsig::Rrsig;
pub use types::Types;
pub use walk::{Node, Set, Standing, nodes};
pub use write::{WriteError, write};
