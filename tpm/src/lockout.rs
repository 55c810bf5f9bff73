//! The dictionary-attack protection: how many wrong auth values the TPM still takes.

use tss_esapi::constants::PropertyTag;

use crate::command::CommandError;
use crate::engine::Engine;
use crate::tpm::Tpm;

/// Which auth values are set, and how near the TPM is to its lockout (TPM 2.0 part 1, 19.8; part 2, TPMA_PERMANENT).
///
/// A wrong lockout auth blocks that hierarchy for [`Self::recovery`] seconds, and no bit here shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lockout {
    /// Wrong auth values that are counted now (TPM_PT_LOCKOUT_COUNTER).
    pub counter: u32,
    /// The count at which the TPM locks (TPM_PT_MAX_AUTH_FAIL).
    pub max: u32,
    /// The time after which one is forgiven, in seconds (TPM_PT_LOCKOUT_INTERVAL).
    pub interval: u32,
    /// The time that a wrong lockout auth blocks its hierarchy, in seconds (TPM_PT_LOCKOUT_RECOVERY).
    pub recovery: u32,
    /// The TPM is locked.
    pub in_lockout: bool,
    /// The owner has an auth value.
    pub owner_auth_set: bool,
    /// The endorsement hierarchy has an auth value.
    pub endorsement_auth_set: bool,
    /// The lockout hierarchy has an auth value.
    pub lockout_auth_set: bool,
    /// TPM2_Clear is disabled, except by physical presence.
    pub clear_disabled: bool,
}

impl Lockout {
    /// How many more wrong auth values the TPM takes; at 0 it is locked.
    pub const fn tries_left(&self) -> u32 {
        self.max.saturating_sub(self.counter)
    }
}

impl Tpm {
    /// The state of the dictionary-attack protection, as it is now.
    pub fn lockout(&self) -> Result<Lockout, CommandError> {
        self.engine().lockout()
    }
}

impl Engine {
    pub(crate) fn lockout(&mut self) -> Result<Lockout, CommandError> {
        let mut read = |tag| Ok(self.property(tag)?.map_or(0, |value| value));
        let permanent: u32 = read(PropertyTag::Permanent)?;
        let bit = |number: u32| permanent & (1 << number) != 0;
        Ok(Lockout {
            counter: read(PropertyTag::LockoutCounter)?,
            max: read(PropertyTag::MaxAuthFail)?,
            interval: read(PropertyTag::LockoutInterval)?,
            recovery: read(PropertyTag::LockoutRecovery)?,
            in_lockout: bit(9),
            owner_auth_set: bit(0),
            endorsement_auth_set: bit(1),
            lockout_auth_set: bit(2),
            clear_disabled: bit(8),
        })
    }
}
