//! What an initialisation does, and why it does not.

use key_metadata::{Advice, TokenLabel};

use crate::initialise::PinOwner;
use crate::session::AccessError;
use crate::slot::{PinLengthLimits, hint_of_others};

/// What an initialisation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitialiseStep {
    /// Finds the token, or a slot for it.
    Find,
    /// C_InitToken.
    InitToken,
    /// Logs the security officer in.
    SoLogin,
    /// Changes the SO PIN that the token was delivered with (C_SetPIN).
    ChangeSoPin,
    /// C_InitPIN.
    InitPin,
    /// Changes the user PIN that the token was delivered with (C_SetPIN).
    ChangeUserPin,
    /// Logs the user in and out, to see that the token works.
    Verify,
}

impl std::fmt::Display for InitialiseStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Find => "finding a slot",
            Self::InitToken => "initialising the token",
            Self::SoLogin => "logging in as security officer",
            Self::ChangeSoPin => "changing the SO PIN that it was delivered with",
            Self::InitPin => "setting the user PIN",
            Self::ChangeUserPin => "changing the user PIN that it was delivered with",
            Self::Verify => "the first user login",
        })
    }
}

/// Why a token could not be initialised.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitialiseError {
    /// Every slot of the module has an initialised token.
    #[error("there is no free slot for token '{label}'")]
    NoFreeSlot {
        /// The label asked for.
        label: TokenLabel,
        /// The labels that are there.
        others: Vec<String>,
    },
    /// Several tokens have that label.
    #[error("{count} tokens are labelled '{label}' already")]
    Ambiguous {
        /// The label asked for.
        label: TokenLabel,
        /// How many there are.
        count: usize,
    },
    /// The token takes no PIN of that length; nothing was changed.
    #[error("token '{label}' takes {owner} PINs of {limits}, the one given has another length")]
    PinLength {
        /// The label asked for.
        label: TokenLabel,
        /// Whose PIN.
        owner: PinOwner,
        /// The lengths that it takes.
        limits: PinLengthLimits,
    },
    /// The token was delivered with a PIN that it asks for, and it was not given.
    #[error("the {owner} PIN that token '{label}' was delivered with is to be changed, and was not given")]
    NoDeliveredPin {
        /// The label asked for.
        label: TokenLabel,
        /// Whose PIN.
        owner: PinOwner,
    },
    /// The token refused the PIN that it was said to be delivered with.
    #[error("token '{label}' refused the {owner} PIN that it was said to be delivered with")]
    DeliveredPinRefused {
        /// The label asked for.
        label: TokenLabel,
        /// Whose PIN.
        owner: PinOwner,
    },
    /// The token, which was there without a user PIN, refused the security officer's.
    #[error("token '{label}' has no user PIN yet and refused the SO PIN")]
    SoPinRefused {
        /// The label asked for.
        label: TokenLabel,
    },
    /// The module initialised the token, and then has none of that label.
    #[error("token '{label}' was initialised and is not there")]
    Vanished {
        /// The label asked for.
        label: TokenLabel,
    },
    /// A step failed.
    #[error("{step} failed for token '{label}'")]
    Access {
        /// The label asked for.
        label: TokenLabel,
        /// Which step.
        step: InitialiseStep,
        /// Why.
        source: AccessError,
    },
}

impl InitialiseError {
    /// Whether the token was changed before it failed; the next run completes it.
    pub const fn is_partial(&self) -> bool {
        match self {
            Self::NoFreeSlot { .. }
            | Self::Ambiguous { .. }
            | Self::PinLength { .. }
            | Self::SoPinRefused { .. } => false,
            Self::Vanished { .. } => true,
            // The security officer's is asked for first of all, and the user's last.
            Self::NoDeliveredPin { owner, .. } | Self::DeliveredPinRefused { owner, .. } => match owner {
                PinOwner::SecurityOfficer => false,
                PinOwner::User => true,
            },
            Self::Access { step, .. } => match step {
                InitialiseStep::Find | InitialiseStep::InitToken => false,
                InitialiseStep::SoLogin
                | InitialiseStep::ChangeSoPin
                | InitialiseStep::InitPin
                | InitialiseStep::ChangeUserPin
                | InitialiseStep::Verify => true,
            },
        }
    }
}

impl Advice for InitialiseError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NoFreeSlot { others, .. } => Some(hint_of_others(others)),
            Self::Ambiguous { .. } => Some("choose another label".to_owned()),
            Self::PinLength { owner, .. } => Some(format!("choose another {owner} PIN")),
            Self::NoDeliveredPin { owner, .. } => Some(format!(
                "its maker's documentation has that PIN; give it with {}",
                match owner {
                    PinOwner::SecurityOfficer => "--delivered-so-pin",
                    PinOwner::User => "--delivered-pin, and run it again",
                }
            )),
            Self::DeliveredPinRefused { .. } => {
                Some("check the PIN in its maker's documentation before the next try".to_owned())
            }
            Self::SoPinRefused { .. } => Some(
                "give the SO PIN of the run that was interrupted, and check it before the next try"
                    .to_owned(),
            ),
            Self::Vanished { .. } => Some("run it again".to_owned()),
            Self::Access { step, source, .. } => match step {
                InitialiseStep::Find | InitialiseStep::InitToken | InitialiseStep::SoLogin => source.hint(),
                InitialiseStep::ChangeSoPin
                | InitialiseStep::InitPin
                | InitialiseStep::ChangeUserPin
                | InitialiseStep::Verify => Some("run it again to complete it".to_owned()),
            },
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::NoFreeSlot { .. }
            | Self::Vanished { .. }
            | Self::Ambiguous { .. }
            | Self::PinLength { .. } => false,
            Self::NoDeliveredPin { .. } | Self::DeliveredPinRefused { .. } | Self::SoPinRefused { .. } => {
                true
            }
            Self::Access { source, .. } => source.is_credential(),
        }
    }
}
