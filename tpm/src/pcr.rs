//! PCRs: the registers that a machine's start-up is measured into, and policies on their values.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use key_metadata::{Advice, PcrNumber, PcrSelection, PolicyDigest, Tcti};
use sha2::{Digest as _, Sha256};
use tss_esapi::Error;
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::session_handles::{AuthSession, PolicySession};
use tss_esapi::structures::{Digest, PcrSelectionList, PcrSlot};

use crate::command::CommandError;
use crate::engine::Engine;
use crate::tpm::Tpm;

/// TPM_CC_PolicyPCR.
const POLICY_PCR: u32 = 0x0000_017f;
/// TPM_ALG_SHA256.
const SHA256: u16 = 0x000b;

/// What is in a PCR of the SHA-256 bank, as hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PcrValue(pub [u8; 32]);

/// A text that is no such value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the value of a PCR has 64 hex digits")]
pub struct PcrValueError;

impl PcrValue {
    /// What is in the PCR once `event` was extended into it (TPM 2.0 part 1, 17.3).
    #[must_use]
    pub fn extended(self, event: [u8; 32]) -> Self {
        Self(
            Sha256::new()
                .chain_update(self.0)
                .chain_update(event)
                .finalize()
                .into(),
        )
    }
}

impl FromStr for PcrValue {
    type Err = PcrValueError;

    fn from_str(text: &str) -> Result<Self, PcrValueError> {
        let mut value = [0; 32];
        hex::decode_to_slice(text, &mut value).map_err(|_| PcrValueError)?;
        Ok(Self(value))
    }
}

impl fmt::Display for PcrValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Values of PCRs, by number: as they are, or as they will be.
pub type PcrValues = BTreeMap<PcrNumber, PcrValue>;

/// Why PCRs were not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PcrError {
    /// The TPM has it in other banks only, or not at all.
    #[error("the TPM at {tcti} has no PCR {pcr} in a SHA-256 bank")]
    NoBank {
        /// The TPM.
        tcti: Tcti,
        /// The PCR.
        pcr: PcrNumber,
    },
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Advice for PcrError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NoBank { .. } => Some(
                "switch the TPM's SHA-256 bank on in the firmware's set-up; tpm2_getcap pcrs shows the banks"
                    .to_owned(),
            ),
            Self::Command(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::NoBank { .. } => false,
            Self::Command(error) => error.is_credential(),
        }
    }
}

/// The digest of the policy that those PCRs have those values (TPM 2.0 part 3, 23.7).
pub fn pcr_policy_digest(values: &PcrValues) -> PolicyDigest {
    let mut policy = Sha256::new();
    policy.update([0; 32]);
    policy.update(POLICY_PCR.to_be_bytes());
    // TPML_PCR_SELECTION with one element.
    policy.update(1_u32.to_be_bytes());
    policy.update(SHA256.to_be_bytes());
    policy.update([3]);
    policy.update(bitmap(values));
    policy.update(digest_of(values));
    PolicyDigest(policy.finalize().into())
}

/// The PCRs that have values, as TPMS_PCR_SELECTION has them: bit n of byte n / 8.
pub(crate) fn bitmap(values: &PcrValues) -> [u8; 3] {
    let mut bitmap = [0_u8; 3];
    for pcr in values.keys() {
        let number = usize::from(u8::from(*pcr));
        if let Some(byte) = bitmap.get_mut(number / 8) {
            *byte |= 1 << (number % 8);
        }
    }
    bitmap
}

/// The digest of the values, in the order of the PCRs' numbers.
pub(crate) fn digest_of(values: &PcrValues) -> [u8; 32] {
    let mut digest = Sha256::new();
    for value in values.values() {
        digest.update(value.0);
    }
    digest.finalize().into()
}

impl Tpm {
    /// What is in those PCRs now (TPM2_PCR_Read).
    pub fn pcr_values(&self, pcrs: &PcrSelection) -> Result<PcrValues, PcrError> {
        self.engine().pcr_values(pcrs)
    }

    /// What the TPM itself computes for [`pcr_policy_digest`], in a trial session.
    pub fn trial_pcr_policy(&self, values: &PcrValues) -> Result<PolicyDigest, CommandError> {
        let mut engine = self.engine();
        let (mut held, session) = engine.trial_session()?;
        held.policy_pcr(session, values.keys().copied(), Some(digest_of(values)))?;
        held.policy_digest(session)
    }
}

impl Engine {
    pub(crate) fn pcr_values(&mut self, pcrs: &PcrSelection) -> Result<PcrValues, PcrError> {
        let mut values = PcrValues::new();
        // One at a time: how many a TPM gives at once differs.
        for pcr in pcrs.iter() {
            let (_, _, digests) = self.run("TPM2_PCR_Read", None, |context| {
                context.pcr_read(selection([pcr])?)
            })?;
            let value = digests
                .value()
                .first()
                .and_then(|digest| <[u8; 32]>::try_from(digest.as_slice()).ok());
            let Some(value) = value else {
                let tcti = self.tcti.clone();
                return Err(PcrError::NoBank { tcti, pcr });
            };
            values.insert(pcr, PcrValue(value));
        }
        Ok(values)
    }

    /// TPM2_PolicyPCR: on the present values, or in a trial session on those of `digest`.
    pub(crate) fn policy_pcr(
        &mut self,
        session: AuthSession,
        pcrs: impl IntoIterator<Item = PcrNumber>,
        digest: Option<[u8; 32]>,
    ) -> Result<(), CommandError> {
        self.run("TPM2_PolicyPCR", None, |context| {
            let digest = digest.map_or(Ok(Digest::default()), |bytes| Digest::try_from(bytes.as_slice()))?;
            context.policy_pcr(PolicySession::try_from(session)?, digest, selection(pcrs)?)
        })
    }

    /// How far the policy of a session has come (TPM2_PolicyGetDigest).
    pub(crate) fn policy_digest(&mut self, session: AuthSession) -> Result<PolicyDigest, CommandError> {
        self.run("TPM2_PolicyGetDigest", None, |context| {
            let digest = context.policy_get_digest(PolicySession::try_from(session)?)?;
            <[u8; 32]>::try_from(digest.as_slice())
                .map(PolicyDigest)
                .map_err(|_| Error::WrapperError(tss_esapi::WrapperErrorKind::WrongValueFromTpm))
        })
    }
}

pub(crate) fn selection(pcrs: impl IntoIterator<Item = PcrNumber>) -> Result<PcrSelectionList, Error> {
    let slot = |pcr: PcrNumber| PcrSlot::try_from(1_u32 << u8::from(pcr));
    let slots: Vec<_> = pcrs.into_iter().map(slot).collect::<Result<_, _>>()?;
    PcrSelectionList::builder()
        .with_selection(HashingAlgorithm::Sha256, &slots)
        .build()
}
