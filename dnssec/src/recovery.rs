//! Keys that no record knows yet: what a program that was killed has left of them.

use std::fs;

use key_metadata::store::clear_unfinished;
use key_metadata::{Algorithm, CkaId, KeyId, KeyRecord, KeyReference, PublicKey, TokenName};
use pkcs11::Presence;

use crate::blobs::{self, BlobFile};
use crate::site_tokens::{OpenToken, SiteTokenError, SiteTokens, stem_of, token_error};

impl SiteTokens<'_> {
    /// What of a key that Keyrite made is in an open token. Of a TPM: whether its file is there and belongs to it; a file that is not read is an
    /// error, since a kill leaves none.
    pub fn find(&self, name: &TokenName, id: KeyId) -> Result<Presence, SiteTokenError> {
        match self.opened(name)? {
            OpenToken::Pkcs11 { token, .. } => token.presence(id).map_err(token_error),
            OpenToken::Tpm { tpm, .. } => Ok(match self.blob(tpm, id)? {
                Some(_) => Presence::Whole,
                None => Presence::Absent,
            }),
            OpenToken::File(token) => Ok(match token.find(id).map_err(token_error)? {
                Some(stem) => token.presence(&stem),
                None => Presence::Absent,
            }),
        }
    }

    /// Destroys what is there of a key that Keyrite made, and tells what it was. It can be killed and run again.
    pub fn destroy_by(&self, name: &TokenName, id: KeyId) -> Result<Presence, SiteTokenError> {
        let found = self.find(name, id)?;
        match (self.opened(name)?, found) {
            (_, Presence::Absent) => {}
            (OpenToken::Pkcs11 { token, .. }, _) => token.destroy(id).map_err(token_error)?,
            (OpenToken::Tpm { .. }, _) => {
                let path = self.site.tpm_key_path(id);
                fs::remove_file(&path).map_err(|source| SiteTokenError::Blob { id, path, source })?;
            }
            (OpenToken::File(token), _) => {
                let stem = token.found(id).map_err(token_error)?;
                token.destroy(self.site, &stem).map_err(token_error)?;
            }
        }
        Ok(found)
    }

    /// Removes what the making of a key that was interrupted may have left beside what its id leads to, and tells whether there was anything: of a
    /// PKCS#11 token key objects that are without name and value, of whatever run; of a TPM files of that key that never got their name, and of files those of any key.
    pub fn remove_unfinished(&self, name: &TokenName, id: KeyId) -> Result<bool, SiteTokenError> {
        match self.opened(name)? {
            OpenToken::Pkcs11 { token, .. } => Ok(token.remove_unfinished().map_err(token_error)? > 0),
            OpenToken::Tpm { .. } => Ok(clear_unfinished(&self.site.tpm_key_path(id))?),
            OpenToken::File(token) => token.remove_unfinished(self.site).map_err(token_error),
        }
    }

    /// Whether a key that does not sign was never finished by its token; a TPM and a folder have no such keys.
    pub fn is_unfinished(&self, name: &TokenName, id: KeyId) -> Result<bool, SiteTokenError> {
        match self.opened(name)? {
            OpenToken::Pkcs11 { token, .. } => token.is_unfinished(id).map_err(token_error),
            OpenToken::Tpm { .. } | OpenToken::File(_) => Ok(false),
        }
    }

    /// What of a recorded key is in its open token.
    pub fn presence_of(&self, key: &KeyRecord) -> Result<Presence, SiteTokenError> {
        let name = self.token_of(key)?;
        match self.opened(name)? {
            OpenToken::Pkcs11 { token, .. } => token.presence(key.cka_id()).map_err(token_error),
            OpenToken::Tpm { .. } => self.find(name, key.id),
            OpenToken::File(token) => Ok(token.presence(stem_of(name, key)?)),
        }
    }

    /// The public half of a key that Keyrite made, for that algorithm, as its token tells it, and the reference to it.
    pub fn made(
        &self,
        name: &TokenName,
        id: KeyId,
        algorithm: Algorithm,
    ) -> Result<(PublicKey, KeyReference), SiteTokenError> {
        let reference = match self.opened(name)? {
            OpenToken::Pkcs11 { uri, .. } => KeyReference::Pkcs11(uri.of_key(id)),
            OpenToken::Tpm { .. } => KeyReference::Tpm(name.clone()),
            OpenToken::File(token) => token.reference(token.found(id).map_err(token_error)?),
        };
        Ok((self.public_key_of(name, &id.into(), algorithm)?, reference))
    }

    /// The public half of a key, for that algorithm, as its token tells it. A native key has the id that its file is named by.
    pub fn public_key_of(
        &self,
        name: &TokenName,
        id: &CkaId,
        algorithm: Algorithm,
    ) -> Result<PublicKey, SiteTokenError> {
        match self.opened(name)? {
            OpenToken::Pkcs11 { token, .. } => {
                let key = token.key(id).map_err(token_error)?;
                key.public_key(algorithm).map_err(token_error)
            }
            OpenToken::Tpm { tpm, .. } => {
                let absent = || SiteTokenError::NoBlob {
                    token: name.clone(),
                    id: id.clone(),
                };
                let file = self.blob(tpm, id.as_key_id().ok_or_else(absent)?)?;
                let file = file.ok_or_else(absent)?;
                file.blob.public_key(algorithm).map_err(token_error)
            }
            OpenToken::File(token) => {
                let absent = || SiteTokenError::NoBlob {
                    token: name.clone(),
                    id: id.clone(),
                };
                let stem = token
                    .found(id.as_key_id().ok_or_else(absent)?)
                    .map_err(token_error)?;
                token.public_key(&stem).map_err(token_error)
            }
        }
    }

    /// The file of a key, if it is there and belongs to that TPM.
    fn blob(&self, tpm: &tpm::Tpm, id: KeyId) -> Result<Option<BlobFile>, SiteTokenError> {
        let parent = tpm.srk_name().map_err(token_error)?;
        let file = blobs::of(self.site, id)?;
        Ok(file.filter(|file| *file.blob.parent() == parent))
    }
}
