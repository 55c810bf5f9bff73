//! One process at a time in a module's start, login and PIN changes.

use key_metadata::Advice;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

/// How long a process waits for the others. No standard gives a figure: a login takes milliseconds on SoftHSM and up to a second on a
/// TPM, so this is room for thirty processes behind the slowest.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(30);

const POLL: Duration = Duration::from_millis(5);

/// Why the module's lock was not had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// The shared object cannot be opened for reading.
    #[error("cannot open {} to lock it", path.display())]
    Open {
        /// The module.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file system does not lock.
    #[error("cannot lock {}", path.display())]
    Lock {
        /// The module.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process kept it for longer than [`LOCK_TIMEOUT`].
    #[error("another process has held the lock on {} for {} seconds", path.display(), LOCK_TIMEOUT.as_secs())]
    Held {
        /// The module.
        path: PathBuf,
    },
}

impl Advice for LockError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Open { .. } => None,
            Self::Lock { .. } => Some("keep the module on a local file system".to_owned()),
            Self::Held { path } => Some(format!(
                "'fuser -v {}' names the processes that use the module",
                path.display()
            )),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Open { .. } | Self::Lock { .. } | Self::Held { .. } => false,
        }
    }
}

/// An exclusive advisory lock (flock) on the module's own shared object: the one file that every process with that module has.
///
/// SoftHSM needs it: its C_Login rewrites token.object, and whoever reads the store meanwhile finds no token. Held by everything that
/// reads or writes the token's own record: C_Initialize, C_GetSlotList, C_InitToken, C_OpenSession, C_Login and the PINs; never
/// while a key is generated or signs. It binds Keyrite's processes only. Not re-entrant: functions that need it take it as argument.
pub(crate) struct ModuleLock {
    _file: File,
}

impl ModuleLock {
    pub(crate) fn take(path: &Path) -> Result<Self, LockError> {
        let file = File::open(path).map_err(|source| LockError::Open {
            path: path.to_owned(),
            source,
        })?;
        // Counted in polls, so that no clock is read.
        for _ in 0..LOCK_TIMEOUT.as_millis() / POLL.as_millis() {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) => sleep(POLL),
                Err(TryLockError::Error(source)) => {
                    return Err(LockError::Lock {
                        path: path.to_owned(),
                        source,
                    });
                }
            }
        }
        Err(LockError::Held {
            path: path.to_owned(),
        })
    }
}
