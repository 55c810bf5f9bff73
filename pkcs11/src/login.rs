//! Logging in to a token.

use cryptoki::error::RvError;
use cryptoki::session::{Session, UserType};
use key_metadata::{Advice, TokenLabel};
use secrecy::{ExposeSecret, SecretString};

use crate::call::CallError;
use crate::initialise::PinOwner;
use crate::lock::ModuleLock;
use crate::module::locked;
use crate::pin_state::{LastTry, PinState, hint_of_locked};
use crate::session::{AccessError, open};
use crate::slot::{Occupied, PinLengthLimits};
use crate::token::Token;

/// Why a login failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The token refused the PIN.
    #[error("token '{label}' refused the {owner} PIN")]
    PinRefused {
        /// The token.
        label: TokenLabel,
        /// Whose PIN.
        owner: PinOwner,
        /// How close it is to locking, as far as the token tells.
        state: PinState,
    },
    /// The PIN was not given to the token: none of its PINs has that length.
    #[error("the {owner} PIN of token '{label}' has {limits}, the one given has not")]
    PinLength {
        /// The token.
        label: TokenLabel,
        /// Whose PIN.
        owner: PinOwner,
        /// The lengths that it takes.
        limits: PinLengthLimits,
    },
    /// The PIN was not given to the token: one try is left.
    #[error("token '{label}' locks the {owner} PIN after one more wrong one, so none was tried")]
    FinalTry {
        /// The token.
        label: TokenLabel,
        /// Whose PIN.
        owner: PinOwner,
    },
    /// The PIN is locked, after too many wrong ones.
    #[error("the {owner} PIN of token '{label}' is locked")]
    PinLocked {
        /// The token.
        label: TokenLabel,
        /// Whose PIN.
        owner: PinOwner,
    },
    /// The PIN has expired, and the token takes no other until it is changed.
    #[error("the {owner} PIN of token '{label}' has expired")]
    PinExpired {
        /// The token.
        label: TokenLabel,
        /// Whose PIN.
        owner: PinOwner,
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
        let hint = match self {
            Self::PinRefused { owner, state, .. } => return Some(state.hint_after_wrong(*owner)),
            Self::PinLength { .. } => "check that the PIN's file has the PIN alone and is the right one",
            Self::FinalTry { owner, .. } => match owner {
                PinOwner::User => {
                    "check the PIN, then use the last try: keyrite-tpm-init token probe --last-try; or set \
                     a new PIN: keyrite-tpm-init token unlock"
                }
                PinOwner::SecurityOfficer => "check the PIN, then give --last-try",
            },
            Self::PinLocked { owner, .. } => hint_of_locked(*owner),
            Self::PinExpired { .. } => "change it: keyrite-tpm-init token change-pin",
            Self::NoUserPin { .. } => "its initialisation was cut short; run it again to complete it",
            Self::Access { source, .. } => return source.hint(),
        };
        Some(hint.to_owned())
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::PinRefused { .. }
            | Self::PinLength { .. }
            | Self::FinalTry { .. }
            | Self::PinLocked { .. }
            | Self::PinExpired { .. }
            | Self::NoUserPin { .. } => true,
            Self::Access { source, .. } => source.is_credential(),
        }
    }

    fn is_absence(&self) -> bool {
        match self {
            Self::Access { source, .. } => source.is_absence(),
            Self::PinRefused { .. }
            | Self::PinLength { .. }
            | Self::FinalTry { .. }
            | Self::PinLocked { .. } => false,
            Self::PinExpired { .. } | Self::NoUserPin { .. } => false,
        }
    }
}

impl Token {
    /// Logs the user in, for all sessions of this process with the token. Where it is logged in already, the PIN is not looked at; where
    /// the token says that one try is left, it is not tried.
    pub fn login(&self, pin: &SecretString) -> Result<(), LoginError> {
        self.login_with(pin, LastTry::Keep)
    }

    /// The same, and says what becomes of the last try.
    pub fn login_with(&self, pin: &SecretString, last_try: LastTry) -> Result<(), LoginError> {
        let lock = self.lock()?;
        self.log_in(&locked(&self.0.anchor), &lock, PinOwner::User, pin, last_try)
    }

