//! The connection with what is held in the TPM, and the guards that let go of it.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use key_metadata::Tcti;
use tss_esapi::constants::{CapabilityType, PropertyTag};
use tss_esapi::handles::{ObjectHandle, PersistentTpmHandle, TpmHandle};
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::CapabilityData;
use tss_esapi::{Context, Error};

use crate::approval::PcrAccess;
use crate::command::CommandError;
use crate::load::Slots;
use crate::name::Name;
use crate::response::ResponseCode;
use crate::srk::{OpenSrk, SRK};
use crate::turn::Turn;

/// One connection to a TPM. It is used by one thread at a time.
pub(crate) struct Engine {
    pub(crate) tcti: Tcti,
    pub(crate) context: Context,
    /// The storage root key once it was looked at.
    pub(crate) srk: Option<OpenSrk>,
    /// The one session that is kept, salted to `srk`.
    pub(crate) session: Option<AuthSession>,
    /// Our keys that have a slot.
    pub(crate) slots: Slots,
    /// The PCR policy under which PINs are sealed.
    pub(crate) access: Option<Arc<PcrAccess>>,
    /// The only Name that the storage root key may have.
    pub(crate) pinned: Option<Name>,
    /// Given up last, after all that is held in the TPM.
    pub(crate) _turn: Turn,
}

impl Engine {
    /// Sends a command authorised by `session`, or by none.
    pub(crate) fn run<T>(
        &mut self,
        command: &'static str,
        session: Option<AuthSession>,
        send: impl FnOnce(&mut Context) -> Result<T, Error>,
    ) -> Result<T, CommandError> {
        let result = self.context.execute_with_session(session, send);
        result.map_err(
            |error| match CommandError::new(&self.tcti, command, ResponseCode::of(error)) {
                CommandError::Lockout { tcti, .. } => CommandError::Lockout {
                    tcti,
                    interval: self.property(PropertyTag::LockoutInterval).ok().flatten(),
                },
                other @ (CommandError::Gone { .. }
                | CommandError::FailureMode { .. }
                | CommandError::NoRoom { .. }
                | CommandError::Refused { .. }) => other,
            },
        )
    }

    /// A property as it is now; `get_tpm_property` of tss-esapi would remember an old value.
    pub(crate) fn property(&mut self, tag: PropertyTag) -> Result<Option<u32>, CommandError> {
        // One at a time: a list with a property that tss-esapi does not know fails as a whole.
        let (data, _) = self.run("TPM2_GetCapability", None, |context| {
            context.get_capability(CapabilityType::TpmProperties, tag.into(), 1)
        })?;
        let CapabilityData::TpmProperties(list) = data else {
            return Ok(None);
        };
        Ok(list.find(tag).map(|property| property.value()))
    }

    /// Whether there is anything at that persistent handle or NV index. Asking for it by name would make the C library complain on standard error.
    pub(crate) fn is_there(&mut self, number: u32) -> Result<bool, CommandError> {
        let (data, _) = self.run("TPM2_GetCapability", None, |context| {
            context.get_capability(CapabilityType::Handles, number, 1)
        })?;
        let CapabilityData::Handles(handles) = data else {
            return Ok(false);
        };
        Ok(handles.first().is_some_and(|found| u32::from(*found) == number))
    }

    /// The object at a persistent handle, until the guard is dropped.
    pub(crate) fn open(&mut self, number: u32) -> Result<Held<'_>, CommandError> {
        // The library has one entry for each persistent handle: closed once, it is closed for all.
        if let Some(handle) = self
            .srk
            .as_ref()
            .filter(|_| number == SRK)
            .map(|srk| srk.handle.into())
        {
            return Ok(Held {
                engine: self,
                handle,
                end: End::Nothing,
            });
        }
        let handle = self.run("TPM2_ReadPublic", None, |context| {
            context.tr_from_tpm_public(TpmHandle::Persistent(PersistentTpmHandle::new(number)?))
        })?;
        Ok(self.hold_open(handle))
    }

    /// Keeps a transient object or a session until the guard is dropped.
    pub(crate) fn hold(&mut self, handle: ObjectHandle) -> Held<'_> {
        Held {
            engine: self,
            handle,
            end: End::Flush,
        }
    }

    /// Keeps the library's entry of something persistent until the guard is dropped.
    pub(crate) fn hold_open(&mut self, handle: ObjectHandle) -> Held<'_> {
        Held {
            engine: self,
            handle,
            end: End::Close,
        }
    }

    /// Makes the library forget a persistent object.
    pub(crate) fn close(&mut self, handle: ObjectHandle) {
        drop(self.hold_open(handle));
    }

    /// The Name that the library has of an object.
    pub(crate) fn name(&mut self, handle: ObjectHandle) -> Result<Name, CommandError> {
        self.run("Esys_TR_GetName", None, |context| {
            let name = context.tr_get_name(handle)?;
            Name::try_from(name.value())
                .map_err(|_| Error::WrapperError(tss_esapi::WrapperErrorKind::WrongValueFromTpm))
        })
    }

    /// Lets the kept session and the storage root key go.
    pub(crate) fn let_go(&mut self) {
        if let Some(session) = self.session.take() {
            drop(self.hold(tss_esapi::handles::SessionHandle::from(session).into()));
        }
        if let Some(srk) = self.srk.take() {
            self.close(srk.handle.into());
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// How a handle is let go of.
enum End {
    /// It has a slot in the TPM, which is freed.
    Flush,
    /// It stays in the TPM; the library forgets it.
    Close,
    /// Another has it open.
    Nothing,
}

/// An engine with an object or a session that is let go of when this is dropped.
pub(crate) struct Held<'e> {
    engine: &'e mut Engine,
    handle: ObjectHandle,
    end: End,
}

impl Held<'_> {
    pub(crate) fn handle(&self) -> ObjectHandle {
        self.handle
    }

    /// The handle, which the caller now answers for.
    pub(crate) fn keep(self) -> ObjectHandle {
        let handle = self.handle;
        std::mem::forget(self);
        handle
    }
}

impl Deref for Held<'_> {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        self.engine
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut Engine {
        self.engine
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // Where the TPM is gone, so is what it held.
        let _ = match self.end {
            End::Flush => self.engine.context.flush_context(self.handle),
            End::Close => self.engine.context.tr_close(&mut self.handle),
            End::Nothing => Ok(()),
        };
    }
}
