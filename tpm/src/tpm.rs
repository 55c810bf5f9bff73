//! The connection to a TPM.

use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard};

use key_metadata::{Advice, Tcti};
use tss_esapi::constants::{PropertyTag, StartupType};
use tss_esapi::tcti_ldr::TctiNameConf;
use tss_esapi::{Context, Error};

use crate::command::{CommandError, reach};
use crate::engine::Engine;
use crate::load::Slots;
use crate::response::{INITIALIZE, ResponseCode};
use crate::turn::wait_for_turn;

/// A TPM 2.0. Clones share one connection and take turns.
#[derive(Clone)]
pub struct Tpm {
    shared: Arc<Shared>,
}

struct Shared {
    tcti: Tcti,
    engine: Mutex<Engine>,
}

/// Why a TPM could not be reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nothing answers there.
    #[error("no TPM answers at {tcti}")]
    Unreachable {
        /// Where it was sought.
        tcti: Tcti,
        /// What the transport said.
        source: ResponseCode,
    },
    /// Another program has used it for half a minute, and nobody manages its slots.
    #[error("another program is using the TPM at {tcti}, which has no resource manager")]
    Busy {
        /// The TPM.
        tcti: Tcti,
    },
    /// It answers, but not as a TPM in service does.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Advice for ConnectError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { tcti, .. } => Some(reach(tcti)),
            Self::Busy { .. } => Some(
                "wait until it is done, then run this again; tpm2-abrmd lets several use it at once"
                    .to_owned(),
            ),
            Self::Command(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Busy { .. } => false,
            Self::Command(error) => error.is_credential(),
        }
    }

    fn is_absence(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Busy { .. } => false,
            Self::Command(error) => error.is_absence(),
        }
    }
}

impl Tpm {
    /// Connects to a TPM, and starts it (TPM2_Startup) if nobody has. A software TPM is used by one connection at a time: another one
    /// waits for half a minute.
    pub fn connect(tcti: &Tcti) -> Result<Self, ConnectError> {
        let unreachable = |error: Error| ConnectError::Unreachable {
            tcti: tcti.clone(),
            source: ResponseCode::of(error),
        };
        let busy = || ConnectError::Busy { tcti: tcti.clone() };
        let turn = wait_for_turn(tcti).ok_or_else(busy)?;
        let configuration = TctiNameConf::from_str(tcti.as_str()).map_err(unreachable)?;
        let context = Context::new(configuration).map_err(unreachable)?;
        let mut engine = Engine {
            tcti: tcti.clone(),
            context,
            srk: None,
            session: None,
            slots: Slots::default(),
            access: None,
            pinned: None,
            _turn: turn,
        };
        match engine.property(PropertyTag::Permanent) {
            Ok(_) => {}
            Err(error) if error.is(INITIALIZE) => {
                engine.run("TPM2_Startup", None, |context| {
                    context.startup(StartupType::Clear)
                })?;
            }
            Err(CommandError::Gone { tcti, source, .. }) => {
                return Err(ConnectError::Unreachable { tcti, source });
            }
            Err(error) => return Err(error.into()),
        }
        Ok(Self {
            shared: Arc::new(Shared {
                tcti: tcti.clone(),
                engine: Mutex::new(engine),
            }),
        })
    }

    /// Where the TPM is.
    pub fn tcti(&self) -> &Tcti {
        &self.shared.tcti
    }

    /// Tells the TPM that the power may go (TPM2_Shutdown): without it, the next start can count as a wrong auth value.
    ///
    /// For a TPM that nobody else shuts down, such as a software TPM; the kernel does it for a device. [`crate::LoadedKey`]s are dropped
    /// first: a command after this one may undo it.
    pub fn shutdown(&self) -> Result<(), CommandError> {
        let mut engine = self.engine();
        engine.let_go();
        engine.run("TPM2_Shutdown", None, |context| {
            context.shutdown(StartupType::Clear)
        })
    }

    /// The connection, for this thread alone.
    pub(crate) fn engine(&self) -> MutexGuard<'_, Engine> {
        // A thread that panicked left no command half sent.
        match self.shared.engine.lock() {
            Ok(engine) => engine,
            Err(poisoned) => poisoned.into_inner(),
        }
    }
}
