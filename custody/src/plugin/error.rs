//! What can go wrong with a plugin.

use std::io;

use key_metadata::Advice;

/// Why a plugin did not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PluginError {
    /// It is not installed.
    #[error("there is no program {binary} in the folders of PATH")]
    Missing {
        /// Its program.
        binary: String,
    },
    /// It cannot be started or spoken with.
    #[error("{binary} cannot be run")]
    Io {
        /// Its program.
        binary: String,
        /// The cause.
        source: io::Error,
    },
    /// It ended in the middle.
    #[error("{binary} ended before it was done")]
    Died {
        /// Its program.
        binary: String,
    },
    /// It does not keep to the protocol.
    #[error("{binary} does not keep to the protocol of plugins: {what}")]
    Protocol {
        /// Its program.
        binary: String,
        /// What is wrong.
        what: &'static str,
    },
    /// It says itself why.
    #[error("{binary} says: {said}")]
    Said {
        /// Its program.
        binary: String,
        /// What it says.
        said: String,
    },
}

impl Advice for PluginError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { binary } => Some(format!(
                "install {binary}, or put its folder into PATH as an absolute path"
            )),
            Self::Said { .. } => {
                Some("see that the hardware is plugged in, and check its PIN before the next try".to_owned())
            }
            Self::Died { binary } | Self::Protocol { binary, .. } => Some(format!(
                "try it with age itself; if that fails too, install another version of {binary}"
            )),
            Self::Io { .. } => None,
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            // The hardware is absent, or refuses its PIN: a script must not try again.
            Self::Said { .. } => true,
            Self::Missing { .. } | Self::Io { .. } | Self::Died { .. } | Self::Protocol { .. } => false,
        }
    }
}
