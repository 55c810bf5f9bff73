//! Initialising a token: its label, its security officer's PIN, its user's PIN.

use cryptoki::error::RvError;
use cryptoki::session::{Session, UserType};
use key_metadata::{Advice, TokenLabel};
use secrecy::{ExposeSecret, SecretString};

use crate::call::CallError;
use crate::lock::ModuleLock;
use crate::module::Module;
use crate::session::{AccessError, open};
use crate::slot::{Occupied, PinLengthLimits, hint_of_others, labels};
use crate::token::Token;

/// What initialising a token came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initialised {
    /// The token is new.
    New,
    /// The token was there without a user PIN, as an interrupted run leaves it; it has one now.
    Completed,
    /// The token was there with its user PIN; nothing was done and no PIN was tried.
    AlreadyThere,
}

/// What [`Token::initialise`] would find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prospect {
    /// A token of that label with its user PIN: nothing would be done.
    AlreadyThere,
    /// A slot for it, or a token of that label without a user PIN.
    Possible {
        /// How long its PINs may be.
        pin_length: PinLengthLimits,
    },
}

/// Whose PIN it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinOwner {
    /// The security officer, who initialises tokens and sets lost PINs.
    SecurityOfficer,
    /// The user, who generates keys and signs.
    User,
}

impl std::fmt::Display for PinOwner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::SecurityOfficer => "SO",
            Self::User => "user",
        })
    }
}

/// What an initialisation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitialiseStep {
    /// Finds the token, or a slot for it.
    Find,
    /// C_InitToken.
    InitToken,
    /// Logs the security officer in.
    SoLogin,
    /// C_InitPIN.
    InitPin,
    /// Logs the user in and out, to see that the token works.
    Verify,
}

impl std::fmt::Display for InitialiseStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Find => "finding a slot",
            Self::InitToken => "initialising the token",
            Self::SoLogin => "logging in as security officer",
            Self::InitPin => "setting the user PIN",
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
            Self::Access { step, .. } => match step {
                InitialiseStep::Find | InitialiseStep::InitToken => false,
                InitialiseStep::SoLogin | InitialiseStep::InitPin | InitialiseStep::Verify => true,
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
            Self::SoPinRefused { .. } => Some(
                "give the SO PIN of the run that was interrupted, and check it before the next try"
                    .to_owned(),
            ),
            Self::Vanished { .. } => Some("run it again".to_owned()),
            Self::Access { step, source, .. } => match step {
                InitialiseStep::Find | InitialiseStep::InitToken | InitialiseStep::SoLogin => source.hint(),
                InitialiseStep::InitPin | InitialiseStep::Verify => {
                    Some("run it again to complete it".to_owned())
                }
            },
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::NoFreeSlot { .. }
            | Self::Vanished { .. }
            | Self::Ambiguous { .. }
            | Self::PinLength { .. } => false,
            Self::SoPinRefused { .. } => true,
            Self::Access { source, .. } => source.is_credential(),
        }
    }
}

impl Token {
    /// Makes a free slot's token the one of that label, sets both PINs, and logs the user in and out to see that it works.
    ///
    /// It can be killed anywhere and run again: a token of that label without a user PIN is completed, one with a user PIN is left alone.
    /// Killed within C_InitToken, SoftHSM keeps a token that nobody can log in to; it is passed over, here and by [`Token::open`].
    pub fn initialise(
        module: &Module,
        label: &TokenLabel,
        so_pin: &SecretString,
        user_pin: &SecretString,
    ) -> Result<Initialised, InitialiseError> {
        let lock = module
            .lock()
            .map_err(|held| failed(label, InitialiseStep::Find)(held.into()))?;
        let run = Run {
            module,
            label,
            so_pin,
            user_pin,
            lock,
        };
        let tokens = all(module, label, &run.lock)?;
        match target(&tokens, label)? {
            Target::Complete => Ok(Initialised::AlreadyThere),
            Target::WithoutUserPin(token) => {
                run.check_pins(token)?;
                run.set_user_pin()?;
                Ok(Initialised::Completed)
            }
            Target::Free(slot) => {
                run.check_pins(slot)?;
                run.init_token(slot)?;
                run.set_user_pin()?;
                Ok(Initialised::New)
            }
        }
    }

