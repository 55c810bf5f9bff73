//! The recovery parent of a site's TPM, as its file has it.

use std::path::PathBuf;

use key_metadata::store::{Lock, StoreError, read_bytes_if_there, replace};
use key_metadata::{Advice, SiteFolder, TokenName};

use crate::recovery::{RecoveryParent, RecoveryParentError};

/// Its name in the TPM's folder, `tpm/<name>/`.
const FILE: &str = "recovery-parent.tpm";

/// Why a site's recovery parent cannot be used, or was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParentFileError {
    /// What is in the file is none.
    #[error("cannot use {}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: RecoveryParentError,
    },
    /// The TPM has another one, and keys may leave to that.
    #[error("TPM '{tpm}' has another recovery parent already: {}", path.display())]
    AnotherThere {
        /// The TPM.
        tpm: TokenName,
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Advice for ParentFileError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Content { source, .. } => source.hint(),
            Self::AnotherThere { .. } => Some(
                "keep it: keys that were made with it leave to it alone, and no other opens their backups"
                    .to_owned(),
            ),
            Self::Store(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Content { source, .. } => source.is_credential(),
            Self::AnotherThere { .. } => false,
            Self::Store(error) => error.is_credential(),
        }
    }
}

impl RecoveryParent {
    /// The one that the keys of a site's TPM leave to; `None` where it has none.
    pub fn of_site(site: &SiteFolder, tpm: &TokenName) -> Result<Option<Self>, ParentFileError> {
        let path = site.tpm_path(tpm, FILE);
        let Some(bytes) = read_bytes_if_there(&path)? else {
            return Ok(None);
        };
        match Self::from_bytes(&bytes) {
            Ok(parent) => Ok(Some(parent)),
            Err(source) => Err(ParentFileError::Content { path, source }),
        }
    }

    /// Writes its file, but not over another one's. The lock is the one of [`SiteFolder::lock_tpm`].
    pub fn write_to_site(
        &self,
        site: &SiteFolder,
        tpm: &TokenName,
        _lock: &Lock,
    ) -> Result<(), ParentFileError> {
        let path = site.tpm_path(tpm, FILE);
        match Self::of_site(site, tpm)? {
            Some(there) if there == *self => Ok(()),
            Some(_) => Err(ParentFileError::AnotherThere {
                tpm: tpm.clone(),
                path,
            }),
            None => Ok(replace(&path, |out| out.write_all(&self.to_bytes()))?),
        }
    }
}
