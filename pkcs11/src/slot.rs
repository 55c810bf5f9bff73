//! The slots of a module and what their tokens say of themselves.

use std::fmt;

use cryptoki::slot::Slot;
use key_metadata::{Advice, TokenLabel};

use crate::call::CallError;
use crate::initialise::PinOwner;
use crate::lock::ModuleLock;
use crate::module::Module;
use crate::pin_state::PinState;
use crate::session::AccessError;

/// What a token says of itself (CK_TOKEN_INFO).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenInfo {
    /// Its label.
    pub label: String,
    /// Who made it.
    pub manufacturer: String,
    /// The device model.
    pub model: String,
    /// Its serial number; `0000000000000000` for every token of tpm2-pkcs11.
    pub serial: String,
    /// The firmware's version, `major.minor`.
    pub firmware: String,
    /// How long a PIN may be.
    pub pin_length: PinLengthLimits,
    /// What it says of the user PIN.
    pub user_pin: PinState,
    /// What it says of the SO PIN.
    pub so_pin: PinState,
}

/// How long a token's PINs may be, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PinLengthLimits {
    /// The shortest.
    pub min: usize,
    /// The longest.
    pub max: usize,
}

impl PinLengthLimits {
    /// The longest PIN that is within the limits.
    pub const fn longest(&self) -> usize {
        match self.max {
            0 => usize::MAX,
            max => max,
        }
    }

    /// Whether a PIN of that many bytes is within the limits; a token whose limits make no sense (maximum 0) has none.
    pub const fn allow(&self, length: usize) -> bool {
        self.max == 0 || (self.min <= length && length <= self.max)
    }
}

impl fmt::Display for PinLengthLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {} bytes", self.min, self.max)
    }
}

/// Why a token told nothing of itself.
#[derive(Debug, thiserror::Error)]
#[error("token '{label}' does not tell what it is")]
pub struct InfoError {
    /// The token.
    pub label: TokenLabel,
    /// Why not.
    pub source: AccessError,
}

impl Advice for InfoError {
    fn hint(&self) -> Option<String> {
        self.source.hint()
    }

    fn is_credential(&self) -> bool {
        self.source.is_credential()
    }
}

/// A slot with a token in it.
#[derive(Clone)]
pub(crate) struct Occupied {
    pub(crate) slot: Slot,
    pub(crate) info: cryptoki::slot::TokenInfo,
}

impl Occupied {
    pub(crate) fn read(module: &Module, slot: Slot, _lock: &ModuleLock) -> Result<Self, CallError> {
        let info = module.raw().token_info(slot).map_err(CallError::of)?;
        Ok(Self { slot, info })
    }

    /// Every slot whose token can be read.
    pub(crate) fn all(module: &Module, lock: &ModuleLock) -> Result<Vec<Self>, CallError> {
        let slots = module.context().get_slots_with_token().map_err(CallError::of)?;
        Ok(slots
            .into_iter()
            .filter_map(|slot| Self::read(module, slot, lock).ok())
            .collect())
    }

    pub(crate) fn is_labelled(&self, label: &TokenLabel) -> bool {
        self.is_initialised() && self.info.label() == label.as_str()
    }

    /// Whether somebody can log in to it, the security officer at least.
    ///
    /// SoftHSM 2.6.1 writes a token's label first, with these two flags, and its SO PIN after it. Killed in between (3 of 100 kills
    /// during an initialisation) it keeps a token without any PIN, and a second C_InitToken says CKR_OK and mends nothing.
    pub(crate) fn is_initialised(&self) -> bool {
        let dead = self.info.so_pin_locked()
            && self.info.so_pin_to_be_changed()
            && !self.info.user_pin_initialized();
        self.info.token_initialized() && !dead
    }

    pub(crate) fn pin_length_limits(&self) -> PinLengthLimits {
        PinLengthLimits {
            min: self.info.min_pin_length(),
            max: self.info.max_pin_length(),
        }
    }

    pub(crate) fn pin_state(&self, owner: PinOwner) -> PinState {
        PinState::of(&self.info, owner)
    }

    pub(crate) fn public_info(&self) -> TokenInfo {
        let firmware = self.info.firmware_version();
        TokenInfo {
            label: self.info.label().to_owned(),
            manufacturer: self.info.manufacturer_id().to_owned(),
            // tpm2-pkcs11 pads it with NUL.
            model: self.info.model().trim_end_matches('\0').to_owned(),
            serial: self.info.serial_number().to_owned(),
            firmware: format!("{}.{}", firmware.major(), firmware.minor()),
            pin_length: self.pin_length_limits(),
            user_pin: self.pin_state(PinOwner::User),
            so_pin: self.pin_state(PinOwner::SecurityOfficer),
        }
    }
}

/// The labels of the initialised tokens, sorted.
pub(crate) fn labels(tokens: &[Occupied]) -> Vec<String> {
    let mut labels: Vec<String> = tokens
        .iter()
        .filter(|token| token.is_initialised())
        .map(|token| token.info.label().to_owned())
        .collect();
    labels.sort();
    labels
}

/// The hint that goes with a token that is not there.
pub(crate) fn hint_of_others(others: &[String]) -> String {
    if others.is_empty() {
        return "this module has no initialised token; check its configuration and that its token is plugged in".to_owned();
    }
    format!("its tokens are: {}", others.join(", "))
}
