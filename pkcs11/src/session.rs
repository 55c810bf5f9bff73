//! Sessions with a token, kept and shared: no C_OpenSession per signature.

use key_metadata::Advice;
use std::sync::{Condvar, Mutex};

use cryptoki::error::RvError;
use cryptoki::session::Session;
use cryptoki::slot::Slot;

use crate::call::CallError;
use crate::lock::{LockError, ModuleLock};
use crate::module::{Module, locked};

/// Why a token did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// Another process is in the way.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The module said no.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl AccessError {
    /// The code that the module returned, where there is one.
    pub(crate) fn answer(&self) -> Option<&RvError> {
        match self {
            Self::Lock(_) => None,
            Self::Call(call) => call.answer(),
        }
    }
}

impl Advice for AccessError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Lock(source) => source.hint(),
            Self::Call(source) => source.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Lock(source) => source.is_credential(),
            Self::Call(source) => source.is_credential(),
        }
    }

    fn is_absence(&self) -> bool {
        match self {
            Self::Lock(_) => false,
            Self::Call(source) => source.is_absence(),
        }
    }
}

/// Idle sessions with one token. It grows to the number of threads that use the token at once, or to the token's limit.
pub(crate) struct Pool {
    module: Module,
    slot: Slot,
    sessions: Mutex<Sessions>,
    returned: Condvar,
}

#[derive(Default)]
struct Sessions {
    idle: Vec<Session>,
    in_use: usize,
}

impl Pool {
    pub(crate) fn new(module: Module, slot: Slot) -> Self {
        Self {
            module,
            slot,
            sessions: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    /// Runs `work` in a session of its own. A session in which it failed is closed: an operation may still be active there.
    pub(crate) fn with<T>(
        &self,
        work: impl FnOnce(&Session) -> cryptoki::error::Result<T>,
    ) -> Result<T, AccessError> {
        let _turn = self.module.turn();
        let session = self.take()?;
        let result = work(&session).map_err(|error| AccessError::Call(CallError::of(error)));
        self.put_back(result.is_ok().then_some(session));
        result
    }

    /// An idle session, or a new one; at the token's limit (CKR_SESSION_COUNT), waits for another thread's.
    fn take(&self) -> Result<Session, AccessError> {
        let mut sessions = locked(&self.sessions);
        loop {
            sessions.in_use += 1;
            if let Some(session) = sessions.idle.pop() {
                return Ok(session);
            }
            drop(sessions);
            let error = match self.open() {
                Ok(session) => return Ok(session),
                Err(error) => error,
            };
            sessions = locked(&self.sessions);
            sessions.in_use -= 1;
            let limit_reached = matches!(error.answer(), Some(RvError::SessionCount));
            if !limit_reached || (sessions.in_use == 0 && sessions.idle.is_empty()) {
                return Err(error);
            }
            while sessions.idle.is_empty() && sessions.in_use > 0 {
                sessions = match self.returned.wait(sessions) {
                    Ok(guard) => guard,
                    Err(poisoned) => poisoned.into_inner(),
                };
            }
        }
    }

    fn put_back(&self, session: Option<Session>) {
        let mut sessions = locked(&self.sessions);
        sessions.in_use -= 1;
        sessions.idle.extend(session);
        drop(sessions);
        self.returned.notify_all();
    }

    fn open(&self) -> Result<Session, AccessError> {
        let lock = self.module.lock()?;
        Ok(open(&self.module, self.slot, &lock)?)
    }
}

/// A read-write session: a read-only one would keep the security officer out (CKR_SESSION_READ_ONLY_EXISTS).
pub(crate) fn open(module: &Module, slot: Slot, _lock: &ModuleLock) -> Result<Session, CallError> {
    module.context().open_rw_session(slot).map_err(CallError::of)
}
