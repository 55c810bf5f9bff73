//! A TPM's clock and the counts of its starts.

use tss_esapi::tss2_esys::TPMS_CLOCK_INFO;

use crate::command::CommandError;
use crate::esys::Esys;
use crate::tpm::Tpm;

/// TPMS_CLOCK_INFO (TPM 2.0 part 2, 10.11.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockInfo {
    /// The time for which it was powered since TPM2_Clear or its making, in milliseconds; some who own it can set it forward.
    pub clock_ms: u64,
    /// TPM Resets since the last TPM2_Clear: starts of the machine.
    pub reset_count: u32,
    /// Restarts and resumes since the last reset.
    pub restart_count: u32,
    /// Whether a higher time was told before.
    pub safe: ClockSafety,
}

/// Whether a TPM can have told a higher time before (the `safe` of TPMS_CLOCK_INFO).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockSafety {
    /// It has not.
    Safe,
    /// It can have: it was stopped without TPM2_Shutdown, and its clock is kept from time to time only.
    MayHaveGoneBack,
}

impl ClockSafety {
    /// From a TPMI_YES_NO.
    pub(crate) const fn read(yes_no: u8) -> Option<Self> {
        match yes_no {
            0 => Some(Self::MayHaveGoneBack),
            1 => Some(Self::Safe),
            _ => None,
        }
    }
}

impl From<TPMS_CLOCK_INFO> for ClockInfo {
    fn from(info: TPMS_CLOCK_INFO) -> Self {
        Self {
            clock_ms: info.clock,
            reset_count: info.resetCount,
            restart_count: info.restartCount,
            safe: ClockSafety::read(info.safe).map_or(ClockSafety::MayHaveGoneBack, |safe| safe),
        }
    }
}

impl Tpm {
    /// The clock as it is now (TPM2_ReadClock); nothing here is signed.
    pub fn clock(&self) -> Result<ClockInfo, CommandError> {
        // One of our threads uses the TPM at a time.
        let engine = self.engine();
        Esys::open(&engine.tcti)?.clock().map(ClockInfo::from)
    }
}
