//! What the TPM, or the library between, answered instead of a result.

use std::fmt;

use tss_esapi::Error;
use tss_esapi::constants::response_code::Tss2ResponseCode;

/// A response code of a TPM 2.0 (TPM 2.0 part 2, 6.6) or of tpm2-tss, which marks its own with the layer in bits 16 to 23.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseCode {
    code: Option<u32>,
    text: String,
}

impl ResponseCode {
    pub(crate) fn of(error: Error) -> Self {
        let (number, text) = match error {
            Error::Tss2Error(response) => (raw(response), response.to_string()),
            Error::WrapperError(kind) => (None, kind.to_string()),
        };
        let text = match number.and_then(known) {
            Some(name) => name.to_owned(),
            None => first_lower(text.trim_end_matches('.')),
        };
        Self { code: number, text }
    }

    /// A code that the C library gave.
    pub(crate) fn raw(code: u32) -> Self {
        let text = known(code).map_or("a response code", |text| text).to_owned();
        Self {
            code: Some(code),
            text,
        }
    }

    /// The number; `None` where tss-esapi refused before anything was asked.
    pub const fn number(&self) -> Option<u32> {
        self.code
    }

    /// The number without the handle, session or parameter that it is about (part 2, 6.6.2 and 6.6.3).
    pub(crate) fn base(&self) -> Option<u32> {
        self.code.map(|code| {
            if code & 0x080 != 0 && code < 0x1000 {
                code & 0x0bf
            } else {
                code
            }
        })
    }

    pub(crate) fn is(&self, base: u32) -> bool {
        self.base() == Some(base)
    }

    /// The TPM refused one of the command's parameters: a format-one code with the bit P (TPM 2.0 part 2, 6.6.3).
    pub(crate) fn is_parameter(&self) -> bool {
        matches!(self.code, Some(code) if code < 0x1000 && code & 0x0c0 == 0x0c0)
    }

    /// The TPM is in failure mode, and answers nothing else (TPM_RC_FAILURE).
    pub fn is_failure_mode(&self) -> bool {
        self.is(FAILURE)
    }

    /// The layers TCTI (10), SAPI, ESAPI: the TPM itself was not heard.
    pub(crate) fn is_transport(&self) -> bool {
        matches!(self.code, Some(code) if code >> 16 == 0x0a)
    }
}

/// TPM_RC_INITIALIZE: TPM2_Startup has not been sent.
pub(crate) const INITIALIZE: u32 = 0x100;
/// TPM_RC_FAILURE: the TPM is in failure mode.
pub(crate) const FAILURE: u32 = 0x101;
/// TPM_RC_OBJECT_MEMORY, TPM_RC_SESSION_MEMORY, TPM_RC_SESSION_HANDLES, TPM_RC_OBJECT_HANDLES: a volatile slot is missing.
pub(crate) const NO_SLOT: [u32; 4] = [0x902, 0x903, 0x905, 0x906];
/// TPM_RC_LOCKOUT: too many wrong auth values.
pub(crate) const LOCKOUT: u32 = 0x921;
/// TPM_RC_VALUE, TPM_RC_ASYMMETRIC, TPM_RC_KEY_SIZE, TPM_RC_CURVE and others, of parameters that a TPM does not offer.
pub(crate) const NOT_OFFERED: [u32; 7] = [0x081, 0x083, 0x084, 0x087, 0x08a, 0x096, 0x0a6];
/// TPM_RC_DISABLED: the command is switched off.
pub(crate) const DISABLED: u32 = 0x120;
/// TPM_RC_HIERARCHY: the hierarchy is disabled.
pub(crate) const HIERARCHY: u32 = 0x085;
/// TPM_RC_VALUE: a parameter that does not fit.
pub(crate) const VALUE: u32 = 0x084;
/// TPM_RC_AUTH_FAIL: a wrong auth value, counted.
pub(crate) const AUTH_FAIL: u32 = 0x08e;
/// TPM_RC_SIGNATURE: not that key's, or not over that digest.
pub(crate) const SIGNATURE: u32 = 0x09b;
/// TPM_RC_INTEGRITY: a private part that this TPM did not wrap.
pub(crate) const INTEGRITY: u32 = 0x09f;
/// TPM_RC_BAD_AUTH: a wrong auth value, not counted.
pub(crate) const BAD_AUTH: u32 = 0x0a2;
/// TPM_RC_PCR_CHANGED: since a policy session looked at them.
pub(crate) const PCR_CHANGED: u32 = 0x128;
/// TPM_RC_NV_DEFINED: something is at that handle or index.
pub(crate) const NV_DEFINED: u32 = 0x14c;
/// TPM_RC_NV_SPACE.
pub(crate) const NV_SPACE: u32 = 0x14b;

