//! The commands that tss-esapi 7.7 does not have, sent through a second context of the C library over the same TCTI.
//!
//! They are authorised by an auth value that is empty or by a policy without a secret, so nothing secret crosses the bus. The context lives for
//! one of our methods; what a method puts into the TPM it takes out again, since a resource manager would do so when the context ends, and
//! nobody else would.

#![expect(
    unsafe_code,
    reason = "tss-esapi has no call for these commands; its C library has"
)]

use std::ffi::CString;
use std::ptr::{null, null_mut};

use tss_esapi::constants::CommandCode;
use tss_esapi::structures::{Data, MaxNvBuffer, Signature, SignatureScheme, SymmetricDefinition};
use tss_esapi::tss2_esys::{
    ESYS_CONTEXT, ESYS_TR, ESYS_TR_NONE, ESYS_TR_PASSWORD, ESYS_TR_RH_LOCKOUT,
    Esys_DictionaryAttackLockReset, Esys_DictionaryAttackParameters, Esys_Finalize, Esys_FlushContext,
    Esys_Free, Esys_Initialize, Esys_NV_Certify, Esys_NV_Extend, Esys_PolicyCommandCode, Esys_ReadClock,
    Esys_StartAuthSession, Esys_TR_FromTPMPublic, Esys_TRSess_SetAttributes, TPM2_SE, TPM2B_ATTEST,
    TPM2B_DATA, TPM2B_MAX_NV_BUFFER, TPMA_SESSION, TPMI_ALG_HASH, TPMS_CLOCK_INFO, TPMT_SIG_SCHEME,
    TPMT_SIGNATURE, TPMT_SYM_DEF, TSS2_RC, TSS2_TCTI_CONTEXT, Tss2_TctiLdr_Finalize, Tss2_TctiLdr_Initialize,
};

use key_metadata::{NvIndex, Tcti, TpmHandle};

use crate::command::CommandError;
use crate::hierarchy::LockoutParameters;
use crate::response::ResponseCode;

