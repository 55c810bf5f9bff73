//! The TPMs of a site: one that was provisioned is known again, and another one in its place is refused.

use key_metadata::site::WhichTpm;
use key_metadata::store::StoreError;
use key_metadata::{Advice, SiteFolder, Tcti, TokenName, TpmHandle};

use crate::approval::{PcrAccess, PcrAccessError};
use crate::srk::SrkError;
use crate::tpm::{ConnectError, Tpm};

/// Why a TPM of a site cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SiteTpmError {
    /// There is no one TPM that keeps what is sealed.
    #[error(transparent)]
    Which(#[from] WhichTpm),
    /// A file of the site.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its PCR policy.
    #[error(transparent)]
    PcrAccess(#[from] PcrAccessError),
    /// It does not answer.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It is another one.
    #[error(transparent)]
    Srk(#[from] SrkError),
}

impl Advice for SiteTpmError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Which(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::PcrAccess(error) => error.hint(),
            Self::Connect(error) => error.hint(),
            Self::Srk(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Which(error) => error.is_credential(),
            Self::Store(error) => error.is_credential(),
            Self::PcrAccess(error) => error.is_credential(),
            Self::Connect(error) => error.is_credential(),
            Self::Srk(error) => error.is_credential(),
        }
    }

    fn is_absence(&self) -> bool {
        match self {
            Self::Which(_) | Self::Store(_) | Self::PcrAccess(_) => false,
            Self::Connect(error) => error.is_absence(),
            Self::Srk(error) => error.is_absence(),
        }
    }
}

impl Tpm {
    /// Connects to a TPM of the site; where it was provisioned, it must be the same one.
    pub fn of_site(site: &SiteFolder, name: &TokenName, tcti: &Tcti) -> Result<Self, SiteTpmError> {
        let identity = site.tpm_identity(name)?;
        let tpm = Self::connect(tcti)?;
        tpm.pin(identity.as_ref())?;
        Ok(tpm)
    }

    /// The site's one TPM, which keeps what is or is to be sealed at that handle, with its PCR policy.
    pub fn keeping(site: &SiteFolder, handle: TpmHandle) -> Result<Self, SiteTpmError> {
        let (name, tcti) = site.site().only_tpm(handle)?;
        let access = PcrAccess::of_site(site, name)?;
        let tpm = Self::of_site(site, name, tcti)?;
        tpm.use_pcr_policy(access);
        Ok(tpm)
    }
}
