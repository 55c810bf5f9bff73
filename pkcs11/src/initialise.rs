//! Initialising a token: its label, its security officer's PIN, its user's PIN.

use cryptoki::session::{Session, UserType};
use key_metadata::TokenLabel;
use secrecy::{ExposeSecret, SecretString};

use crate::call::CallError;
use crate::initialise_error::{InitialiseError, InitialiseStep};
use crate::lock::ModuleLock;
use crate::module::Module;
use crate::session::{AccessError, open};
use crate::slot::{Occupied, PinLengthLimits, labels};
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

/// The PINs that a token was delivered with, where it was delivered with any: some ask for them before they take others.
#[derive(Default)]
pub struct DeliveredPins {
    /// The security officer's. It is asked for where the token's flags say that the SO PIN is to be changed.
    pub so: Option<SecretString>,
    /// The user's. It is asked for where the user has to be the first to change it, and no security officer can.
    pub user: Option<SecretString>,
}

impl DeliveredPins {
    fn of(&self, owner: PinOwner) -> Option<&SecretString> {
        match owner {
            PinOwner::SecurityOfficer => self.so.as_ref(),
            PinOwner::User => self.user.as_ref(),
        }
    }
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
        Self::initialise_with(module, label, so_pin, user_pin, &DeliveredPins::default())
    }

    /// The same for a token that was delivered with PINs of its own and says that they are to be changed (CKF_SO_PIN_TO_BE_CHANGED): it takes
    /// the `delivered` ones first, and has the others afterwards.
    pub fn initialise_with(
        module: &Module,
        label: &TokenLabel,
        so_pin: &SecretString,
        user_pin: &SecretString,
        delivered: &DeliveredPins,
    ) -> Result<Initialised, InitialiseError> {
        let lock = module
            .lock()
            .map_err(|held| failed(label, InitialiseStep::Find)(held.into()))?;
        let run = Run {
            module,
            label,
            so_pin,
            user_pin,
            delivered,
            lock,
        };
        let tokens = all(module, label, &run.lock)?;
        match target(&tokens, label)? {
            Target::Complete => Ok(Initialised::AlreadyThere),
            Target::WithoutUserPin(token) => {
                run.check_pins(token)?;
                run.set_pins()?;
                Ok(Initialised::Completed)
            }
            Target::Free(slot) => {
                run.check_pins(slot)?;
                run.init_token(slot)?;
                run.set_pins()?;
                Ok(Initialised::New)
            }
        }
    }

    /// What [`Token::initialise`] would find with these PINs; changes nothing.
    pub fn prospect(
        module: &Module,
        label: &TokenLabel,
        delivered: &DeliveredPins,
    ) -> Result<Prospect, InitialiseError> {
        let lock = module
            .lock()
            .map_err(|held| failed(label, InitialiseStep::Find)(held.into()))?;
        Ok(match target(&all(module, label, &lock)?, label)? {
            Target::Complete => Prospect::AlreadyThere,
            Target::WithoutUserPin(token) | Target::Free(token) => {
                initial_so_pin(token, label, delivered)?;
                Prospect::Possible {
                    pin_length: token.pin_length_limits(),
                }
            }
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

/// The SO PIN that the token was delivered with, where it still has it.
fn initial_so_pin<'d>(
    token: &Occupied,
    label: &TokenLabel,
    delivered: &'d DeliveredPins,
) -> Result<Option<&'d SecretString>, InitialiseError> {
    // An empty slot of SoftHSM says that the SO PIN is to be changed, and that it is locked: there is none.
    if !token.info.so_pin_to_be_changed() || token.info.so_pin_locked() {
        return Ok(None);
    }
    delivered_pin(label, delivered, PinOwner::SecurityOfficer).map(Some)
}

fn delivered_pin<'d>(
    label: &TokenLabel,
    delivered: &'d DeliveredPins,
    owner: PinOwner,
) -> Result<&'d SecretString, InitialiseError> {
    delivered
        .of(owner)
        .ok_or_else(|| InitialiseError::NoDeliveredPin {
            label: label.clone(),
            owner,
        })
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
    delivered: &'a DeliveredPins,
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
        let delivered = initial_so_pin(token, self.label, self.delivered)?;
        let pin = delivered.map_or(self.so_pin, |pin| pin);
        let result = self
            .module
            .context()
            .init_token(token.slot, pin, self.label.as_str())
            .map_err(CallError::of);
        match (result, delivered) {
            (Err(call), Some(_)) if call.is_wrong_pin() => Err(InitialiseError::DeliveredPinRefused {
                label: self.label.clone(),
                owner: PinOwner::SecurityOfficer,
            }),
            (Err(call), _) => Err(failed(self.label, InitialiseStep::InitToken)(call.into())),
            (Ok(()), _) => Ok(()),
        }
    }

    /// The security officer's, where the token has the one that it was delivered with; and the user's.
    fn set_pins(&self) -> Result<(), InitialiseError> {
        let token = self.token()?;
        let session = open(self.module, token.slot, &self.lock)
            .map_err(|call| failed(self.label, InitialiseStep::SoLogin)(call.into()))?;
        if let Some(delivered) = initial_so_pin(&token, self.label, self.delivered)? {
            self.change_delivered(&session, PinOwner::SecurityOfficer, delivered, self.so_pin)?;
        }
        if let Err(call) = session
            .login(UserType::So, Some(self.so_pin))
            .map_err(CallError::of)
        {
            return Err(match call.is_wrong_pin() {
                true => InitialiseError::SoPinRefused {
                    label: self.label.clone(),
                },
                false => failed(self.label, InitialiseStep::SoLogin)(call.into()),
            });
        }
        self.step(
            InitialiseStep::InitPin,
            session.init_pin(self.user_pin).and_then(|()| session.logout()),
        )?;
        // Some say CKR_OK to that and wait for the user to change the PIN that the token was delivered with.
        if !self.token()?.info.user_pin_initialized() {
            let delivered = delivered_pin(self.label, self.delivered, PinOwner::User)?;
            self.change_delivered(&session, PinOwner::User, delivered, self.user_pin)?;
        }
        self.step(InitialiseStep::Verify, self.log_in_and_out(&session))
    }

    fn change_delivered(
        &self,
        session: &Session,
        owner: PinOwner,
        delivered: &SecretString,
        new: &SecretString,
    ) -> Result<(), InitialiseError> {
        let (user, step) = match owner {
            PinOwner::SecurityOfficer => (UserType::So, InitialiseStep::ChangeSoPin),
            PinOwner::User => (UserType::User, InitialiseStep::ChangeUserPin),
        };
        match session.login(user, Some(delivered)).map_err(CallError::of) {
            Err(call) if call.is_wrong_pin() => {
                return Err(InitialiseError::DeliveredPinRefused {
                    label: self.label.clone(),
                    owner,
                });
            }
            Err(call) => return Err(failed(self.label, step)(call.into())),
            Ok(()) => {}
        }
        self.step(
            step,
            session.set_pin(delivered, new).and_then(|()| session.logout()),
        )
    }

    /// The token, as it is now.
    fn token(&self) -> Result<Occupied, InitialiseError> {
        let tokens = all(self.module, self.label, &self.lock)?;
        let found = of_label(&tokens, self.label)?;
        found.cloned().ok_or_else(|| InitialiseError::Vanished {
            label: self.label.clone(),
        })
    }

    fn log_in_and_out(&self, session: &Session) -> cryptoki::error::Result<()> {
        session.login(UserType::User, Some(self.user_pin))?;
        session.logout()
    }

    fn step(&self, step: InitialiseStep, result: cryptoki::error::Result<()>) -> Result<(), InitialiseError> {
        result.map_err(|error| failed(self.label, step)(CallError::of(error).into()))
    }
}
