//! The states in which a site may find its TPM.

use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;

use sandbox::{EkCa, Swtpm};

/// How the TPM of a rig is when the site first meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TpmState {
    /// New, without endorsement keys and certificates.
    Fresh,
    /// New, with endorsement keys that a maker certified whose certificates the site has.
    Manufactured,
    /// The same, but the site has those of another maker.
    ForeignCa,
    /// Its maker is known to the site, but its certificates were changed.
    TamperedEk,
    /// Its maker is known to the site, but its certificates are those of another TPM.
    OtherEk,
    /// In failure mode.
    Failed,
}

impl TpmState {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Fresh,
        Self::Manufactured,
        Self::ForeignCa,
        Self::TamperedEk,
        Self::OtherEk,
        Self::Failed,
    ];

    /// Starts such a TPM in `folder`; with it the maker whose certificates the site has, where it has any.
    pub fn start(self, folder: &Path) -> io::Result<(Swtpm, Option<EkCa>)> {
        let state = folder.join("tpm");
        let maker = |name| EkCa::new(&folder.join(name), name);
        match self {
            Self::Fresh => Ok((Swtpm::start(&state)?, None)),
            Self::Failed => Ok((Swtpm::failed(&state)?, None)),
            Self::Manufactured => {
                let ca = maker("maker")?;
                Ok((Swtpm::manufactured(&state, &ca)?, Some(ca)))
            }
            Self::ForeignCa => Ok((
                Swtpm::manufactured(&state, &maker("maker")?)?,
                Some(maker("another-maker")?),
            )),
            Self::TamperedEk => {
                let ca = maker("maker")?;
                Ok((Swtpm::with_tampered_ek(&state, &ca)?, Some(ca)))
            }
            Self::OtherEk => {
                let ca = maker("maker")?;
                Ok((Swtpm::with_other_ek(&state, &ca)?, Some(ca)))
            }
        }
    }
}

impl fmt::Display for TpmState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fresh => "fresh",
            Self::Manufactured => "manufactured",
            Self::ForeignCa => "foreign-ca",
            Self::TamperedEk => "tampered-ek",
            Self::OtherEk => "other-ek",
            Self::Failed => "failed",
        })
    }
}

impl FromStr for TpmState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(|state| state.to_string()).join(", ");
        Self::ALL
            .into_iter()
            .find(|state| state.to_string() == text)
            .ok_or_else(|| format!("the states of a TPM are {}", known()))
    }
}
