//! The tokens of a site, opened as they are needed, and the keys in them.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use key_metadata::store::{StoreError, replace};
use key_metadata::{
    Advice, CkaId, Extractability, KeyAlgorithm, KeyFileStem, KeyId, KeyRecord, KeyReference, KeySpec,
    PublicKey, SiteFolder, SoftwareKey, TokenAddress, TokenName, TokenUri, TpmHandle,
};
use secrecy::SecretString;
use tpm::RecoveryParent;

use crate::backup_proof::BackupProof;
use crate::blobs;
use crate::file_token::FileToken;
use crate::key_owner::KeyOwner;
use crate::queue::{QueuedKey, SigningQueue};
use crate::signing_key::SigningKey;

/// The tokens of a site. Each is opened once, and is closed when this is dropped.
pub struct SiteTokens<'a> {
    pub(crate) site: &'a SiteFolder,
    open: BTreeMap<TokenName, OpenToken>,
    /// By which they sign.
    queues: BTreeMap<TokenName, Arc<SigningQueue>>,
    /// The kinds of keys that a token has shown to have a backup.
    shown: Vec<(TokenName, BackupProof)>,
}

/// A token that has its user's PIN, where it has one.
pub(crate) enum OpenToken {
    Pkcs11 { token: pkcs11::Token, uri: TokenUri },
    Tpm { tpm: tpm::Tpm, auth: SecretString },
    File(FileToken),
}

/// Why a token or a key of a site cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SiteTokenError {
    /// `site.yaml` does not list it.
    #[error("the site has no token named '{0}'")]
    NoToken(TokenName),
    /// [`SiteTokens::open`] was not called for it.
    #[error("token '{0}' is not open")]
    NotOpen(TokenName),
    /// A key's reference leads to no token of the site.
    #[error("no token of the site holds {reference}, where key {id} is")]
    Elsewhere {
        /// The key.
        id: KeyId,
        /// Its reference.
        reference: Box<KeyReference>,
    },
    /// A native key cannot be backed up.
    #[error("a native key in TPM '{0}' leaves it only to a recovery parent, and this site has none")]
    NoRecoveryParent(TokenName),
    /// A native key that leaves to another recovery parent than the site's.
    #[error(
        "key {id} in TPM '{token}' leaves to another recovery parent than the one of tpm/{token}/recovery-parent.tpm, or to none"
    )]
    OtherRecoveryParent {
        /// The TPM.
        token: TokenName,
        /// The key.
        id: KeyId,
    },
    /// A copy of one kind for a token of the other.
    #[error("what left as {copy} does not go into token '{token}'")]
    OtherKind {
        /// The token.
        token: TokenName,
        /// What it is a copy of.
        copy: &'static str,
    },
    /// What is done with tokens and not with files.
    #[error("the keys of '{token}' are in files: {cannot}")]
    InFiles {
        /// The folder, by its name in `site.yaml`.
        token: TokenName,
        /// What cannot be done.
        cannot: &'static str,
        /// What to do instead.
        instead: &'static str,
    },
    /// A key of an algorithm that is only read.
    #[error("Keyrite does not sign with {0}")]
    Legacy(KeyAlgorithm),
    /// A native key's blob is not there.
    #[error("cannot read {}, which holds key {id}", path.display())]
    Blob {
        /// The key.
        id: KeyId,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The folder of the native keys, or a file in it.
    #[error("cannot read {}", path.display())]
    File {
        /// The folder or file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file is where the key's would be.
    #[error("{} is there already, so that key {id} cannot be put there", path.display())]
    BlobThere {
        /// The key.
        id: KeyId,
        /// The file.
        path: PathBuf,
    },
    /// No file of that TPM holds the key.
    #[error("TPM '{token}' has no key {id}")]
    NoBlob {
        /// The token.
        token: TokenName,
        /// The key.
        id: CkaId,
    },
    /// What is in a native key's file is no key.
    #[error("cannot use {}", path.display())]
    BlobContent {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: tpm::KeyBlobError,
    },
    /// The site's files.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The threads by which a token signs did not start.
    #[error("cannot start a thread to sign with")]
    Threads(#[source] io::Error),
    /// The token said no.
    #[error(transparent)]
    Token(TokenFailure),
}

/// What a token, of whatever kind, said no with.
#[derive(Debug)]
pub struct TokenFailure(Box<dyn Advice + Send + Sync>);

impl fmt::Display for TokenFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for TokenFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl Advice for SiteTokenError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Token(TokenFailure(error)) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Elsewhere { .. } => Some("list the token under 'tokens' in site.yaml".to_owned()),
            Self::NoRecoveryParent(token) => Some(format!(
                "make one first: keyrite-backup parent --token {token}; or choose --backup none: who loses the TPM then loses the key"
            )),
            Self::BlobContent { source, .. } => source.hint(),
            Self::NoBlob { .. } => Some("check that this is the TPM that the key was made in".to_owned()),
            Self::File { .. } => Some("check who may read it".to_owned()),
            Self::Blob { .. } => {
                Some("restore the file from the site's version control or a backup".to_owned())
            }
            Self::BlobThere { .. } => {
                Some("it may be there from an earlier import; list the token's keys".to_owned())
            }
            Self::OtherRecoveryParent { .. } => Some(
                "a key can leave only to the parent that it was made for: put the file of that one back"
                    .to_owned(),
            ),
            Self::InFiles { instead, .. } => Some((*instead).to_owned()),
            Self::OtherKind { .. } => Some("name a token of the kind that the key was in".to_owned()),
            Self::NoToken(_) | Self::NotOpen(_) | Self::Legacy(_) | Self::Threads(_) => None,
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Token(TokenFailure(error)) => error.is_credential(),
            Self::NoToken(_)
            | Self::NotOpen(_)
            | Self::Elsewhere { .. }
            | Self::File { .. }
            | Self::BlobThere { .. }
            | Self::NoBlob { .. } => false,
            Self::NoRecoveryParent(_)
            | Self::OtherRecoveryParent { .. }
            | Self::OtherKind { .. }
            | Self::InFiles { .. }
            | Self::Legacy(_)
            | Self::Blob { .. }
            | Self::BlobContent { .. }
            | Self::Threads(_)
            | Self::Store(_) => false,
        }
    }

    fn is_absence(&self) -> bool {
        // Nothing but a token can be absent.
        matches!(self, Self::Token(TokenFailure(error)) if error.is_absence())
    }
}

