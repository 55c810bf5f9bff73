//! Why a statement does not show what it should.

use key_metadata::Advice;

use crate::name::Name;

/// Why a statement does not show what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// No key to check it with.
    #[error("the attestation key is no SubjectPublicKeyInfo of a P-256 key")]
    Key,
    /// Signed by another key, or changed.
    #[error("the statement was not signed with this attestation key, or was changed")]
    Signature,
    /// What is signed does not begin with TPM_GENERATED_VALUE.
    #[error("what is signed was not put together by a TPM")]
    NotGenerated,
    /// It is no TPMS_ATTEST.
    #[error("what is signed is no TPMS_ATTEST that ends where it should")]
    Structure,
    /// Bytes behind it.
    #[error("there is something behind what a TPM put together")]
    Trailing,
    /// A statement of another kind; the number is its TPM_ST_ATTEST (TPM 2.0 part 2, 6.9).
    #[error("the statement is of the type {found:#06x}, not {expected:#06x}")]
    Type {
        /// What it is.
        found: u16,
        /// What was to be shown.
        expected: u16,
    },
    /// A statement for something else: made for another checkpoint, or earlier.
    #[error("the statement is for {found}, not for {expected}")]
    Qualifying {
        /// Its extraData, in hex digits.
        found: String,
        /// What it should be, in hex digits.
        expected: String,
    },
    /// About another NV index, or one that was made anew with other attributes.
    #[error("the statement is about an NV index of the name {found}, not {expected}")]
    Index {
        /// The Name in it, in hex digits.
        found: String,
        /// The Name of the anchor.
        expected: Name,
    },
    /// About a part of the index.
    #[error("the statement has {length} bytes of the NV index from byte {offset} on, not all {size}")]
    Part {
        /// Where it begins.
        offset: u16,
        /// How long it is.
        length: usize,
        /// How long the whole is.
        size: usize,
    },
    /// About other PCRs.
    #[error("the quote is not about the SHA-256 bank's PCRs whose values are given")]
    Selection,
    /// The PCRs had other values.
    #[error("the quoted PCRs have the digest {found}, the values given have {expected}")]
    PcrDigest {
        /// What was quoted, in hex digits.
        found: String,
        /// The digest of the values given, in hex digits.
        expected: String,
    },
}

impl Advice for StatementError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Key
            | Self::Signature
            | Self::NotGenerated
            | Self::Structure
            | Self::Trailing
            | Self::Type { .. }
            | Self::Qualifying { .. }
            | Self::Index { .. }
            | Self::Part { .. }
            | Self::Selection
            | Self::PcrDigest { .. } => None,
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}
