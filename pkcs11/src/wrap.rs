//! The ways to wrap a private key that a backup can use.

use std::fmt;

use cryptoki_sys::{CK_MECHANISM_TYPE, CKM_AES_KEY_WRAP_KWP, CKM_AES_KEY_WRAP_PAD, CKM_RSA_AES_KEY_WRAP};

/// A mechanism that wraps a PKCS#8 private key of any length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WrapMechanism {
    /// CKM_AES_KEY_WRAP_KWP, 0x210b: AES key wrap with padding (RFC 5649), PKCS#11 3.0's number for it.
    AesKeyWrapKwp,
    /// CKM_AES_KEY_WRAP_PAD, 0x210a: the older number, under which SoftHSM does RFC 5649 too, and other tokens something else.
    AesKeyWrapPad,
    /// CKM_RSA_AES_KEY_WRAP, 0x1054: an AES key under RSA-OAEP, and the private key under the AES key.
    RsaAesKeyWrap,
}

impl WrapMechanism {
    /// All of them, the one to be preferred first.
    pub const ALL: [Self; 3] = [Self::AesKeyWrapKwp, Self::AesKeyWrapPad, Self::RsaAesKeyWrap];

    /// Its number in PKCS#11.
    pub const fn number(self) -> CK_MECHANISM_TYPE {
        match self {
            Self::AesKeyWrapKwp => CKM_AES_KEY_WRAP_KWP,
            Self::AesKeyWrapPad => CKM_AES_KEY_WRAP_PAD,
            Self::RsaAesKeyWrap => CKM_RSA_AES_KEY_WRAP,
        }
    }

    /// Its name in PKCS#11.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AesKeyWrapKwp => "CKM_AES_KEY_WRAP_KWP",
            Self::AesKeyWrapPad => "CKM_AES_KEY_WRAP_PAD",
            Self::RsaAesKeyWrap => "CKM_RSA_AES_KEY_WRAP",
        }
    }
}

impl fmt::Display for WrapMechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{:04x})", self.name(), self.number())
    }
}