fn known(number: u32) -> Option<&'static str> {
    match number {
        INITIALIZE => Some("TPM_RC_INITIALIZE: the TPM has not been started"),
        FAILURE => Some("TPM_RC_FAILURE: the TPM is in failure mode"),
        0x902 => Some("TPM_RC_OBJECT_MEMORY: no free object slot"),
        0x903 => Some("TPM_RC_SESSION_MEMORY: no free session slot"),
        LOCKOUT => Some("TPM_RC_LOCKOUT: too many wrong auth values"),
        NV_SPACE => Some("TPM_RC_NV_SPACE: no space for another persistent object"),
        0x000a_0008 => Some("no connection"),
        0x000a_000a => Some("input/output error"),
        _ => None,
    }
}

/// tss-esapi keeps the number to itself and prints it.
fn raw(response: Tss2ResponseCode) -> Option<u32> {
    let text = match response {
        Tss2ResponseCode::Success => return Some(0),
        Tss2ResponseCode::FormatZero(code) => code.to_string(),
        Tss2ResponseCode::FormatOne(code) => code.to_string(),
    };
    let (_, digits) = text.rsplit_once("0x")?;
    u32::from_str_radix(digits, 16).ok()
}

fn first_lower(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::new(),
    }
}

impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(number) => write!(f, "{} ({number:#x})", self.text),
            None => f.write_str(&self.text),
        }
    }
}

impl std::error::Error for ResponseCode {}

#[cfg(test)]
mod tests {
    use tss_esapi::WrapperErrorKind;

    use key_metadata::Advice;

    use super::*;
    use crate::command::CommandError;

    fn response(number: u32) -> ResponseCode {
        ResponseCode {
            code: Some(number),
            text: String::new(),
        }
    }

    #[test]
    fn the_number_of_the_session_or_handle_is_left_out() {
        for (number, base) in [
            (0x98e, AUTH_FAIL),
            (0x9a2, BAD_AUTH),
            (0x1df, INTEGRITY),
            (0x921, LOCKOUT),
            (0x902, 0x902),
        ] {
            assert!(response(number).is(base), "{number:#x}");
        }
        assert!(response(0x000a_000a).is_transport() && !response(0x98e).is_transport());
        // tss-esapi hides its numbers; the tests on a TPM show that they are read.
        let local = ResponseCode::of(Error::WrapperError(WrapperErrorKind::InvalidParam));
        assert_eq!((local.number(), local.to_string().ends_with('.')), (None, false));
    }

    #[test]
    fn what_any_command_can_meet() {
        let tcti: key_metadata::Tcti = "device:/dev/tpmrm0".parse().unwrap();
        let error = |number| CommandError::new(&tcti, "TPM2_Sign", response(number));
        assert!(matches!(error(0x101), CommandError::FailureMode { .. }));
        assert!(matches!(error(0x921), CommandError::Lockout { .. }));
        assert!(matches!(error(0x903), CommandError::NoRoom { .. }));
        assert!(matches!(error(0x000a_000a), CommandError::Gone { .. }));
        assert!(matches!(error(0x0009_0006), CommandError::Refused { .. }));
        for (number, credential) in [
            (0x101, true),
            (0x921, true),
            (0x000a_000a, true),
            (0x903, false),
            (0x2c4, false),
        ] {
            assert_eq!(error(number).is_credential(), credential, "{number:#x}");
        }
    }
}
