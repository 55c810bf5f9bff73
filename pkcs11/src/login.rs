//! Logging in to a token.

use cryptoki::error::RvError;
use cryptoki::session::UserType;
use key_metadata::{Advice, TokenLabel};
use secrecy::{ExposeSecret, SecretString};

use crate::call::CallError;
use crate::module::locked;
use crate::session::AccessError;
use crate::slot::{Occupied, PinLengthLimits};
use crate::token::Token;

/// How many tries a token says are left after a wrong PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TriesLeft {
    /// The token does not tell.
    NotTold,
    /// The token counts wrong PINs, and at least one was given since the last right one (CKF_USER_PIN_COUNT_LOW).
    Counted,
    /// The next wrong PIN locks it (CKF_USER_PIN_FINAL_TRY).
    One,
    /// The PIN is locked (CKF_USER_PIN_LOCKED).
    Zero,
}

/// Why a login failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The token refused the PIN.
    #[error("token '{label}' refused the user PIN")]
    PinRefused {
        /// The token.
        label: TokenLabel,
        /// How close it is to locking.
        tries: TriesLeft,
    },
    /// The PIN was not given to the token: none of its PINs has that length.
    #[error("the user PIN of token '{label}' has {limits}, the one given has not")]
    PinLength {
        /// The token.
        label: TokenLabel,
        /// The lengths that it takes.
        limits: PinLengthLimits,
    },
    /// The PIN is locked, after too many wrong ones.
    #[error("the user PIN of token '{label}' is locked")]
    PinLocked {
        /// The token.
        label: TokenLabel,
    },
    /// The PIN has expired, and the token takes no other until it is changed.
    #[error("the user PIN of token '{label}' has expired")]
    PinExpired {
        /// The token.
        label: TokenLabel,
    },
    /// The token has no user PIN yet.
    #[error("token '{label}' has no user PIN yet")]
    NoUserPin {
        /// The token.
        label: TokenLabel,
    },
    /// The login failed for another reason.
    #[error("the login to token '{label}' failed")]
    Access {
        /// The token.
        label: TokenLabel,
        /// Why.
        source: AccessError,
    },
}

impl Advice for LoginError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::PinRefused { tries, .. } => Some(
                match tries {
                    TriesLeft::NotTold => "check the PIN before the next try",
                    TriesLeft::Counted => "check the PIN before the next try: the token counts wrong ones",
                    TriesLeft::One => "check the PIN: one try is left, then the token locks it",
                    TriesLeft::Zero => "the PIN is locked now; the security officer has to set a new one",
                }
                .to_owned(),
            ),
            Self::PinLength { .. } => {
                Some("check that the PIN's file has the PIN alone and is the right one".to_owned())
            }
            Self::PinLocked { .. } => Some("the security officer has to set a new user PIN".to_owned()),
            Self::PinExpired { .. } => Some("change the PIN with the token vendor's tool".to_owned()),
            Self::NoUserPin { .. } => {
                Some("its initialisation was cut short; run it again to complete it".to_owned())
            }
            Self::Access { source, .. } => source.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::PinRefused { .. }
            | Self::PinLength { .. }
            | Self::PinLocked { .. }
            | Self::PinExpired { .. }
            | Self::NoUserPin { .. } => true,
            Self::Access { source, .. } => source.is_credential(),
        }
    }
}

impl Token {
    /// Logs the user in, for all sessions of this process with the token. Where it is logged in already, the PIN is not looked at.
    pub fn login(&self, pin: &SecretString) -> Result<(), LoginError> {
        let label = || self.label().clone();
        let failed = |source| LoginError::Access {
            label: label(),
            source,
        };
        let limits = self.occupied().map_err(failed)?.pin_length_limits();
        if !limits.allow(pin.expose_secret().len()) {
            return Err(LoginError::PinLength {
                label: label(),
                limits,
            });
        }
        let lock = self.0.module.lock().map_err(|source| failed(source.into()))?;
        let Err(call) = locked(&self.0.anchor)
            .login(UserType::User, Some(pin))
            .map_err(CallError::of)
        else {
            return Ok(());
        };
        match call.answer() {
            Some(RvError::UserAlreadyLoggedIn) => Ok(()),
            Some(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange) => {
                let tries = Occupied::read(&self.0.module, self.0.slot, &lock)
                    .map_or(TriesLeft::NotTold, |token| tries_left(&token));
                Err(LoginError::PinRefused {
                    label: label(),
                    tries,
                })
            }
            Some(RvError::PinLocked) => Err(LoginError::PinLocked { label: label() }),
            Some(RvError::PinExpired) => Err(LoginError::PinExpired { label: label() }),
            Some(RvError::UserPinNotInitialized) => Err(LoginError::NoUserPin { label: label() }),
            _ => Err(failed(call.into())),
        }
    }
}

fn tries_left(token: &Occupied) -> TriesLeft {
    if token.info.user_pin_locked() {
        TriesLeft::Zero
    } else if token.info.user_pin_final_try() {
        TriesLeft::One
    } else if token.info.user_pin_count_low() {
        TriesLeft::Counted
    } else {
        TriesLeft::NotTold
    }
}