/// How many threads a token has work for: a TPM does one thing at a time, while the signature before it is verified; a token in software, or one that
/// has its own processor, does as much as there are processors here.
fn depth(token: &OpenToken) -> usize {
    match token {
        OpenToken::Tpm { .. } => 2,
        OpenToken::Pkcs11 { .. } | OpenToken::File(_) => {
            std::thread::available_parallelism().map_or(2, usize::from)
        }
    }
}

/// Any error of a token crate.
pub(crate) fn token_error(error: impl Advice + Send + Sync + 'static) -> SiteTokenError {
    SiteTokenError::Token(TokenFailure(Box::new(error)))
}

/// That keys in files are in no backup of ours.
pub(crate) fn no_backup(token: &TokenName) -> SiteTokenError {
    SiteTokenError::InFiles {
        token: token.clone(),
        cannot: "no backup is made of them, and none is restored there",
        instead: "choose --backup none; whoever wants a copy of a laboratory's keys copies the folder",
    }
}

fn never_wrapped(token: &TokenName, extractability: Extractability) -> Result<(), SiteTokenError> {
    match extractability {
        Extractability::Never => Ok(()),
        Extractability::Wrapped => Err(no_backup(token)),
    }
}

/// The files of a key in files.
pub(crate) fn stem_of<'k>(token: &TokenName, key: &'k KeyRecord) -> Result<&'k KeyFileStem, SiteTokenError> {
    match &key.reference {
        KeyReference::File(_, stem) => Ok(stem),
        KeyReference::Pkcs11(_) | KeyReference::Tpm(_) => Err(SiteTokenError::OtherKind {
            token: token.clone(),
            copy: "a key of a token",
        }),
    }
}

