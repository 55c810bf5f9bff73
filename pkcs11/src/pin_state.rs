//! What a token says of its PINs before one is tried.

use std::fmt;

use cryptoki::slot::TokenInfo;

use crate::initialise::PinOwner;

/// What the flags of CK_TOKEN_INFO say of a PIN, the gravest first where there are several. They are read without login.
///
/// A token need not tell: SoftHSM says only that it counts, tpm2-pkcs11 says nothing, and opencryptoki all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinState {
    /// No flag is set.
    Fine,
    /// At least one wrong PIN was given since the last right one (CKF_USER_PIN_COUNT_LOW).
    CountLow,
    /// It has expired, or is the one that the token was delivered with (CKF_USER_PIN_TO_BE_CHANGED).
    ToBeChanged,
    /// The next wrong PIN locks it (CKF_USER_PIN_FINAL_TRY).
    FinalTry,
    /// It is locked (CKF_USER_PIN_LOCKED).
    Locked,
    /// There is none yet (CKF_USER_PIN_INITIALIZED is not set).
    NotSet,
}

/// What becomes of the last try before a token locks a PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastTry {
    /// No PIN is tried when the token says that a wrong one would lock it.
    Keep,
    /// The PIN is tried all the same.
    Use,
}

impl fmt::Display for PinState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fine => "no flag is set",
            Self::CountLow => "a wrong one was given since the last right one",
            Self::ToBeChanged => "it is to be changed",
            Self::FinalTry => "one more wrong one locks it",
            Self::Locked => "it is locked",
            Self::NotSet => "there is none yet",
        })
    }
}

impl PinState {
    pub(crate) fn of(info: &TokenInfo, owner: PinOwner) -> Self {
        let (locked, final_try, to_be_changed, count_low) = match owner {
            PinOwner::User if !info.user_pin_initialized() => return Self::NotSet,
            PinOwner::User => (
                info.user_pin_locked(),
                info.user_pin_final_try(),
                info.user_pin_to_be_changed(),
                info.user_pin_count_low(),
            ),
            PinOwner::SecurityOfficer => (
                info.so_pin_locked(),
                info.so_pin_final_try(),
                info.so_pin_to_be_changed(),
                info.so_pin_count_low(),
            ),
        };
        let flags = [
            (locked, Self::Locked),
            (final_try, Self::FinalTry),
            (to_be_changed, Self::ToBeChanged),
            (count_low, Self::CountLow),
        ];
        let gravest = flags.into_iter().find(|(set, _)| *set);
        gravest.map_or(Self::Fine, |(_, state)| state)
    }

    /// What to do after a wrong PIN.
    pub(crate) fn hint_after_wrong(self, owner: PinOwner) -> String {
        let hint = match self {
            Self::Fine | Self::ToBeChanged | Self::NotSet => "check the PIN before the next try",
            Self::CountLow => "check the PIN before the next try: the token counts wrong ones",
            Self::FinalTry => "check the PIN: one try is left, then the token locks it",
            Self::Locked => return format!("it is locked now; {}", hint_of_locked(owner)),
        };
        hint.to_owned()
    }
}

/// What to do about a locked PIN.
pub(crate) const fn hint_of_locked(owner: PinOwner) -> &'static str {
    match owner {
        PinOwner::User => "the security officer sets a new one: keyrite-tpm-init token unlock",
        PinOwner::SecurityOfficer => {
            "no one can set another; to initialise the token anew, with its vendor's tool, destroys its keys"
        }
    }
}
