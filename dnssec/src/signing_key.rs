//! A private key in its token, behind `domain`'s signing seam.

use std::fmt;

use domain::base::iana::SecurityAlgorithm;
use domain::crypto::common::PublicKey as Verifier;
use domain::rdata::Dnskey;
use key_metadata::{Advice, Algorithm, KeyAlgorithm, KeyRecord, KeyState, PublicKey};

use crate::file_key::{FileKey, FileSignError};
use crate::queue::QueuedKey;

/// A private key that signs where it is.
pub enum SigningKey {
    /// In a PKCS#11 token.
    Pkcs11(pkcs11::Key),
    /// In a TPM 2.0, loaded.
    Tpm(tpm::LoadedKey),
    /// In memory, read from a file: a laboratory's.
    File(FileKey),
}

/// Why a token did not sign.
#[derive(Debug, thiserror::Error)]
pub enum KeySignError {
    /// A PKCS#11 token.
    #[error(transparent)]
    Pkcs11(#[from] pkcs11::SignError),
    /// A TPM.
    #[error(transparent)]
    Tpm(#[from] tpm::SignError),
    /// A key in a file.
    #[error(transparent)]
    File(#[from] FileSignError),
}

impl Advice for KeySignError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Pkcs11(error) => error.hint(),
            Self::Tpm(error) => error.hint(),
            Self::File(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Pkcs11(error) => error.is_credential(),
            Self::Tpm(error) => error.is_credential(),
            Self::File(error) => error.is_credential(),
        }
    }

    fn is_absence(&self) -> bool {
        match self {
            Self::Pkcs11(error) => error.is_absence(),
            Self::Tpm(error) => error.is_absence(),
            Self::File(error) => error.is_absence(),
        }
    }
}

/// Why a key did not prove itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrialError {
    /// The token did not sign.
    #[error("the trial signature was not made")]
    Sign(#[source] KeySignError),
    /// The key is of an algorithm that is only read.
    #[error("Keyrite does not sign with {0}")]
    Legacy(KeyAlgorithm),
    /// The token signed something else, or with another key.
    #[error("the trial signature does not verify with the public key that the token gave")]
    Verify,
}

impl Advice for TrialError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Sign(source) => source.hint(),
            Self::Legacy(_) => None,
            Self::Verify => {
                Some("do not use this token: it does not sign with the key that it shows".to_owned())
            }
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Sign(source) => source.is_credential(),
            Self::Legacy(_) | Self::Verify => false,
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pkcs11(_) => "SigningKey::Pkcs11",
            Self::Tpm(_) => "SigningKey::Tpm",
            Self::File(_) => "SigningKey::File",
        })
    }
}

impl SigningKey {
    /// The signature of `data` as an RRSIG carries it (RFC 3110, 6605, 8080).
    pub fn sign(&self, algorithm: Algorithm, data: &[u8]) -> Result<Vec<u8>, KeySignError> {
        Ok(match self {
            Self::Pkcs11(key) => key.sign(algorithm, data)?,
            Self::Tpm(key) => key.sign(algorithm, data)?,
            Self::File(key) => key.sign(algorithm, data)?,
        })
    }

    /// Signs `nonce` and verifies the signature in software, so that no key is recorded that cannot sign.
    pub fn prove(&self, public_key: &PublicKey, nonce: &[u8]) -> Result<(), TrialError> {
        let algorithm = public_key
            .algorithm()
            .made()
            .ok_or_else(|| TrialError::Legacy(public_key.algorithm()))?;
        let signature = self.sign(algorithm, nonce).map_err(TrialError::Sign)?;
        let dnskey = dnskey(public_key, 257).ok_or(TrialError::Verify)?;
        let verifier = Verifier::from_dnskey(&dnskey).map_err(|_| TrialError::Verify)?;
        verifier.verify(nonce, &signature).map_err(|_| TrialError::Verify)
    }
}

/// A key of a zone, and its private part where it is to sign.
#[derive(Debug)]
pub struct ZoneKey {
    /// What is known of it.
    pub record: KeyRecord,
    /// Its private part; a key that is only published needs none.
    pub signing: Option<QueuedKey>,
}

impl ZoneKey {
    /// The flags of its DNSKEY: with the REVOKE bit once it is revoked (RFC 5011).
    pub fn flags(&self) -> u16 {
        flags(&self.record)
    }
}

pub(crate) fn flags(record: &KeyRecord) -> u16 {
    match record.state {
        KeyState::Revoked => record.role.flags() | 0x0080,
        KeyState::Generated
        | KeyState::PreActive
        | KeyState::Published
        | KeyState::Ready
        | KeyState::Active
        | KeyState::RetireActive
        | KeyState::Retired
        | KeyState::PostActive
        | KeyState::Dead
        | KeyState::Removed
        | KeyState::Destroyed => record.role.flags(),
    }
}

/// The DNSKEY RDATA of a public key; `None` only for one longer than a record, which none of ours is.
pub(crate) fn dnskey(key: &PublicKey, flags: u16) -> Option<Dnskey<Vec<u8>>> {
    Dnskey::new(
        flags,
        3,
        SecurityAlgorithm::from_int(key.algorithm().number()),
        key.as_dnskey().to_vec(),
    )
    .ok()
}

/// The same of a key as it stands, on the wire.
pub(crate) fn dnskey_rdata(record: &KeyRecord) -> Vec<u8> {
    let [high, low] = flags(record).to_be_bytes();
    let head = [high, low, 3, record.algorithm().number()];
    [&head[..], record.public_key.as_dnskey()].concat()
}
