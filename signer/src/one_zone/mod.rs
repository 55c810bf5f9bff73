//! One zone, signed with the keys of its tokens and released.

mod last;
mod outcome;
mod prepare;
mod release;
mod sources;

pub use last::{last_release, released, write_failure};
pub use outcome::{Asked, Listener, NotReleased, Released};
pub use prepare::{Prepared, Signing};
