//! Opening what was encrypted to somebody.

use std::io::{self, Read};

use age::Decryptor;
use key_metadata::Advice;
use zeroize::Zeroizing;

use crate::armour::{is_age, without_armour};
use crate::encrypt::out_of_age;
use crate::identity::{Identity, Kind};
use crate::plugin::{PluginError, Plugins};

/// Why a file does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecryptError {
    /// Not age's.
    #[error("it is no age file")]
    NotAge,
    /// A bit that is another one, or an end that is missing.
    #[error("the age file is damaged")]
    Damaged,
    /// Not for these identities.
    #[error("it is encrypted to none of these identities")]
    NoMatch,
    /// A passphrase opens it.
    #[error("it opens with a passphrase, not with an identity")]
    Passphrase,
    /// A plugin did not do its work.
    #[error("a plugin did not decrypt")]
    Plugin(#[source] PluginError),
}

impl Advice for DecryptError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Damaged => {
                Some("take another copy of it, and see that it was copied as it is, line ends too".to_owned())
            }
            Self::NoMatch => {
                Some("give the identity file of the custodian that it was encrypted to".to_owned())
            }
            Self::Plugin(source) => source.hint(),
            Self::NotAge | Self::Passphrase => None,
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::NoMatch => true,
            Self::Plugin(source) => source.is_credential(),
            Self::NotAge | Self::Damaged | Self::Passphrase => false,
        }
    }
}

/// Opens a file, armoured or not, with the first of the identities that it is encrypted to.
pub fn decrypt_with(
    identities: &[Identity],
    file: &[u8],
    plugins: &Plugins,
) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
    if !is_age(file) {
        return Err(DecryptError::NotAge);
    }
    let binary = without_armour(file).ok_or(DecryptError::Damaged)?;
    let decryptor = Decryptor::new_buffered(&*binary).map_err(of_age)?;
    if decryptor.is_scrypt() {
        return Err(DecryptError::Passphrase);
    }
    let identities = identities
        .iter()
        .map(|Identity(kind)| -> Box<dyn age::Identity + '_> {
            match kind {
                Kind::X25519(key) => Box::new(Borrowed(key)),
                Kind::Ssh(key) => Box::new(Borrowed(key)),
                Kind::Plugin(key) => Box::new(key.with(plugins)),
            }
        });
    let identities: Vec<_> = identities.collect();
    let borrowed = identities.iter().map(|it| &**it as &dyn age::Identity);
    let plain = decryptor.decrypt(borrowed).map_err(of_age)?;
    read_all(plain, file.len()).map_err(|_| DecryptError::Damaged)
}

/// All of it, or none: `most` bytes at most, so that no vector grows and leaves a copy behind.
pub(crate) fn read_all(mut plain: impl Read, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut secret = Zeroizing::new(Vec::with_capacity(most + 64));
    plain.read_to_end(&mut secret)?;
    Ok(secret)
}

/// The crate implements its trait for identities, not for references to them.
struct Borrowed<'i, I>(&'i I);

impl<I: age::Identity> age::Identity for Borrowed<'_, I> {
    fn unwrap_stanza(
        &self,
        stanza: &age_core::format::Stanza,
    ) -> Option<Result<age_core::format::FileKey, age::DecryptError>> {
        self.0.unwrap_stanza(stanza)
    }

    fn unwrap_stanzas(
        &self,
        stanzas: &[age_core::format::Stanza],
    ) -> Option<Result<age_core::format::FileKey, age::DecryptError>> {
        self.0.unwrap_stanzas(stanzas)
    }
}

fn of_age(error: age::DecryptError) -> DecryptError {
    match error {
        age::DecryptError::NoMatchingKeys => DecryptError::NoMatch,
        age::DecryptError::UnknownFormat => DecryptError::NotAge,
        age::DecryptError::Io(error) => match out_of_age(error) {
            Ok(error) => DecryptError::Plugin(error),
            Err(_) => DecryptError::Damaged,
        },
        // A key that does not fit its tag, a header whose MAC is wrong, and what the crate adds.
        _ => DecryptError::Damaged,
    }
}
