//! One token, found by its label.

use std::sync::{Arc, Mutex, OnceLock};

use cryptoki::session::Session;
use cryptoki::slot::Slot;
use key_metadata::{Advice, TokenLabel, TokenUri};

use crate::mechanism::Mechanism;
use crate::module::Module;
use crate::session::{AccessError, Pool, open};
use crate::slot::{InfoError, Occupied, PinLengthLimits, TokenInfo, hint_of_others, labels};

/// A token that was found. Clones are the same token with the same sessions.
#[derive(Clone)]
pub struct Token(pub(crate) Arc<Opened>);

// Sessions close before the module, which may then be finalised.
pub(crate) struct Opened {
    pub(crate) pool: Pool,
    /// Keeps the login, which ends with the last session, while others come and go.
    pub(crate) anchor: Mutex<Session>,
    pub(crate) mechanisms: OnceLock<Vec<Mechanism>>,
    pub(crate) slot: Slot,
    pub(crate) label: TokenLabel,
    pub(crate) module: Module,
}

/// Why a token could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// No slot holds a token of that label.
    #[error("no token is labelled '{label}'")]
    NoToken {
        /// The label asked for.
        label: TokenLabel,
        /// The labels that are there.
        others: Vec<String>,
    },
    /// Tokens of that label are there, none with that serial number.
    #[error("no token labelled '{label}' has the serial number '{serial}'")]
    NoSerial {
        /// The label asked for.
        label: TokenLabel,
        /// The serial number asked for.
        serial: String,
        /// The serial numbers that are there.
        others: Vec<String>,
    },
    /// Several tokens have that label, and no serial number tells which is meant.
    #[error("{} tokens are labelled '{label}'", serials.len())]
    Ambiguous {
        /// The label asked for.
        label: TokenLabel,
        /// The serial numbers of the tokens.
        serials: Vec<String>,
    },
    /// The module failed.
    #[error("token '{label}' does not open")]
    Access {
        /// The label asked for.
        label: TokenLabel,
        /// Why not.
        source: AccessError,
    },
}

impl Advice for OpenError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NoToken { others, .. } => Some(hint_of_others(others)),
            Self::NoSerial { label, others, .. }
            | Self::Ambiguous {
                label,
                serials: others,
            } => Some(format!(
                "name the token by one of these serial numbers, as in 'pkcs11:token={label};serial=...': {}",
                others.join(", ")
            )),
            Self::Access { source, .. } => source.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::NoToken { .. } | Self::NoSerial { .. } => true,
            Self::Ambiguous { .. } => false,
            Self::Access { source, .. } => source.is_credential(),
        }
    }

    fn is_absence(&self) -> bool {
        match self {
            Self::NoToken { .. } | Self::NoSerial { .. } => true,
            Self::Ambiguous { .. } => false,
            Self::Access { source, .. } => source.is_absence(),
        }
    }
}

impl Token {
    /// Finds the token of that label, and of that serial number where the URI has one, and opens a first session.
    ///
    /// The URI's key and module path are not looked at. Slot numbers are never used: they change.
    pub fn open(module: &Module, uri: &TokenUri) -> Result<Self, OpenError> {
        let label = uri.token.clone();
        let failed = |source| OpenError::Access {
            label: label.clone(),
            source,
        };
        let lock = module.lock().map_err(|held| failed(held.into()))?;
        let tokens = Occupied::all(module, &lock).map_err(|call| failed(call.into()))?;
        let slot = choose(&tokens, uri)?;
        let anchor = open(module, slot, &lock).map_err(|call| failed(call.into()))?;
        drop(lock);
        Ok(Self(Arc::new(Opened {
            pool: Pool::new(module.clone(), slot),
            anchor: Mutex::new(anchor),
            mechanisms: OnceLock::new(),
            slot,
            label,
            module: module.clone(),
        })))
    }

    /// The token's label.
    pub fn label(&self) -> &TokenLabel {
        &self.0.label
    }

    /// What the token says of itself.
    pub fn info(&self) -> Result<TokenInfo, InfoError> {
        Ok(self
            .occupied()
            .map_err(|source| InfoError {
                label: self.label().clone(),
                source,
            })?
            .public_info())
    }

    /// How long its PINs may be.
    pub fn pin_length_limits(&self) -> Result<PinLengthLimits, InfoError> {
        Ok(self.info()?.pin_length)
    }

    pub(crate) fn occupied(&self) -> Result<Occupied, AccessError> {
        let lock = self.0.module.lock()?;
        Ok(Occupied::read(&self.0.module, self.0.slot, &lock)?)
    }
}

/// The one slot that the URI means.
fn choose(tokens: &[Occupied], uri: &TokenUri) -> Result<Slot, OpenError> {
    let label = uri.token.clone();
    let labelled: Vec<&Occupied> = tokens.iter().filter(|token| token.is_labelled(&label)).collect();
    let serials = || {
        labelled
            .iter()
            .map(|token| token.info.serial_number().to_owned())
            .collect()
    };
    let meant: Vec<&&Occupied> = match &uri.serial {
        None => labelled.iter().collect(),
        Some(serial) => labelled
            .iter()
            .filter(|token| token.info.serial_number() == serial)
            .collect(),
    };
    match (meant.as_slice(), &uri.serial) {
        ([token], _) => Ok(token.slot),
        ([], Some(serial)) if !labelled.is_empty() => Err(OpenError::NoSerial {
            serial: serial.clone(),
            others: serials(),
            label,
        }),
        ([], _) => Err(OpenError::NoToken {
            label,
            others: labels(tokens),
        }),
        (_, _) => Err(OpenError::Ambiguous {
            serials: serials(),
            label,
        }),
    }
}
