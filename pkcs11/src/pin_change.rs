//! Changing PINs: their owners their own, and the security officer the user's.

use cryptoki::error::{Result as CallResult, RvError};
use cryptoki::session::Session;
use key_metadata::{Advice, TokenLabel};
use secrecy::{ExposeSecret, SecretString};

use crate::call::CallError;
use crate::initialise::PinOwner;
use crate::lock::ModuleLock;
use crate::login::LoginError;
use crate::pin_state::LastTry;
use crate::session::AccessError;
use crate::slot::{InfoError, PinLengthLimits};
use crate::token::Token;

/// Why a PIN was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PinChangeError {
    /// The token does not tell how long its PINs may be.
    #[error(transparent)]
    Info(#[from] InfoError),
    /// The new PIN has a length that the token does not take; no PIN was tried.
    #[error("token '{label}' takes {owner} PINs of {limits}, the new one has another length")]
    Length {
        /// The token.
        label: TokenLabel,
        /// Whose PIN.
        owner: PinOwner,
        /// The lengths that it takes.
        limits: PinLengthLimits,
    },
    /// The new PIN is no other than the one that was given to log in; no PIN was tried.
    #[error("the new {owner} PIN of token '{label}' is its present {given} PIN")]
    Same {
        /// The token.
        label: TokenLabel,
        /// Whose PIN is to be changed.
        owner: PinOwner,
        /// Whose PIN was given.
        given: PinOwner,
    },
    /// Who changes the PIN could not log in.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// The token has a rule that the new PIN breaks (CKR_PIN_INVALID, CKR_PIN_LEN_RANGE).
    #[error("token '{label}' does not take the new {owner} PIN")]
    NotTaken {
        /// The token.
        label: TokenLabel,
        /// Whose PIN.
        owner: PinOwner,
        /// What it answered.
        source: AccessError,
    },
    /// The module failed.
    #[error("the {owner} PIN of token '{label}' was not changed")]
    Access {
        /// The token.
        label: TokenLabel,
        /// Whose PIN.
        owner: PinOwner,
        /// Why not.
        source: AccessError,
    },
    /// The token said that it changed the PIN, and does not let its owner in with the new one.
    #[error("token '{label}' said that it changed the {owner} PIN, and the new one does not log in")]
    NotProved {
        /// The token.
        label: TokenLabel,
        /// Whose PIN.
        owner: PinOwner,
        /// What the login came to.
        source: LoginError,
    },
}

impl PinChangeError {
    /// Whether the token may have the new PIN.
    pub const fn is_partial(&self) -> bool {
        match self {
            Self::Info(_)
            | Self::Length { .. }
            | Self::Same { .. }
            | Self::Login(_)
            | Self::NotTaken { .. } => false,
            Self::Access { .. } | Self::NotProved { .. } => true,
        }
    }
}

impl Advice for PinChangeError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Info(source) => source.hint(),
            Self::Length { .. } | Self::Same { .. } | Self::NotTaken { .. } => {
                Some("choose another PIN".to_owned())
            }
            Self::Login(source) => source.hint(),
            Self::Access { source, .. } => source.hint(),
            Self::NotProved { .. } => Some("keep both PINs until one is known to log in".to_owned()),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Info(source) => source.is_credential(),
            Self::Length { .. } | Self::Same { .. } | Self::NotTaken { .. } => false,
            Self::Login(source) => source.is_credential(),
            Self::Access { source, .. } => source.is_credential(),
            Self::NotProved { source, .. } => source.is_credential(),
        }
    }
}

impl Token {
    /// Gives the user another PIN, as the user (C_SetPIN), and logs the user in and out with it. Whoever is logged in is logged out.
    pub fn change_user_pin(
        &self,
        current: &SecretString,
        new: &SecretString,
        last_try: LastTry,
    ) -> Result<(), PinChangeError> {
        let change = Change::new(self, PinOwner::User, PinOwner::User, new);
        change.run(current, last_try, |session| session.set_pin(current, new))
    }

    /// Gives the security officer another PIN, as the security officer (C_SetPIN); the rest is as for the user's.
    pub fn change_so_pin(
        &self,
        current: &SecretString,
        new: &SecretString,
        last_try: LastTry,
    ) -> Result<(), PinChangeError> {
        let change = Change::new(self, PinOwner::SecurityOfficer, PinOwner::SecurityOfficer, new);
        change.run(current, last_try, |session| session.set_pin(current, new))
    }

    /// Gives the user another PIN, as the security officer (C_InitPIN): for one that is locked or forgotten. The keys stay.
    pub fn set_user_pin(
        &self,
        so_pin: &SecretString,
        new: &SecretString,
        last_try: LastTry,
    ) -> Result<(), PinChangeError> {
        let change = Change::new(self, PinOwner::SecurityOfficer, PinOwner::User, new);
        change.run(so_pin, last_try, |session| session.init_pin(new))
    }
}

struct Change<'a> {
    token: &'a Token,
    /// Who does it.
    by: PinOwner,
    /// Whose PIN it is.
    of: PinOwner,
    new: &'a SecretString,
}

impl<'a> Change<'a> {
    const fn new(token: &'a Token, by: PinOwner, of: PinOwner, new: &'a SecretString) -> Self {
        Self { token, by, of, new }
    }

    fn run(
        &self,
        pin: &SecretString,
        last_try: LastTry,
        set: impl FnOnce(&Session) -> CallResult<()>,
    ) -> Result<(), PinChangeError> {
        let (token, owner, label) = (self.token, self.of, self.token.label().clone());
        self.check_new(pin)?;
        let lock = token.lock()?;
        let session = token.logged_out(&lock)?;
        match token.log_in(&session, &lock, self.by, pin, last_try) {
            // An expired PIN lets its owner do nothing but change it (C_SetPIN), and not log in.
            Err(LoginError::PinExpired { .. }) if self.by == self.of => {}
            other => other?,
        }
        set(&session).map_err(|error| {
            let call = CallError::of(error);
            let refused = matches!(call.answer(), Some(RvError::PinInvalid | RvError::PinLenRange));
            let (label, source) = (label.clone(), call.into());
            match refused {
                true => PinChangeError::NotTaken { label, owner, source },
                false => PinChangeError::Access { label, owner, source },
            }
        })?;
        self.prove(&session, &lock)
            .map_err(|source| PinChangeError::NotProved { label, owner, source })
    }

    fn prove(&self, session: &Session, lock: &ModuleLock) -> Result<(), LoginError> {
        self.token.log_out(session)?;
        self.token
            .log_in(session, lock, self.of, self.new, LastTry::Use)?;
        self.token.log_out(session)
    }

    fn check_new(&self, given: &SecretString) -> Result<(), PinChangeError> {
        let (label, owner) = (self.token.label().clone(), self.of);
        let limits = self.token.pin_length_limits()?;
        if !limits.allow(self.new.expose_secret().len()) {
            return Err(PinChangeError::Length { label, owner, limits });
        }
        if self.new.expose_secret() == given.expose_secret() {
            let given = self.by;
            return Err(PinChangeError::Same { label, owner, given });
        }
        Ok(())
    }
}