impl<'a> SiteTokens<'a> {
    /// The tokens of that site, none of them open.
    pub const fn new(site: &'a SiteFolder) -> Self {
        Self {
            site,
            open: BTreeMap::new(),
            queues: BTreeMap::new(),
            shown: Vec::new(),
        }
    }

    /// Opens a token if it is not open yet; `pin` is asked for its user PIN only then, and not of keys in files, which have none.
    pub fn open_with<E: From<SiteTokenError>>(
        &mut self,
        name: &TokenName,
        pin: impl FnOnce(&Self) -> Result<SecretString, E>,
    ) -> Result<(), E> {
        if self.open.contains_key(name) {
            return Ok(());
        }
        let entry = self.site.site().tokens.get(name);
        if let Some(TokenAddress::File(folder)) = entry.map(|entry| &entry.address) {
            let token = FileToken::new(self.site, name, folder);
            self.open.insert(name.clone(), OpenToken::File(token));
            return Ok(());
        }
        let pin = pin(self)?;
        Ok(self.open(name, pin)?)
    }

    /// Opens a token with its user PIN; for a TPM, `pin` is the authorisation value of its keys, and is proved by the first
    /// signature, and keys in files have none.
    pub fn open(&mut self, name: &TokenName, pin: SecretString) -> Result<(), SiteTokenError> {
        let entry = self
            .site
            .site()
            .tokens
            .get(name)
            .ok_or_else(|| SiteTokenError::NoToken(name.clone()))?;
        let open = match &entry.address {
            TokenAddress::Tpm(tcti) => OpenToken::Tpm {
                tpm: tpm::Tpm::of_site(self.site, name, tcti).map_err(token_error)?,
                auth: pin,
            },
            TokenAddress::Pkcs11(uri) => {
                // A site whose PKCS#11 tokens name no module is refused on reading.
                let path = uri.module_path.clone().map_or_else(PathBuf::new, |path| path);
                let module = pkcs11::Module::load(&path).map_err(token_error)?;
                let token = pkcs11::Token::open(&module, uri).map_err(token_error)?;
                token.login(&pin).map_err(token_error)?;
                OpenToken::Pkcs11 {
                    token,
                    uri: uri.clone(),
                }
            }
            TokenAddress::File(folder) => OpenToken::File(FileToken::new(self.site, name, folder)),
        };
        self.open.insert(name.clone(), open);
        Ok(())
    }

    /// The secret that is sealed at a handle of the site's one TPM, which is let go at once: others wait for their turn at it.
    pub fn unseal(&self, handle: TpmHandle) -> Result<SecretString, SiteTokenError> {
        let tpm = tpm::Tpm::keeping(self.site, handle).map_err(token_error)?;
        tpm.unseal(handle).map_err(token_error)
    }

    /// Whether an open token lets such a key be backed up: shown by a throwaway pair, of which nothing is left, once for each kind. To be asked
    /// before a key is made that is to have a backup.
    pub fn backup_capability(
        &mut self,
        name: &TokenName,
        spec: KeySpec,
    ) -> Result<BackupProof, SiteTokenError> {
        let mut shown = self.shown.iter();
        if let Some((_, proof)) = shown.find(|(token, proof)| token == name && proof.spec() == spec) {
            return Ok(*proof);
        }
        let proof = match self.opened(name)? {
            OpenToken::Pkcs11 { token, .. } => {
                BackupProof::Wrapped(token.proves_backup(spec).map_err(token_error)?)
            }
            OpenToken::Tpm { tpm, .. } => {
                self.recovery_parent(name)?;
                BackupProof::Duplicated(tpm.proves_duplication(spec).map_err(token_error)?)
            }
            OpenToken::File(_) => return Err(no_backup(name)),
        };
        self.shown.push((name.clone(), proof));
        Ok(proof)
    }