    /// Logs the owner of a PIN in and out again, to see that it is the right one. Whoever is logged in is logged out.
    pub fn check_pin(
        &self,
        owner: PinOwner,
        pin: &SecretString,
        last_try: LastTry,
    ) -> Result<(), LoginError> {
        let lock = self.lock()?;
        let session = self.logged_out(&lock)?;
        self.log_in(&session, &lock, owner, pin, last_try)?;
        self.log_out(&session)
    }

    /// What the token says of a PIN, where it may be tried: it is neither locked, nor is this the last try and kept.
    pub fn may_try(&self, owner: PinOwner, last_try: LastTry) -> Result<PinState, LoginError> {
        self.allows_try(&self.lock()?, owner, last_try)
    }

    fn allows_try(
        &self,
        lock: &ModuleLock,
        owner: PinOwner,
        last_try: LastTry,
    ) -> Result<PinState, LoginError> {
        let label = self.label().clone();
        let state = self.read(lock)?.pin_state(owner);
        match (state, last_try) {
            (PinState::Locked, _) => Err(LoginError::PinLocked { label, owner }),
            (PinState::FinalTry, LastTry::Keep) => Err(LoginError::FinalTry { label, owner }),
            // Where there is no PIN the token says so itself; some have one and forget the flag.
            (PinState::Fine | PinState::CountLow | PinState::ToBeChanged | PinState::NotSet, _)
            | (PinState::FinalTry, LastTry::Use) => Ok(state),
        }
    }

    pub(crate) fn log_in(
        &self,
        session: &Session,
        lock: &ModuleLock,
        owner: PinOwner,
        pin: &SecretString,
        last_try: LastTry,
    ) -> Result<(), LoginError> {
        let label = self.label().clone();
        let limits = self.read(lock)?.pin_length_limits();
        if !limits.allow(pin.expose_secret().len()) {
            return Err(LoginError::PinLength { label, owner, limits });
        }
        self.allows_try(lock, owner, last_try)?;
        let user = match owner {
            PinOwner::User => UserType::User,
            PinOwner::SecurityOfficer => UserType::So,
        };
        let Err(call) = session.login(user, Some(pin)).map_err(CallError::of) else {
            return Ok(());
        };
        match call.answer() {
            Some(RvError::UserAlreadyLoggedIn) => Ok(()),
            Some(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange) => {
                let state = self
                    .read(lock)
                    .map_or(PinState::Fine, |token| token.pin_state(owner));
                Err(LoginError::PinRefused { label, owner, state })
            }
            Some(RvError::PinLocked) => Err(LoginError::PinLocked { label, owner }),
            Some(RvError::PinExpired) => Err(LoginError::PinExpired { label, owner }),
            Some(RvError::UserPinNotInitialized) => Err(LoginError::NoUserPin { label }),
            _ => Err(self.failed(call)),
        }
    }

    /// A session in which nobody is logged in, nor in any other of this process.
    pub(crate) fn logged_out(&self, lock: &ModuleLock) -> Result<Session, LoginError> {
        let session = open(&self.0.module, self.0.slot, lock).map_err(|call| self.failed(call))?;
        self.log_out(&session)?;
        Ok(session)
    }

    /// Logs out whoever is logged in, if anybody is.
    pub(crate) fn log_out(&self, session: &Session) -> Result<(), LoginError> {
        match session.logout().map_err(CallError::of) {
            Err(call) if !matches!(call.answer(), Some(RvError::UserNotLoggedIn)) => Err(self.failed(call)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    pub(crate) fn lock(&self) -> Result<ModuleLock, LoginError> {
        self.0.module.lock().map_err(|held| self.failed(held))
    }

    fn read(&self, lock: &ModuleLock) -> Result<Occupied, LoginError> {
        Occupied::read(&self.0.module, self.0.slot, lock).map_err(|call| self.failed(call))
    }

    fn failed(&self, source: impl Into<AccessError>) -> LoginError {
        LoginError::Access {
            label: self.label().clone(),
            source: source.into(),
        }
    }
}
