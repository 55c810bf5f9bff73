//! What is in a site's tokens, beside what the records say.

use std::path::PathBuf;

use key_metadata::{CkaId, KeyId, KeyRecord, KeyReference, PublicKey, TokenName};
use pkcs11::{Family, FoundKey, Likeness};
use tpm::RecoveryParent;

use crate::blobs::{self, BlobFile};
use crate::signing_key::SigningKey;
use crate::site_tokens::{OpenToken, SiteTokenError, SiteTokens, token_error};

/// The keys of one token.
pub struct TokenKeys {
    /// Each key, ours or not.
    pub keys: Vec<TokenKey>,
    /// Files of native keys that are not read, so that nobody knows which TPM they belong to.
    pub unreadable: Vec<SiteTokenError>,
    /// Files of native keys that another TPM made.
    pub of_other_tpms: Vec<PathBuf>,
}

/// A key in a token.
pub struct TokenKey {
    /// Where it is.
    pub place: KeyPlace,
    /// Its CKA_LABEL; a native key has none.
    pub label: Option<String>,
    /// What it is.
    pub family: Family,
    /// Whether the private half is there.
    pub has_private: bool,
    /// Whether the public half is there.
    pub has_public: bool,
    /// Whether its token keeps the private half from being read (CKA_SENSITIVE), where the token tells.
    pub sensitive: Option<bool>,
    /// Whether the private half can leave the token under wrapping (CKA_EXTRACTABLE), or the TPM to its recovery parent, where the token
    /// tells.
    pub extractable: Option<bool>,
    source: Source,
}

/// Where in its token a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPlace {
    /// Behind PKCS#11.
    Pkcs11 {
        /// Its CKA_ID; `None` where it has none that can be followed.
        id: Option<CkaId>,
    },
    /// In a file that only its TPM can use.
    Tpm {
        /// The file.
        path: PathBuf,
        /// The key that the file's name says.
        id: Option<KeyId>,
    },
}

enum Source {
    Pkcs11(FoundKey),
    Tpm(BlobFile),
}

impl TokenKey {
    fn found(key: FoundKey) -> Self {
        Self {
            place: KeyPlace::Pkcs11 { id: key.id.clone() },
            label: Some(key.label.clone()),
            family: key.family,
            has_private: key.has_private,
            has_public: key.has_public,
            sensitive: key.sensitive,
            extractable: key.extractable,
            source: Source::Pkcs11(key),
        }
    }

    /// A key of a TPM whose keys leave to that recovery parent.
    fn native(file: BlobFile, recovery_parent: Option<&RecoveryParent>) -> Self {
        Self {
            place: KeyPlace::Tpm {
                path: file.path.clone(),
                id: file.id(),
            },
            label: None,
            family: file
                .public_key()
                .map_or(Family::Other, |key| Family::of_key(&key)),
            has_private: true,
            has_public: true,
            sensitive: Some(true),
            extractable: Some(recovery_parent.is_some_and(|parent| file.blob.leaves_to(parent))),
            source: Source::Tpm(file),
        }
    }

    /// Whether this is that key, by its public values. Where the token does not tell, [`SiteTokens::signing_key_in`] finds it by a
    /// signature.
    pub fn is_of(&self, public_key: &PublicKey) -> Likeness {
        match &self.source {
            Source::Pkcs11(key) => key.is_of(public_key),
            Source::Tpm(file) => match file.is_of(public_key) {
                true => Likeness::Same,
                false => Likeness::Other,
            },
        }
    }
}

impl BlobFile {
    fn is_of(&self, public_key: &PublicKey) -> bool {
        let algorithm = public_key.algorithm().made();
        algorithm.is_some_and(|algorithm| {
            self.blob
                .public_key(algorithm)
                .is_ok_and(|own| own == *public_key)
        })
    }
}