    /// The recovery parent that the keys of a TPM leave to.
    pub(crate) fn recovery_parent(&self, name: &TokenName) -> Result<RecoveryParent, SiteTokenError> {
        let parent = RecoveryParent::of_site(self.site, name).map_err(token_error)?;
        parent.ok_or_else(|| SiteTokenError::NoRecoveryParent(name.clone()))
    }

    /// The one of a key that is to leave its TPM.
    fn parent_for(
        &self,
        name: &TokenName,
        extractability: Extractability,
    ) -> Result<Option<RecoveryParent>, SiteTokenError> {
        match extractability {
            Extractability::Never => Ok(None),
            Extractability::Wrapped => self.recovery_parent(name).map(Some),
        }
    }

    /// Makes a key pair in an open token. Other tools show of it whose it is.
    pub fn generate(
        &self,
        name: &TokenName,
        spec: KeySpec,
        id: KeyId,
        owner: &KeyOwner<'_>,
        extractability: Extractability,
    ) -> Result<(PublicKey, KeyReference), SiteTokenError> {
        match self.opened(name)? {
            OpenToken::Pkcs11 { token, uri } => {
                let public_key = token
                    .generate(spec, id, &owner.label(), extractability)
                    .map_err(token_error)?;
                Ok((public_key, KeyReference::Pkcs11(uri.of_key(id))))
            }
            OpenToken::Tpm { tpm, auth } => {
                let parent = self.parent_for(name, extractability)?;
                self.check_auth(tpm, auth)?;
                let made = match &parent {
                    Some(parent) => tpm.create_duplicable_key(spec, Some(auth), parent),
                    None => tpm.create_key(spec, Some(auth)),
                };
                let blob = made.map_err(token_error)?;
                let public_key = blob.public_key(spec.algorithm()).map_err(token_error)?;
                replace(&self.site.tpm_key_path(id), |out| out.write_all(&blob.to_bytes()))?;
                Ok((public_key, KeyReference::Tpm(name.clone())))
            }
            OpenToken::File(token) => {
                never_wrapped(name, extractability)?;
                token.generate(self.site, spec, id, owner).map_err(token_error)
            }
        }
    }

    /// Puts a key from outside into an open token. It has then signed there, and the signature has verified under the public half that it came with.
    pub fn import(
        &self,
        name: &TokenName,
        key: &SoftwareKey,
        id: KeyId,
        owner: &KeyOwner<'_>,
        extractability: Extractability,
    ) -> Result<(PublicKey, KeyReference), SiteTokenError> {
        let reference = match self.opened(name)? {
            OpenToken::Pkcs11 { token, uri } => {
                token
                    .import(key, id, &owner.label(), extractability)
                    .map_err(token_error)?;
                KeyReference::Pkcs11(uri.of_key(id))
            }
            OpenToken::Tpm { tpm, auth } => {
                let parent = self.parent_for(name, extractability)?;
                let path = self.site.tpm_key_path(id);
                if path.exists() {
                    return Err(SiteTokenError::BlobThere { id, path });
                }
                self.check_auth(tpm, auth)?;
                let taken = match &parent {
                    Some(parent) => tpm.import_duplicable_key(key, Some(auth), parent),
                    None => tpm.import_key(key, Some(auth)),
                };
                let blob = taken.map_err(token_error)?;
                replace(&path, |out| out.write_all(&blob.to_bytes()))?;
                KeyReference::Tpm(name.clone())
            }
            OpenToken::File(token) => {
                never_wrapped(name, extractability)?;
                return token.import(self.site, key, id, owner).map_err(token_error);
            }
        };
        Ok((key.public_key.clone(), reference))
    }

    /// Has a key that the TPM made earlier sign, if the site has one: a TPM takes any authorisation value for a new key, and a mistyped one
    /// would be found when nobody knows it any more.
    fn check_auth(&self, tpm: &tpm::Tpm, auth: &SecretString) -> Result<(), SiteTokenError> {
        // What cannot be read, and keys of other TPMs, say nothing about this one.
        for file in blobs::all(self.site)?.flatten() {
            let Some(algorithm) = file.public_key().and_then(|key| key.algorithm().made()) else {
                continue;
            };
            if let Ok(key) = tpm.load(&file.blob, Some(auth)) {
                key.sign(algorithm, b"is this the authorisation value?")
                    .map_err(token_error)?;
                return Ok(());
            }
        }
        Ok(())
    }

