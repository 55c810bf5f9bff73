//! Why the work on a step ended early.

use cli::Failure;
use key_metadata::store::StoreError;

/// Why the work on a step ended early.
pub enum Stop {
    /// An exception or an abort was recorded: what is next follows from the log.
    Recorded,
    /// The step is not done, and the people were told why: it comes again.
    Again,
    /// Something that ends the program.
    Failure(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failure(error.into())
    }
}

/// What a part of a step gives.
pub type Go<T = ()> = Result<T, Stop>;
