//! The log of a ceremony: one entry a line, each with the digest of the line before.

mod append;
mod body;
mod checkpoint;
mod entry;
mod folder;
mod merkle;
mod read;
mod strict;

pub(crate) use append::sync_folder;
pub use append::{AppendError, LogFile, entries};

pub use body::*;
pub use checkpoint::{Checkpoint, CheckpointError};
pub use entry::{Entry, EntryError, LONGEST_LINE};
pub use folder::{CeremonyFolder, names};
pub use merkle::{Tree, leaf};
pub use read::{Lines, ReadError, Tail, read_lines};
