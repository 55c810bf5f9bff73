//! What a module answered to a call that failed.

use key_metadata::Advice;
use std::fmt;

use cryptoki::error::{Error, RvError};

/// A call into a module that failed, in PKCS#11's own words: `C_Login answered CKR_PIN_INCORRECT`.
#[derive(Debug)]
pub struct CallError(Error);

impl CallError {
    pub(crate) const fn of(error: Error) -> Self {
        Self(error)
    }

    /// The code that the module returned, where the call reached it.
    pub(crate) fn answer(&self) -> Option<&RvError> {
        if let Error::Pkcs11(answer, _) = &self.0 {
            Some(answer)
        } else {
            None
        }
    }

    /// Whether it is about what was asked for, and not that the token or the session went away.
    pub(crate) fn is_about_the_operation(&self) -> bool {
        let gone = matches!(
            self.answer(),
            Some(
                RvError::SessionClosed
                    | RvError::SessionHandleInvalid
                    | RvError::CryptokiNotInitialized
                    | RvError::HostMemory
            )
        );
        !gone && !self.is_credential()
    }

    /// Whether the token refused a PIN that was given to it.
    pub(crate) fn is_wrong_pin(&self) -> bool {
        matches!(self.answer(), Some(RvError::PinIncorrect | RvError::PinInvalid))
    }

    /// Whether the token says that it has no such mechanism or function.
    pub(crate) fn is_not_offered(&self) -> bool {
        matches!(
            self.answer(),
            Some(RvError::MechanismInvalid | RvError::FunctionNotSupported)
        )
    }

    /// Whether the token says that the key was made never to leave it.
    pub(crate) fn is_unextractable(&self) -> bool {
        matches!(self.answer(), Some(RvError::KeyUnextractable))
    }

    /// Whether it is the attributes of an object that the token does not like.
    pub(crate) fn refuses_template(&self) -> bool {
        matches!(
            self.answer(),
            Some(
                RvError::TemplateInconsistent
                    | RvError::AttributeValueInvalid
                    | RvError::AttributeTypeInvalid
                    | RvError::AttributeReadOnly
            )
        )
    }

    pub(crate) fn into_error(self) -> Error {
        self.0
    }
}

impl Advice for CallError {
    fn hint(&self) -> Option<String> {
        let hint = match self.answer()? {
            RvError::TokenNotPresent | RvError::DeviceRemoved | RvError::TokenNotRecognized => {
                "check that the token is plugged in and its daemon runs"
            }
            RvError::UserNotLoggedIn => "log in to the token first",
            RvError::PinLocked => "the security officer has to set a new user PIN",
            RvError::TokenWriteProtected => {
                "the token is write-protected; its vendor's tool says how to open it"
            }
            RvError::DeviceMemory => "the token is full; destroy keys that are no longer used",
            RvError::FunctionFailed | RvError::GeneralError | RvError::DeviceError => {
                "the module says no more; see its own log, and check its store, its disk and its daemon"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }

    fn is_credential(&self) -> bool {
        matches!(
            self.answer(),
            Some(
                RvError::TokenNotPresent
                    | RvError::DeviceRemoved
                    | RvError::TokenNotRecognized
                    | RvError::SlotIdInvalid
                    | RvError::PinIncorrect
                    | RvError::PinInvalid
                    | RvError::PinLenRange
                    | RvError::PinExpired
                    | RvError::PinLocked
                    | RvError::UserNotLoggedIn
                    | RvError::UserPinNotInitialized
            )
        )
    }

    fn is_absence(&self) -> bool {
        matches!(
            self.answer(),
            Some(
                RvError::TokenNotPresent
                    | RvError::DeviceRemoved
                    | RvError::TokenNotRecognized
                    | RvError::SlotIdInvalid
                    | RvError::SessionClosed
                    | RvError::SessionHandleInvalid
                    | RvError::CryptokiNotInitialized
                    // The login ended with the token that it was to.
                    | RvError::UserNotLoggedIn
            )
        )
    }
}

impl fmt::Display for CallError {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the rest are conversions that cryptoki could not make, told alike"
    )]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Error::Pkcs11(RvError::VendorDefined(code) | RvError::UnknownErrorCode(code), function) => {
                write!(f, "C_{function:?} answered 0x{code:08x}")
            }
            Error::Pkcs11(answer, function) => write!(f, "C_{function:?} answered {}", code_name(answer)),
            Error::LibraryLoading(error) => write!(f, "{error}"),
            Error::MissingSymbol(symbol) => write!(f, "it has no {symbol}"),
            Error::NullFunctionPointer => f.write_str("the module does not have the function"),
            other => write!(f, "the module's answer makes no sense: {other}"),
        }
    }
}

impl std::error::Error for CallError {}

/// `CKR_PIN_INCORRECT` of `PinIncorrect`: cryptoki names its codes by that rule.
fn code_name(answer: &RvError) -> String {
    format!("{answer:?}")
        .chars()
        .fold("CKR".to_owned(), |mut name, character| {
            if character.is_ascii_uppercase() {
                name.push('_');
            }
            name.push(character.to_ascii_uppercase());
            name
        })
}

#[cfg(test)]
mod tests {
    use cryptoki::context::Function;

    use super::*;

    #[test]
    fn an_answer_is_told_in_the_words_of_the_standard() {
        let refused = CallError(Error::Pkcs11(RvError::PinIncorrect, Function::Login));
        assert_eq!(refused.to_string(), "C_Login answered CKR_PIN_INCORRECT");
        assert!(refused.is_credential());
        let vendor = CallError(Error::Pkcs11(
            RvError::VendorDefined(0x8000_0001),
            Function::InitPIN,
        ));
        assert_eq!(vendor.to_string(), "C_InitPIN answered 0x80000001");
        assert!(!vendor.is_credential());
    }
}