    /// What [`Token::initialise`] would find; changes nothing.
    pub fn prospect(module: &Module, label: &TokenLabel) -> Result<Prospect, InitialiseError> {
        let lock = module
            .lock()
            .map_err(|held| failed(label, InitialiseStep::Find)(held.into()))?;
        Ok(match target(&all(module, label, &lock)?, label)? {
            Target::Complete => Prospect::AlreadyThere,
            Target::WithoutUserPin(token) | Target::Free(token) => Prospect::Possible {
                pin_length: token.pin_length_limits(),
            },
        })
    }
}

/// Where a token of some label is, or can be.
enum Target<'t> {
    Complete,
    WithoutUserPin(&'t Occupied),
    Free(&'t Occupied),
}

fn target<'t>(tokens: &'t [Occupied], label: &TokenLabel) -> Result<Target<'t>, InitialiseError> {
    match of_label(tokens, label)? {
        Some(token) if token.info.user_pin_initialized() => Ok(Target::Complete),
        Some(token) => Ok(Target::WithoutUserPin(token)),
        None => {
            let free = tokens.iter().find(|token| !token.info.token_initialized());
            free.map(Target::Free).ok_or_else(|| InitialiseError::NoFreeSlot {
                label: label.clone(),
                others: labels(tokens),
            })
        }
    }
}

fn all(module: &Module, label: &TokenLabel, lock: &ModuleLock) -> Result<Vec<Occupied>, InitialiseError> {
    Occupied::all(module, lock).map_err(|call| failed(label, InitialiseStep::Find)(call.into()))
}

fn of_label<'t>(tokens: &'t [Occupied], label: &TokenLabel) -> Result<Option<&'t Occupied>, InitialiseError> {
    let labelled: Vec<&Occupied> = tokens.iter().filter(|token| token.is_labelled(label)).collect();
    match labelled.as_slice() {
        [] => Ok(None),
        [token] => Ok(Some(token)),
        several => Err(InitialiseError::Ambiguous {
            label: label.clone(),
            count: several.len(),
        }),
    }
}

fn failed(label: &TokenLabel, step: InitialiseStep) -> impl Fn(AccessError) -> InitialiseError {
    let label = label.clone();
    move |source| InitialiseError::Access {
        label: label.clone(),
        step,
        source,
    }
}

struct Run<'a> {
    module: &'a Module,
    label: &'a TokenLabel,
    so_pin: &'a SecretString,
    user_pin: &'a SecretString,
    lock: ModuleLock,
}

impl Run<'_> {
    fn check_pins(&self, token: &Occupied) -> Result<(), InitialiseError> {
        let limits = token.pin_length_limits();
        for (pin, owner) in [
            (self.so_pin, PinOwner::SecurityOfficer),
            (self.user_pin, PinOwner::User),
        ] {
            if !limits.allow(pin.expose_secret().len()) {
                return Err(InitialiseError::PinLength {
                    label: self.label.clone(),
                    owner,
                    limits,
                });
            }
        }
        Ok(())
    }

    fn init_token(&self, token: &Occupied) -> Result<(), InitialiseError> {
        let result = self
            .module
            .context()
            .init_token(token.slot, self.so_pin, self.label.as_str());
        self.step(InitialiseStep::InitToken, result)
    }

    fn set_user_pin(&self) -> Result<(), InitialiseError> {
        let tokens = all(self.module, self.label, &self.lock)?;
        let Some(token) = of_label(&tokens, self.label)? else {
            return Err(InitialiseError::Vanished {
                label: self.label.clone(),
            });
        };
        let session = open(self.module, token.slot, &self.lock)
            .map_err(|call| failed(self.label, InitialiseStep::SoLogin)(call.into()))?;
        if let Err(call) = session
            .login(UserType::So, Some(self.so_pin))
            .map_err(CallError::of)
        {
            return Err(match call.answer() {
                Some(RvError::PinIncorrect | RvError::PinInvalid) => InitialiseError::SoPinRefused {
                    label: self.label.clone(),
                },
                _ => failed(self.label, InitialiseStep::SoLogin)(call.into()),
            });
        }
        self.step(
            InitialiseStep::InitPin,
            session.init_pin(self.user_pin).and_then(|()| session.logout()),
        )?;
        self.step(InitialiseStep::Verify, self.log_in_and_out(&session))
    }

    fn log_in_and_out(&self, session: &Session) -> cryptoki::error::Result<()> {
        session.login(UserType::User, Some(self.user_pin))?;
        session.logout()
    }

    fn step(&self, step: InitialiseStep, result: cryptoki::error::Result<()>) -> Result<(), InitialiseError> {
        result.map_err(|error| failed(self.label, step)(CallError::of(error).into()))
    }
}