    /// The name of the token that holds a key.
    pub fn token_of(&self, key: &KeyRecord) -> Result<&'a TokenName, SiteTokenError> {
        let found = self.site.site().token_of(&key.reference);
        let elsewhere = || SiteTokenError::Elsewhere {
            id: key.id,
            reference: Box::new(key.reference.clone()),
        };
        Ok(found.ok_or_else(elsewhere)?.0)
    }

    /// The private part of a key, in its open token.
    pub fn signing_key(&self, key: &KeyRecord) -> Result<SigningKey, SiteTokenError> {
        let name = self.token_of(key)?;
        match self.opened(name)? {
            OpenToken::Pkcs11 { token, .. } => {
                Ok(SigningKey::Pkcs11(token.key(key.cka_id()).map_err(token_error)?))
            }
            OpenToken::Tpm { tpm, auth } => {
                let path = self.site.tpm_key_path(key.id);
                let unreadable = |source| SiteTokenError::Blob {
                    id: key.id,
                    path: path.clone(),
                    source,
                };
                let bytes = fs::read(&path).map_err(unreadable)?;
                let blob = tpm::KeyBlob::from_bytes(&bytes)
                    .map_err(|source| SiteTokenError::BlobContent { path, source })?;
                Ok(SigningKey::Tpm(tpm.load(&blob, Some(auth)).map_err(token_error)?))
            }
            OpenToken::File(token) => {
                let stem = stem_of(name, key)?;
                let loaded = token.load(stem, &key.public_key, key.id).map_err(token_error)?;
                Ok(SigningKey::File(loaded))
            }
        }
    }

    /// The same, to sign through the queue of its token.
    pub fn queued_key(&mut self, key: &KeyRecord) -> Result<QueuedKey, SiteTokenError> {
        let (name, signing) = (self.token_of(key)?, self.signing_key(key)?);
        Ok(self.queue(name)?.key(signing))
    }

    /// A key in another token that holds it too, if that one does: by its public half. Where the token does not tell that, the first signature does.
    pub fn queued_replica(
        &mut self,
        name: &TokenName,
        key: &KeyRecord,
    ) -> Result<Option<QueuedKey>, SiteTokenError> {
        match self.signing_key_in(name, key)? {
            Some(signing) => Ok(Some(self.queue(name)?.key(signing))),
            None => Ok(None),
        }
    }

    fn queue(&mut self, name: &TokenName) -> Result<&Arc<SigningQueue>, SiteTokenError> {
        if !self.queues.contains_key(name) {
            let queue = SigningQueue::new(depth(self.opened(name)?)).map_err(SiteTokenError::Threads)?;
            self.queues.insert(name.clone(), queue);
        }
        self.queues
            .get(name)
            .ok_or_else(|| SiteTokenError::NotOpen(name.clone()))
    }

    /// Destroys a key that was made and will not be used.
    pub fn destroy(&self, key: &KeyRecord) -> Result<(), SiteTokenError> {
        let id = key.id;
        let name = self.token_of(key)?;
        match self.opened(name)? {
            OpenToken::Pkcs11 { token, .. } => token.destroy(key.cka_id()).map_err(token_error),
            OpenToken::Tpm { .. } => {
                let path = self.site.tpm_key_path(id);
                fs::remove_file(&path).map_err(|source| SiteTokenError::Blob { id, path, source })
            }
            OpenToken::File(token) => token.destroy(self.site, stem_of(name, key)?).map_err(token_error),
        }
    }

    pub(crate) fn opened(&self, name: &TokenName) -> Result<&OpenToken, SiteTokenError> {
        self.open
            .get(name)
            .ok_or_else(|| SiteTokenError::NotOpen(name.clone()))
    }
}
