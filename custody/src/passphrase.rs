//! A file that a passphrase opens, as `age -p` writes it: scrypt, no other recipient.

use age::{Decryptor, Encryptor, scrypt};
use key_metadata::Advice;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::armour::{is_age, without_armour};
use crate::decrypt::read_all;
use crate::encrypt::encrypt;

/// The binary logarithm of the work that scrypt does, from 1 to 20: 2^(10 + factor) bytes of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkFactor(u8);

/// A work factor out of range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a work factor is from 1 to {}, not {factor}", WorkFactor::MOST.0)]
pub struct WorkFactorError {
    factor: u8,
}

impl WorkFactor {
    /// What the program age takes (age 1.1.1, `-p`): a second or so, 256 MiB.
    pub const AGE: Self = Self(18);
    /// The most that is opened, 1 GiB; our choice. age itself takes 22.
    pub const MOST: Self = Self(20);
}

impl TryFrom<u8> for WorkFactor {
    type Error = WorkFactorError;

    fn try_from(factor: u8) -> Result<Self, WorkFactorError> {
        if (1..=Self::MOST.0).contains(&factor) {
            Ok(Self(factor))
        } else {
            Err(WorkFactorError { factor })
        }
    }
}

/// Why a file was not sealed.
#[derive(Debug, thiserror::Error)]
#[error("the file could not be sealed")]
pub struct SealError(#[source] age::EncryptError);

impl Advice for SealError {
    fn hint(&self) -> Option<String> {
        None
    }

    fn is_credential(&self) -> bool {
        false
    }
}

/// Why a sealed file does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Not age's.
    #[error("it is no age file")]
    NotAge,
    /// For people, not for a passphrase.
    #[error("it is encrypted to recipients; no passphrase opens it")]
    NoPassphrase,
    /// Either cannot be told from a file whose key was changed.
    #[error("the passphrase is wrong, or the file's header is damaged")]
    WrongPassphrase,
    /// It would take too long, and too much memory.
    #[error("its work factor is {factor}, and no more than {} is taken", WorkFactor::MOST.0)]
    Work {
        /// The file's.
        factor: u8,
    },
    /// A bit that is another one, or an end that is missing.
    #[error("the age file is damaged")]
    Damaged,
}

impl Advice for OpenError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Damaged => Some("take another copy of it".to_owned()),
            Self::NotAge | Self::NoPassphrase | Self::WrongPassphrase | Self::Work { .. } => None,
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::WrongPassphrase => true,
            Self::NotAge | Self::NoPassphrase | Self::Work { .. } | Self::Damaged => false,
        }
    }
}

/// Seals bytes with a passphrase. The file has no armour.
pub fn seal_with_passphrase(
    passphrase: &SecretString,
    work: WorkFactor,
    plaintext: &[u8],
) -> Result<Vec<u8>, SealError> {
    let mut recipient = scrypt::Recipient::new(copy(passphrase));
    recipient.set_work_factor(work.0);
    let recipients = std::iter::once(&recipient as &dyn age::Recipient);
    let encryptor = Encryptor::with_recipients(recipients).map_err(SealError)?;
    encrypt(encryptor, plaintext).map_err(|error| SealError(error.into()))
}

/// Opens a file, armoured or not, that a passphrase opens.
pub fn open_with_passphrase(passphrase: &SecretString, file: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    if !is_age(file) {
        return Err(OpenError::NotAge);
    }
    let binary = without_armour(file).ok_or(OpenError::Damaged)?;
    let decryptor = Decryptor::new_buffered(&*binary).map_err(of_age)?;
    if !decryptor.is_scrypt() {
        return Err(OpenError::NoPassphrase);
    }
    let mut identity = scrypt::Identity::new(copy(passphrase));
    identity.set_max_work_factor(WorkFactor::MOST.0);
    let identities = std::iter::once(&identity as &dyn age::Identity);
    let plain = decryptor.decrypt(identities).map_err(of_age)?;
    read_all(plain, file.len()).map_err(|_| OpenError::Damaged)
}

/// The crate takes its own; both are wiped.
fn copy(passphrase: &SecretString) -> SecretString {
    passphrase.expose_secret().into()
}

fn of_age(error: age::DecryptError) -> OpenError {
    match error {
        age::DecryptError::UnknownFormat => OpenError::NotAge,
        age::DecryptError::ExcessiveWork { required, .. } => OpenError::Work { factor: required },
        age::DecryptError::DecryptionFailed | age::DecryptError::KeyDecryptionFailed => {
            OpenError::WrongPassphrase
        }
        // A header whose MAC is wrong, an end that is missing, and what the crate adds.
        _ => OpenError::Damaged,
    }
}
