//! Why a key does not leave its token.

use key_metadata::{Advice, CkaId, TokenLabel};

use crate::key::FindError;
use crate::session::AccessError;
use crate::wrap::WrapMechanism;
use crate::wrapping::OpenedError;

/// What there is for a token in front of a TPM, whose keys leave it in the TPM's own way (TPM 2.0 part 1, 23).
pub(crate) const ANOTHER_WAY: &str = "where the token keeps its keys in a TPM, make a native TPM key under a recovery parent: it is backed up \
    by duplication, and comes back into the token by import and link (tpm2_ptool link); else choose another token, or --backup none: \
    who loses the token then loses the key";

/// Why there is no wrapped key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WrapError {
    /// Nobody is logged in.
    #[error("nobody is logged in to token '{label}', so it wraps nothing")]
    NotLoggedIn {
        /// The token.
        label: TokenLabel,
    },
    /// The token takes no AES key from outside, or none for a session alone.
    #[error(
        "token '{label}' takes no key-encryption key for a session (C_CreateObject of CKK_AES with CKA_TOKEN false)"
    )]
    NoSessionKey {
        /// The token.
        label: TokenLabel,
        /// What it answered.
        source: AccessError,
    },
    /// The key is not there.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The key was made so that it never leaves the token.
    #[error("key {id} in token '{label}' was made never to leave it (CKA_EXTRACTABLE false)")]
    NotExtractable {
        /// The token.
        label: TokenLabel,
        /// The key.
        id: CkaId,
    },
    /// The token does not wrap it.
    #[error("token '{label}' does not wrap key {id} by {mechanism}")]
    Refused {
        /// The token.
        label: TokenLabel,
        /// The key.
        id: CkaId,
        /// How it was to be wrapped.
        mechanism: WrapMechanism,
        /// What the token answered.
        source: AccessError,
    },
    /// What it wrapped is not that key, or does not open.
    #[error("what token '{label}' wrapped as key {id} by {mechanism} is no backup of it")]
    NotThatKey {
        /// The token.
        label: TokenLabel,
        /// The key.
        id: CkaId,
        /// How it was wrapped.
        mechanism: WrapMechanism,
        /// What is wrong with it.
        source: OpenedError,
    },
    /// The module failed.
    #[error("token '{label}' failed while a key was to be wrapped")]
    Access {
        /// The token.
        label: TokenLabel,
        /// Why.
        source: AccessError,
    },
}

impl Advice for WrapError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NotLoggedIn { .. } => Some("give the token's user PIN".to_owned()),
            Self::NoSessionKey { .. } => Some(ANOTHER_WAY.to_owned()),
            Self::Find(source) => source.hint(),
            Self::NotExtractable { .. } => {
                Some("that is for ever: make a key with --backup wrap, and let it follow this one in a rollover".to_owned())
            }
            Self::Refused { .. } => {
                Some("keyrite-tpm-init token probe shows which keys the token wraps".to_owned())
            }
            Self::NotThatKey { .. } => Some(
                "check the key's record against the token; if they agree, do not use this token's wrapping for a backup".to_owned(),
            ),
            Self::Access { source, .. } => source.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::NotLoggedIn { .. } => true,
            Self::Find(source) => source.is_credential(),
            Self::NotExtractable { .. } | Self::NotThatKey { .. } => false,
            Self::NoSessionKey { source, .. }
            | Self::Refused { source, .. }
            | Self::Access { source, .. } => source.is_credential(),
        }
    }
}
