//! A statement that a TPM signed, in the forms that other tools take.

use key_metadata::{Advice, ecdsa_from_der, ecdsa_to_der};
use tss_esapi::structures::Signature;

use crate::blob::left_padded;

/// TPM_ALG_ECDSA and TPM_ALG_SHA256, as TPMT_SIGNATURE begins (TPM 2.0 part 2, 11.3.4).
const ECDSA_SHA256: [u8; 4] = [0x00, 0x18, 0x00, 0x0b];

/// What a TPM says, and its attestation key's signature on that: ECDSA on P-256 with SHA-256. Nothing here is checked before one of the `verify`
/// functions was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    attested: Vec<u8>,
    signature: [u8; 64],
}

/// Bytes that are no signature of an attestation key of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no ECDSA signature on P-256 with SHA-256, as {form}")]
pub struct StatementFormError {
    /// The form that it should have.
    pub form: &'static str,
}

impl Advice for StatementFormError {
    fn hint(&self) -> Option<String> {
        None
    }

    fn is_credential(&self) -> bool {
        false
    }
}

impl Statement {
    /// From TPMS_ATTEST and the signature as DER (ECDSA-Sig-Value).
    pub fn from_der(attested: Vec<u8>, signature: &[u8]) -> Result<Self, StatementFormError> {
        let signature = ecdsa_from_der(signature).ok_or(StatementFormError { form: "DER" })?;
        Ok(Self { attested, signature })
    }

    /// From TPMS_ATTEST and the signature as a marshalled TPMT_SIGNATURE.
    pub fn from_tpmt(attested: Vec<u8>, signature: &[u8]) -> Result<Self, StatementFormError> {
        let signature = read_tpmt(signature).ok_or(StatementFormError {
            form: "TPMT_SIGNATURE",
        })?;
        Ok(Self { attested, signature })
    }

    /// From what the library gave; `None` where another key signed.
    pub(crate) fn new(attested: Vec<u8>, signature: &Signature) -> Option<Self> {
        let Signature::EcDsa(halves) = signature else {
            return None;
        };
        let fixed = [
            left_padded(halves.signature_r(), 32),
            left_padded(halves.signature_s(), 32),
        ]
        .concat();
        let signature = fixed.try_into().ok()?;
        Some(Self { attested, signature })
    }

    /// The marshalled TPMS_ATTEST, as it was signed (TPM 2.0 part 2, 10.12): the data of `openssl dgst -sha256 -verify`, and `-m` of
    /// `tpm2_checkquote`.
    pub fn attested(&self) -> &[u8] {
        &self.attested
    }

    /// r and s, 32 bytes each.
    pub const fn signature(&self) -> &[u8; 64] {
        &self.signature
    }

    /// The signature for `openssl dgst -sha256 -verify AK -signature`.
    pub fn signature_der(&self) -> Vec<u8> {
        // 64 bytes always have such a form.
        ecdsa_to_der(&self.signature).map_or_else(Vec::new, |der| der)
    }

    /// The signature for `tpm2_checkquote -s`: a marshalled TPMT_SIGNATURE.
    pub fn signature_tpmt(&self) -> Vec<u8> {
        let (r, s) = self.signature.split_at(32);
        [&ECDSA_SHA256[..], &[0, 32], r, &[0, 32], s].concat()
    }
}

fn read_tpmt(bytes: &[u8]) -> Option<[u8; 64]> {
    let mut rest = bytes.strip_prefix(&ECDSA_SHA256)?;
    let mut fixed = [0; 64];
    for half in fixed.chunks_mut(32) {
        let (length, behind) = rest.split_first_chunk()?;
        let (integer, behind) = behind.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        // A TPM may leave out leading zeros.
        let start = half.len().checked_sub(integer.len())?;
        half.get_mut(start..)?.copy_from_slice(integer);
        rest = behind;
    }
    rest.is_empty().then_some(fixed)
}