impl SiteTokens<'_> {
    /// Every key in an open token. Of a TPM: the files in `keys/tpm` that belong to it, by the Name of their parent.
    pub fn keys_in(&self, name: &TokenName) -> Result<TokenKeys, SiteTokenError> {
        let mut found = TokenKeys {
            keys: Vec::new(),
            unreadable: Vec::new(),
            of_other_tpms: Vec::new(),
        };
        match self.opened(name)? {
            OpenToken::Pkcs11 { token, .. } => {
                let keys = token.keys().map_err(token_error)?;
                found.keys.extend(keys.into_iter().map(TokenKey::found));
            }
            OpenToken::Tpm { tpm, .. } => {
                let parent = tpm.srk_name().map_err(token_error)?;
                let recovery_parent = RecoveryParent::of_site(self.site, name).map_err(token_error)?;
                for file in blobs::all(self.site)? {
                    match file {
                        Ok(file) if *file.blob.parent() == parent => {
                            found.keys.push(TokenKey::native(file, recovery_parent.as_ref()));
                        }
                        Ok(file) => found.of_other_tpms.push(file.path),
                        Err(error) => found.unreadable.push(error),
                    }
                }
            }
        }
        Ok(found)
    }

    /// The private part of a key in an open token, which may be another than its reference says, and where it may have another id: it is
    /// found by its public key. `None` where it is not there.
    ///
    /// In a PKCS#11 token a key without CKA_ID is not found. A file of `keys/tpm` that cannot be read is told if its name says that it is
    /// this key, and is otherwise left to [`Self::keys_in`].
    pub fn signing_key_in(
        &self,
        name: &TokenName,
        key: &KeyRecord,
    ) -> Result<Option<SigningKey>, SiteTokenError> {
        match self.opened(name)? {
            OpenToken::Pkcs11 { token, .. } => {
                // Where it should be, it mostly is; only otherwise the whole token is looked through.
                if let Ok(found) = token.key(key.cka_id())
                    && found.is_of(&key.public_key) == Likeness::Same
                {
                    return Ok(Some(SigningKey::Pkcs11(found)));
                }
                let found = token.key_of(&key.public_key).map_err(token_error)?;
                Ok(found.map(SigningKey::Pkcs11))
            }
            OpenToken::Tpm { tpm, auth } => {
                let parent = tpm.srk_name().map_err(token_error)?;
                let is_it = |file: &BlobFile| *file.blob.parent() == parent && file.is_of(&key.public_key);
                // Where it should be, it mostly is; only otherwise all files are read.
                let found = match blobs::of(self.site, key.id) {
                    Ok(Some(file)) if is_it(&file) => Some(file),
                    Ok(_) | Err(_) => blobs::all(self.site)?.flatten().find(is_it),
                };
                let Some(file) = found else {
                    return blobs::of(self.site, key.id).map(|_| None);
                };
                let loaded = tpm.load(&file.blob, Some(auth)).map_err(token_error)?;
                Ok(Some(SigningKey::Tpm(loaded)))
            }
        }
    }

    /// The ids, sorted, of the private keys of an open token that have that CKA_LABEL, by which BIND names keys. A TPM's native keys have
    /// none.
    pub fn find_labelled(&self, name: &TokenName, label: &str) -> Result<Vec<CkaId>, SiteTokenError> {
        match self.opened(name)? {
            OpenToken::Pkcs11 { token, .. } => token.find_labelled(label).map_err(token_error),
            OpenToken::Tpm { .. } => Ok(Vec::new()),
        }
    }

    /// The reference to a key of that CKA_ID in an open PKCS#11 token; `None` in a TPM, whose keys have none.
    pub fn reference(
        &self,
        name: &TokenName,
        id: impl Into<CkaId>,
    ) -> Result<Option<KeyReference>, SiteTokenError> {
        Ok(match self.opened(name)? {
            OpenToken::Pkcs11 { uri, .. } => Some(KeyReference::Pkcs11(uri.of_key(id))),
            OpenToken::Tpm { .. } => None,
        })
    }
}
