//! The stacks of tokens that the suite runs on without hardware.

use std::fmt;
use std::str::FromStr;

/// Where the keys are; a software TPM seals the PIN in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// In a SoftHSM token.
    SoftHsm,
    /// Native in the TPM.
    Tpm,
    /// In the TPM behind PKCS#11 (libtpm2_pkcs11).
    Tpm2Pkcs11,
}

impl Stack {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::SoftHsm, Self::Tpm, Self::Tpm2Pkcs11];
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SoftHsm => "softhsm",
            Self::Tpm => "tpm",
            Self::Tpm2Pkcs11 => "tpm2-pkcs11",
        })
    }
}

impl FromStr for Stack {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(|stack| stack.to_string()).join(", ");
        Self::ALL
            .into_iter()
            .find(|stack| stack.to_string() == text)
            .ok_or_else(|| format!("the stacks are {}", known()))
    }
}
