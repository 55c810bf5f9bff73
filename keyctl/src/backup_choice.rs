//! How a key can be backed up, which is decided for ever when it comes into its token.

use clap::ValueEnum;
use key_metadata::Extractability;

/// The values of `--backup`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BackupChoice {
    /// Wrapped by another key of its token, or for a TPM's recovery parent; the token must show first that it can
    Wrap,
    /// Not at all: who loses the token loses the key
    None,
}

impl BackupChoice {
    pub const fn extractability(self) -> Extractability {
        match self {
            Self::None => Extractability::Never,
            Self::Wrap => Extractability::Wrapped,
        }
    }
}