/// TPM_SE_POLICY, TPM_ALG_SHA256 and TPMA_SESSION_CONTINUESESSION.
const POLICY: TPM2_SE = 0x01;
const SHA256: TPMI_ALG_HASH = 0x000b;
const CONTINUE: TPMA_SESSION = 0x01;

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

    /// TPM2_ReadClock.
    pub(crate) fn clock(&mut self) -> Result<TPMS_CLOCK_INFO, CommandError> {
        let mut told = null_mut();
        // SAFETY: the context is open, and the pointer that the call fills is ours.
        let code = unsafe {
            Esys_ReadClock(
                self.context,
                ESYS_TR_NONE,
                ESYS_TR_NONE,
                ESYS_TR_NONE,
                &raw mut told,
            )
        };
        self.done("TPM2_ReadClock", code)?;
        // SAFETY: the call succeeded, so it made a TPMS_TIME_INFO, which nobody else has.
        unsafe {
            let clock = (*told).clockInfo;
            Esys_Free(told.cast());
            Ok(clock)
        }
    }

    /// TPM2_NV_Extend of an index whose policy allows nothing else.
    pub(crate) fn extend(&mut self, index: NvIndex, digest: &[u8; 32]) -> Result<(), CommandError> {
        let data = MaxNvBuffer::try_from(digest.as_slice())
            .map_err(|error| CommandError::new(&self.at, "TPM2_NV_Extend", ResponseCode::of(error)))?;
        let index = self.existing(index.number(), "TPM2_NV_ReadPublic")?;
        let session = self.start_policy()?;
        let extended = self.extend_in(session, index, data.into());
        let flushed = self.flush(session);
        extended.and(flushed)
    }

    /// TPM2_NV_Certify, with a key and an index whose auth values are empty: the first `size` bytes. TPMS_ATTEST and the signature.
    pub(crate) fn certify(
        &mut self,
        key: TpmHandle,
        index: NvIndex,
        size: u16,
        qualifying: &[u8],
    ) -> Result<(Vec<u8>, Signature), CommandError> {
        const COMMAND: &str = "TPM2_NV_Certify";
        let refused = |at: &Tcti, error| CommandError::new(at, COMMAND, ResponseCode::of(error));
        let qualifying = Data::try_from(qualifying).map_err(|error| refused(&self.at, error))?;
        let qualifying = TPM2B_DATA::from(qualifying);
        let scheme = TPMT_SIG_SCHEME::from(SignatureScheme::Null);
        let key = self.existing(key.number(), "TPM2_ReadPublic")?;
        let index = self.existing(index.number(), "TPM2_NV_ReadPublic")?;
        let (mut attested, mut signature): (*mut TPM2B_ATTEST, *mut TPMT_SIGNATURE) =
            (null_mut(), null_mut());
        // SAFETY: the context is open, both handles are its own, the structures outlive the call, and the pointers that it fills are ours.
        let code = unsafe {
            Esys_NV_Certify(
                self.context,
                key,
                index,
                index,
                ESYS_TR_PASSWORD,
                ESYS_TR_PASSWORD,
                ESYS_TR_NONE,
                &raw const qualifying,
                &raw const scheme,
                size,
                0,
                &raw mut attested,
                &raw mut signature,
            )
        };
        self.done(COMMAND, code)?;
        // SAFETY: the call succeeded, so it made both structures, which nobody else has.
        let (attested, signature) = unsafe {
            let both = (*attested, *signature);
            Esys_Free(attested.cast());
            Esys_Free(signature.cast());
            both
        };
        let length = usize::from(attested.size).min(attested.attestationData.len());
        let signature = Signature::try_from(signature).map_err(|error| refused(&self.at, error))?;
        Ok((attested.attestationData[..length].to_vec(), signature))
    }

    /// The library's entry of something that is there; it ends with the context.
    fn existing(&mut self, number: u32, command: &'static str) -> Result<ESYS_TR, CommandError> {
        let mut handle = ESYS_TR_NONE;
        // SAFETY: the context is open, and the handle that the call fills is ours.
        let code = unsafe {
            Esys_TR_FromTPMPublic(
                self.context,
                number,
                ESYS_TR_NONE,
                ESYS_TR_NONE,
                ESYS_TR_NONE,
                &raw mut handle,
            )
        };
        self.done(command, code)?;
        Ok(handle)
    }

    /// A policy session that goes on until it is flushed.
    fn start_policy(&mut self) -> Result<ESYS_TR, CommandError> {
        let mut session = ESYS_TR_NONE;
        let none = TPMT_SYM_DEF::try_from(SymmetricDefinition::Null)
            .map_err(|error| CommandError::new(&self.at, "TPM2_StartAuthSession", ResponseCode::of(error)))?;
        // SAFETY: the context is open, the structure outlives the call, the handle that it fills is ours, and without a nonce the library draws one.
        let code = unsafe {
            Esys_StartAuthSession(
                self.context,
                ESYS_TR_NONE,
                ESYS_TR_NONE,
                ESYS_TR_NONE,
                ESYS_TR_NONE,
                ESYS_TR_NONE,
                null(),
                POLICY,
                &raw const none,
                SHA256,
                &raw mut session,
            )
        };
        self.done("TPM2_StartAuthSession", code)?;
        Ok(session)
    }

    fn extend_in(
        &mut self,
        session: ESYS_TR,
        index: ESYS_TR,
        data: TPM2B_MAX_NV_BUFFER,
    ) -> Result<(), CommandError> {
        // SAFETY: the context is open, and the session is its own.
        let code = unsafe { Esys_TRSess_SetAttributes(self.context, session, CONTINUE, CONTINUE) };
        self.done("Esys_TRSess_SetAttributes", code)?;
        // SAFETY: the same; the last argument is a number.
        let code = unsafe {
            Esys_PolicyCommandCode(
                self.context,
                session,
                ESYS_TR_NONE,
                ESYS_TR_NONE,
                ESYS_TR_NONE,
                CommandCode::NvExtend.into(),
            )
        };
        self.done("TPM2_PolicyCommandCode", code)?;
        // SAFETY: the same for the index; the structure outlives the call.
        let code = unsafe {
            Esys_NV_Extend(
                self.context,
                index,
                index,
                session,
                ESYS_TR_NONE,
                ESYS_TR_NONE,
                &raw const data,
            )
        };
        self.done("TPM2_NV_Extend", code)
    }

    fn flush(&mut self, session: ESYS_TR) -> Result<(), CommandError> {
        // SAFETY: the context is open, and the session is its own.
        let code = unsafe { Esys_FlushContext(self.context, session) };
        self.done("TPM2_FlushContext", code)
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
