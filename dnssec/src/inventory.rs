//! What is in a site's tokens, beside what the records say.

use std::path::PathBuf;

use interchange::PrivatePart;
use key_metadata::{CkaId, KeyFileStem, KeyId, KeyRecord, KeyReference, PublicKey, TokenName};
use pkcs11::{Family, FoundKey, Likeness, Presence};
use tpm::RecoveryParent;

use crate::blobs::{self, BlobFile};
use crate::file_token::KeyPair;
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
    /// In a file, in the clear.
    File {
        /// The file.
        path: PathBuf,
        /// What the names of its files have in common.
        stem: KeyFileStem,
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
    File(PublicKey),
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

    /// A key in files, which keep nothing from anybody who can read them.
    fn in_files(pair: KeyPair) -> Self {
        Self {
            label: Some(pair.stem.to_string()),
            place: KeyPlace::File {
                path: pair.path,
                stem: pair.stem,
            },
            family: Family::of_key(&pair.key.public_key),
            has_private: matches!(pair.key.private, PrivatePart::Software(_)),
            has_public: true,
            sensitive: Some(false),
            extractable: Some(false),
            source: Source::File(pair.key.public_key),
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
            Source::File(own) if own == public_key => Likeness::Same,
            Source::File(_) => Likeness::Other,
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
            OpenToken::File(token) => {
                for pair in token.all().map_err(token_error)? {
                    match pair {
                        Ok(pair) => found.keys.push(TokenKey::in_files(pair)),
                        Err(error) => found.unreadable.push(token_error(error)),
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
            OpenToken::File(token) => {
                let is_it = |pair: &KeyPair| pair.key.public_key == key.public_key;
                // Where it should be, it mostly is; only otherwise all files are read.
                let stem = match &key.reference {
                    KeyReference::File(_, stem) if token.presence(stem) == Presence::Whole => {
                        Some(stem.clone())
                    }
                    KeyReference::File(..) | KeyReference::Pkcs11(_) | KeyReference::Tpm(_) => {
                        let mut pairs = token.all().map_err(token_error)?.flatten();
                        pairs.find(is_it).map(|pair| pair.stem)
                    }
                };
                let load = |stem| token.load(&stem, &key.public_key, key.id).map_err(token_error);
                Ok(stem.map(load).transpose()?.map(SigningKey::File))
            }
        }
    }

    /// The ids, sorted, of the private keys of an open token that have that CKA_LABEL, by which BIND names keys. A TPM's native keys have
    /// none.
    pub fn find_labelled(&self, name: &TokenName, label: &str) -> Result<Vec<CkaId>, SiteTokenError> {
        match self.opened(name)? {
            OpenToken::Pkcs11 { token, .. } => token.find_labelled(label).map_err(token_error),
            OpenToken::Tpm { .. } => Ok(Vec::new()),
            OpenToken::File(_) => Err(by_files(name)),
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
            OpenToken::File(_) => return Err(by_files(name)),
        })
    }
}

/// That keys in files have neither label nor CKA_ID to be found by.
fn by_files(token: &TokenName) -> SiteTokenError {
    SiteTokenError::InFiles {
        token: token.clone(),
        cannot: "none is known by an id or a label",
        instead: "name the files: keyrite-keyctl import --zone ZONE --backup none bind FILE",
    }
}
