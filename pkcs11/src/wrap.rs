//! The ways to wrap a private key.

use std::fmt;

use cryptoki_sys::{
    CK_MECHANISM_TYPE, CKM_AES_CBC_PAD, CKM_AES_KEY_WRAP_KWP, CKM_AES_KEY_WRAP_PAD, CKM_RSA_AES_KEY_WRAP,
};

/// A mechanism that wraps a PKCS#8 private key of any length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WrapMechanism {
    /// CKM_AES_KEY_WRAP_KWP, 0x210b: AES key wrap with padding (RFC 5649), PKCS#11 3.0's number for it.
    AesKeyWrapKwp,
    /// CKM_AES_KEY_WRAP_PAD, 0x210a: the older number, under which SoftHSM does RFC 5649 too, and other tokens something else.
    AesKeyWrapPad,
    /// CKM_RSA_AES_KEY_WRAP, 0x1054: an AES key under RSA-OAEP, and the private key under the AES key.
    RsaAesKeyWrap,
    /// CKM_AES_CBC_PAD, 0x1085: all that older tokens have.
    AesCbcPad,
}

impl WrapMechanism {
    /// All of them, the one to be preferred first.
    pub const ALL: [Self; 4] = [
        Self::AesKeyWrapKwp,
        Self::AesKeyWrapPad,
        Self::RsaAesKeyWrap,
        Self::AesCbcPad,
    ];

    /// Those that a backup rests on, in the order in which they are tried: both are RFC 5649 under an AES key, so that a blob made by one
    /// is taken back by the other, and is opened without a token.
    ///
    /// Not CKM_RSA_AES_KEY_WRAP, which keeps integrity too: it wants an RSA pair for a key-encryption key, and none of the tokens that this
    /// is tested with offers it. A probe tries it, and nothing is promised of it.
    pub const BACKUP: [Self; 2] = [Self::AesKeyWrapKwp, Self::AesKeyWrapPad];

    /// Whether a change to what was wrapped is found when it is taken back (RFC 5649 2); a backup wants that.
    pub const fn keeps_integrity(self) -> bool {
        match self {
            Self::AesKeyWrapKwp | Self::AesKeyWrapPad | Self::RsaAesKeyWrap => true,
            Self::AesCbcPad => false,
        }
    }

    /// Its number in PKCS#11.
    pub const fn number(self) -> CK_MECHANISM_TYPE {
        match self {
            Self::AesKeyWrapKwp => CKM_AES_KEY_WRAP_KWP,
            Self::AesKeyWrapPad => CKM_AES_KEY_WRAP_PAD,
            Self::RsaAesKeyWrap => CKM_RSA_AES_KEY_WRAP,
            Self::AesCbcPad => CKM_AES_CBC_PAD,
        }
    }

    /// Its name in PKCS#11.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AesKeyWrapKwp => "CKM_AES_KEY_WRAP_KWP",
            Self::AesKeyWrapPad => "CKM_AES_KEY_WRAP_PAD",
            Self::RsaAesKeyWrap => "CKM_RSA_AES_KEY_WRAP",
            Self::AesCbcPad => "CKM_AES_CBC_PAD",
        }
    }
}

impl fmt::Display for WrapMechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{:04x})", self.name(), self.number())
    }
}
