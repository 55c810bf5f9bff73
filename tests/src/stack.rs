//! The stacks of tokens that the suite runs on without hardware.

use std::fmt;
use std::io;
use std::str::FromStr;

use sandbox::Opencryptoki;

/// Where the keys are. A TPM 2.0 in software seals the PINs of each but the last, which is of a time before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// In a SoftHSM token.
    SoftHsm,
    /// Native in the TPM.
    Tpm,
    /// In the TPM behind PKCS#11 (libtpm2_pkcs11).
    Tpm2Pkcs11,
    /// In opencryptoki's software token.
    OpencryptokiSoft,
    /// Under a TPM 1.2 behind PKCS#11: opencryptoki's TPM token over TrouSerS, the stack of 2013.
    Tpm12,
}

impl Stack {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::SoftHsm,
        Self::Tpm,
        Self::Tpm2Pkcs11,
        Self::OpencryptokiSoft,
        Self::Tpm12,
    ];

    /// Those on which `make stacks` goes by the suite's own defaults, and which the benchmarks measure: with ECDSA, PINs of any length, and
    /// nothing that the maker set before.
    pub const REHEARSED: [Self; 3] = [Self::SoftHsm, Self::Tpm, Self::Tpm2Pkcs11];

    /// Why this machine cannot have the stack, in the kernel's words; `None` where it can.
    ///
    /// opencryptoki runs in namespaces of its own. A missing package is no such reason, and fails when the stack is started.
    pub fn refusal(self) -> io::Result<Option<String>> {
        match self {
            Self::SoftHsm | Self::Tpm | Self::Tpm2Pkcs11 => Ok(None),
            Self::OpencryptokiSoft | Self::Tpm12 => Opencryptoki::refusal(),
        }
    }

    /// Whether it has a TPM 2.0.
    pub(crate) const fn has_tpm2(self) -> bool {
        match self {
            Self::SoftHsm | Self::Tpm | Self::Tpm2Pkcs11 | Self::OpencryptokiSoft => true,
            Self::Tpm12 => false,
        }
    }

    /// The stack of that name, if it is one of the rehearsed ones.
    pub fn rehearsed(name: &str) -> Result<Self, String> {
        Self::named(&Self::REHEARSED, name)
    }

    fn named(stacks: &[Self], name: &str) -> Result<Self, String> {
        let names: Vec<String> = stacks.iter().map(ToString::to_string).collect();
        let found = names.iter().position(|known| known == name);
        found
            .map(|at| stacks[at])
            .ok_or_else(|| format!("the stacks are {}", names.join(", ")))
    }
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SoftHsm => "softhsm",
            Self::Tpm => "tpm",
            Self::Tpm2Pkcs11 => "tpm2-pkcs11",
            Self::OpencryptokiSoft => "opencryptoki-soft",
            Self::Tpm12 => "tpm12",
        })
    }
}

impl FromStr for Stack {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::named(&Self::ALL, text)
    }
}
