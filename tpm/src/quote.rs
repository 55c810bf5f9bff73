//! Having a TPM sign statements with its attestation key, whose auth value is empty: on the log's anchors, and on PCRs.

use key_metadata::{Advice, NvIndex, PcrSelection, Tcti, TpmHandle};
use tss_esapi::handles::KeyHandle;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{Data, PcrSelectionList, SignatureScheme};
use tss_esapi::traits::Marshall;

use crate::attested::{Attest, Says};
use crate::command::CommandError;
use crate::engine::Engine;
use crate::esys::Esys;
use crate::nv::{Anchor, AnchorError, Holds};
use crate::pcr::{PcrError, PcrValues, selection};
use crate::response::ResponseCode;
use crate::statement::Statement;
use crate::tpm::Tpm;
use crate::verify::check_pcrs;

/// The longest qualifying data that every TPM takes, in bytes: TPM2B_DATA holds a digest (TPM 2.0 part 2, 10.4.3).
const LONGEST: usize = 32;
/// How often PCRs that change between being read and being quoted are tried; our choice.
const TRIES: u32 = 3;

/// A quote, with the values that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// What was signed.
    pub statement: Statement,
    /// The values; the quote has their digest.
    pub values: PcrValues,
}

/// Why a TPM signed no statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttestError {
    /// Nothing at the handle.
    #[error("the TPM at {tcti} has no attestation key at {handle}")]
    Absent {
        /// The TPM.
        tcti: Tcti,
        /// The handle.
        handle: TpmHandle,
    },
    /// Qualifying data that not every TPM takes.
    #[error("a statement's nonce has 1 to {LONGEST} bytes, not {length}")]
    Nonce {
        /// Its length, in bytes.
        length: usize,
    },
    /// The TPM answered with something else.
    #[error("the TPM at {tcti} gave no statement signed with P-256")]
    Wrong {
        /// The TPM.
        tcti: Tcti,
    },
    /// The PCRs were extended each time between being read and being quoted.
    #[error("the TPM at {tcti} did not quote the values that it gave for {pcrs}")]
    Changing {
        /// The TPM.
        tcti: Tcti,
        /// The PCRs.
        pcrs: PcrSelection,
    },
    /// The anchor is not one, or holds nothing.
    #[error(transparent)]
    Anchor(#[from] AnchorError),
    /// The PCRs were not read.
    #[error(transparent)]
    Pcrs(#[from] PcrError),
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Advice for AttestError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Absent { .. } => {
                Some("make an attestation key first: keyrite-tpm-init provision".to_owned())
            }
            Self::Changing { .. } => {
                Some("choose PCRs that nothing is measured into while the machine runs".to_owned())
            }
            Self::Nonce { .. } | Self::Wrong { .. } => None,
            Self::Anchor(error) => error.hint(),
            Self::Pcrs(error) => error.hint(),
            Self::Command(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Absent { .. } | Self::Nonce { .. } | Self::Wrong { .. } | Self::Changing { .. } => false,
            Self::Anchor(error) => error.is_credential(),
            Self::Pcrs(error) => error.is_credential(),
            Self::Command(error) => error.is_credential(),
        }
    }
}

impl Tpm {
    /// A quote over no PCRs (TPM2_Quote): the attestation key at that handle is here, now. To be verified with no values.
    pub fn attest(&self, key: TpmHandle, nonce: &[u8]) -> Result<Statement, AttestError> {
        let mut engine = self.engine();
        engine.check_key(key, nonce)?;
        engine.quoted(key, nonce, PcrSelectionList::default())
    }

    /// A quote of those PCRs of the SHA-256 bank (TPM2_Quote), with the values that it is about.
    pub fn quote(
        &self,
        key: TpmHandle,
        pcrs: &PcrSelection,
        qualifying: &[u8],
    ) -> Result<Quote, AttestError> {
        let mut engine = self.engine();
        engine.check_key(key, qualifying)?;
        for _ in 0..TRIES {
            let values = engine.pcr_values(pcrs)?;
            let list = selection(pcrs.iter()).map_err(|error| engine.failed(error))?;
            let statement = engine.quoted(key, qualifying, list)?;
            if is_about(&statement, &values) {
                return Ok(Quote { statement, values });
            }
        }
        Err(AttestError::Changing {
            tcti: engine.tcti.clone(),
            pcrs: pcrs.clone(),
        })
    }

    /// A statement on all that an anchor holds (TPM2_NV_Certify).
    pub fn certify_nv(
        &self,
        key: TpmHandle,
        anchor: Anchor,
        index: NvIndex,
        qualifying: &[u8],
    ) -> Result<Statement, AttestError> {
        let mut engine = self.engine();
        engine.check_key(key, qualifying)?;
        let holds = engine.own_anchor(anchor, index)?;
        let tcti = engine.tcti.clone();
        match holds {
            Holds::Nothing => Err(AnchorError::Unwritten { tcti, anchor, index }.into()),
            Holds::Something => {
                let (attested, signature) =
                    Esys::open(&tcti)?.certify(key, index, anchor.size(), qualifying)?;
                Statement::new(attested, &signature).ok_or(AttestError::Wrong { tcti })
            }
        }
    }
}

impl Engine {
    /// Whether there is a key to ask, and the qualifying data can be given to it.
    fn check_key(&mut self, handle: TpmHandle, qualifying: &[u8]) -> Result<(), AttestError> {
        let length = qualifying.len();
        if !(1..=LONGEST).contains(&length) {
            return Err(AttestError::Nonce { length });
        }
        if !self.is_there(handle.number())? {
            let tcti = self.tcti.clone();
            return Err(AttestError::Absent { tcti, handle });
        }
        Ok(())
    }

    fn quoted(
        &mut self,
        handle: TpmHandle,
        nonce: &[u8],
        pcrs: PcrSelectionList,
    ) -> Result<Statement, AttestError> {
        let mut key = self.open(handle.number())?;
        let open = KeyHandle::from(key.handle());
        let (attest, signature) = key.run("TPM2_Quote", Some(AuthSession::Password), |context| {
            context.quote(open, Data::try_from(nonce)?, SignatureScheme::Null, pcrs)
        })?;
        let attested = attest.marshall().map_err(|error| key.failed(error))?;
        let tcti = key.tcti.clone();
        Statement::new(attested, &signature).ok_or(AttestError::Wrong { tcti })
    }

    fn failed(&self, error: tss_esapi::Error) -> CommandError {
        CommandError::new(&self.tcti, "TPM2_Quote", ResponseCode::of(error))
    }
}

/// Whether a quote has the digest of those values; its signature is somebody else's to check.
fn is_about(statement: &Statement, values: &PcrValues) -> bool {
    match Attest::read(statement.attested()).map(|attest| attest.says) {
        Ok(Says::Quote { selection, digest }) => check_pcrs(&selection, digest, values).is_ok(),
        Ok(Says::Nv { .. } | Says::Other(_)) | Err(_) => false,
    }
}
