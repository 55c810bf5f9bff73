//! A statement that a TPM signs: it was asked now, by somebody who chose the nonce.

use key_metadata::{Advice, Tcti, TpmHandle};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use tss_esapi::handles::KeyHandle;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{AttestInfo, Data, PcrSelectionList, Signature, SignatureScheme};
use tss_esapi::traits::{Marshall, UnMarshall};

use crate::attestation::AttestationKey;
use crate::blob::left_padded;
use crate::command::CommandError;
use crate::public_key::EkPublicKey;
use crate::response::ResponseCode;
use crate::tpm::Tpm;

/// The longest nonce that every TPM takes, in bytes: TPM2B_DATA holds a digest (TPM 2.0 part 2, 10.4.3).
const LONGEST: usize = 32;

/// A quote without PCRs: TPMS_ATTEST and the signature on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// TPMS_ATTEST, as it was signed (TPM 2.0 part 2, 10.12).
    pub attested: Vec<u8>,
    /// ECDSA with SHA-256: r and s, 32 bytes each.
    pub signature: Vec<u8>,
}

/// Why a TPM gave no quote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttestError {
    /// Nothing at the handle.
    #[error("the TPM at {tcti} has no attestation key at {handle}")]
    Absent {
        /// The TPM.
        tcti: Tcti,
        /// The handle.
        handle: TpmHandle,
    },
    /// A nonce that not every TPM takes.
    #[error("a quote's nonce has 1 to {LONGEST} bytes, not {length}")]
    Nonce {
        /// Its length, in bytes.
        length: usize,
    },
    /// The TPM answered with something else.
    #[error("the TPM at {tcti} gave no quote signed with P-256")]
    Wrong {
        /// The TPM.
        tcti: Tcti,
    },
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Advice for AttestError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Absent { .. } => {
                Some("make an attestation key first: keyrite-tpm-init provision".to_owned())
            }
            Self::Nonce { .. } | Self::Wrong { .. } => None,
            Self::Command(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Absent { .. } | Self::Nonce { .. } | Self::Wrong { .. } => false,
            Self::Command(error) => error.is_credential(),
        }
    }
}

/// Why a quote proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuoteError {
    /// No quote of a TPM: TPM_GENERATED_VALUE, the type or the rest of the structure is missing.
    #[error("this is no quote of a TPM")]
    Structure,
    /// A quote for somebody else, or an old one.
    #[error("this quote is for another nonce")]
    Nonce,
    /// Signed by another key, or changed.
    #[error("this quote was not signed with the attestation key {key:?}, or was changed")]
    Signature {
        /// The key.
        key: AttestationKey,
    },
}

impl Advice for QuoteError {
    fn hint(&self) -> Option<String> {
        None
    }

    fn is_credential(&self) -> bool {
        false
    }
}

impl Quote {
    /// Checks that the key signed it for that nonce.
    pub fn verify(&self, key: &AttestationKey, nonce: &[u8]) -> Result<(), QuoteError> {
        let refused = || QuoteError::Signature { key: key.clone() };
        let Ok(EkPublicKey::P256(point)) = EkPublicKey::from_spki(key.spki()) else {
            return Err(refused());
        };
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(&self.attested, &self.signature)
            .map_err(|_| refused())?;
        // What is signed is read only now. The library checks the magic number, and ignores what follows the structure.
        let attest = tss_esapi::structures::Attest::unmarshall(&self.attested)
            .ok()
            .filter(|attest| attest.marshall().is_ok_and(|again| again == self.attested))
            .ok_or(QuoteError::Structure)?;
        match attest.attested() {
            AttestInfo::Quote { .. } if attest.extra_data().as_slice() == nonce => Ok(()),
            AttestInfo::Quote { .. } => Err(QuoteError::Nonce),
            AttestInfo::Certify { .. }
            | AttestInfo::SessionAudit { .. }
            | AttestInfo::CommandAudit { .. }
            | AttestInfo::Time { .. }
            | AttestInfo::Creation { .. }
            | AttestInfo::Nv { .. } => Err(QuoteError::Structure),
        }
    }
}

impl Tpm {
    /// A quote of the attestation key at a handle, whose auth value is empty, over no PCRs (TPM2_Quote).
    pub fn attest(&self, handle: TpmHandle, nonce: &[u8]) -> Result<Quote, AttestError> {
        let length = nonce.len();
        if !(1..=LONGEST).contains(&length) {
            return Err(AttestError::Nonce { length });
        }
        let mut engine = self.engine();
        let tcti = engine.tcti.clone();
        if !engine.is_there(handle.number())? {
            return Err(AttestError::Absent { tcti, handle });
        }
        let mut key = engine.open(handle.number())?;
        let open = KeyHandle::from(key.handle());
        let (attest, signature) = key.run("TPM2_Quote", Some(AuthSession::Password), |context| {
            let (nonce, pcrs) = (Data::try_from(nonce)?, PcrSelectionList::default());
            context.quote(open, nonce, SignatureScheme::Null, pcrs)
        })?;
        let attested = attest
            .marshall()
            .map_err(|error| CommandError::new(&tcti, "TPM2_Quote", ResponseCode::of(error)))?;
        match signature {
            Signature::EcDsa(point) => Ok(Quote {
                attested,
                signature: [
                    left_padded(point.signature_r(), 32),
                    left_padded(point.signature_s(), 32),
                ]
                .concat(),
            }),
            _ => Err(AttestError::Wrong { tcti }),
        }
    }
}
