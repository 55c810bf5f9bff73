//! The two commands that tss-esapi 7.7 does not have, sent through a second context of the C library over the same TCTI.
//!
//! Both are authorised by an empty lockout auth, so nothing secret crosses the bus. The context lives for one command.

#![expect(
    unsafe_code,
    reason = "tss-esapi has no call for these commands; its C library has"
)]

use std::ffi::CString;
use std::ptr::null_mut;

use tss_esapi::tss2_esys::{
    ESYS_CONTEXT, ESYS_TR_NONE, ESYS_TR_PASSWORD, ESYS_TR_RH_LOCKOUT, Esys_DictionaryAttackLockReset,
    Esys_DictionaryAttackParameters, Esys_Finalize, Esys_Initialize, TSS2_RC, TSS2_TCTI_CONTEXT,
    Tss2_TctiLdr_Finalize, Tss2_TctiLdr_Initialize,
};

use key_metadata::Tcti;

use crate::command::CommandError;
use crate::hierarchy::LockoutParameters;
use crate::response::ResponseCode;

/// The second context.
pub(crate) struct Esys {
    at: Tcti,
    tcti: *mut TSS2_TCTI_CONTEXT,
    context: *mut ESYS_CONTEXT,
}

impl Esys {
    pub(crate) fn open(at: &Tcti) -> Result<Self, CommandError> {
        let mut esys = Self {
            at: at.clone(),
            tcti: null_mut(),
            context: null_mut(),
        };
        // No TCTI has a zero byte: it comes from a line of text. If one had, the library would see none, and say so.
        let name = CString::new(at.as_str()).map_or_else(|_| CString::default(), |name| name);
        // SAFETY: the name outlives the call, and the pointer that it fills is ours.
        let reached = unsafe { Tss2_TctiLdr_Initialize(name.as_ptr(), &raw mut esys.tcti) };
        esys.done("Tss2_TctiLdr_Initialize", reached)?;
        // SAFETY: the TCTI was made above and is finalised after the context; a null version means the library's own.
        let made = unsafe { Esys_Initialize(&raw mut esys.context, esys.tcti, null_mut()) };
        esys.done("Esys_Initialize", made)?;
        Ok(esys)
    }

    /// TPM2_DictionaryAttackParameters, while the lockout auth is empty.
    pub(crate) fn set_lockout_parameters(
        &mut self,
        parameters: LockoutParameters,
    ) -> Result<(), CommandError> {
        let LockoutParameters {
            max,
            interval,
            recovery,
        } = parameters;
        // SAFETY: the context is open; the other arguments are numbers.
        let code = unsafe {
            Esys_DictionaryAttackParameters(
                self.context,
                ESYS_TR_RH_LOCKOUT,
                ESYS_TR_PASSWORD,
                ESYS_TR_NONE,
                ESYS_TR_NONE,
                max,
                interval,
                recovery,
            )
        };
        self.done("TPM2_DictionaryAttackParameters", code)
    }

    /// TPM2_DictionaryAttackLockReset, while the lockout auth is empty.
    pub(crate) fn lift_lockout(&mut self) -> Result<(), CommandError> {
        // SAFETY: the context is open; the other arguments are numbers.
        let code = unsafe {
            Esys_DictionaryAttackLockReset(
                self.context,
                ESYS_TR_RH_LOCKOUT,
                ESYS_TR_PASSWORD,
                ESYS_TR_NONE,
                ESYS_TR_NONE,
            )
        };
        self.done("TPM2_DictionaryAttackLockReset", code)
    }

    fn done(&self, command: &'static str, code: TSS2_RC) -> Result<(), CommandError> {
        if code == 0 {
            return Ok(());
        }
        Err(CommandError::new(&self.at, command, ResponseCode::raw(code)))
    }
}

impl Drop for Esys {
    fn drop(&mut self) {
        // SAFETY: both were made in `open` or are null, which these calls take; the context goes before the TCTI that it uses.
        unsafe {
            Esys_Finalize(&raw mut self.context);
            Tss2_TctiLdr_Finalize(&raw mut self.tcti);
        }
    }
}
