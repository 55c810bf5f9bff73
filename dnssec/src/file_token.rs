//! A folder of private keys in files, in a token's place: BIND's files, of which `.private` is in the clear. A laboratory's alone.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use interchange::bind::{KeyFile, SoftwareFiles, read_key};
use interchange::records::Dnskey;
use interchange::{ExportError, ForeignKey, PrivatePart, ReadError, Revocation};
use key_metadata::store::{StoreError, clear_unfinished_in, read_text};
use key_metadata::{
    Advice, KeyFileStem, KeyFolder, KeyId, KeyReference, KeySpec, PublicKey, SiteFolder, SoftwareKey,
    TokenName,
};
use pkcs11::Presence;

use crate::file_key::{self, FileKey, NoFileKey};
use crate::key_owner::KeyOwner;

/// A folder of the site, under its name there.
pub(crate) struct FileToken {
    name: TokenName,
    folder: KeyFolder,
    path: PathBuf,
}

/// A pair of files.
pub(crate) struct KeyPair {
    pub(crate) stem: KeyFileStem,
    pub(crate) path: PathBuf,
    pub(crate) key: ForeignKey,
}

/// Why a key in files cannot be made, read or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileTokenError {
    /// A file says something that it must not.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// `.private` is not there, or has no private key.
    #[error("{} is not there, or has no private key in it", path.display())]
    NoPrivateKey {
        /// The file.
        path: PathBuf,
    },
    /// Others can read the private key.
    #[error("{} holds a private key, and others can read it (mode {mode:o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The files are those of another key than the record's.
    #[error("{}, DNSKEY: it is not the public key of key {id}", path.display())]
    OtherKey {
        /// The file.
        path: PathBuf,
        /// The key of the record.
        id: KeyId,
    },
    /// What the file has makes no key.
    #[error(transparent)]
    NoKey(#[from] NoFileKey),
    /// A file of that name is there.
    #[error("{} is there already, so that key {id} cannot be put there", path.display())]
    There {
        /// The file.
        path: PathBuf,
        /// The key.
        id: KeyId,
    },
    /// No file of the folder names the key.
    #[error("no file in {} is of key {id}", path.display())]
    Absent {
        /// The folder.
        path: PathBuf,
        /// The key.
        id: KeyId,
    },
    /// The library made no key.
    #[error("no key was made: the system's generator failed, or does not know that size")]
    Generator,
    /// The folder, or a file in it.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// `make`, `read` or `remove`.
        action: &'static str,
        /// The folder or file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Its name is none of a key's.
    #[error("{name} is no name of a key's files")]
    Name {
        /// The name.
        name: String,
    },
    /// The files were not written.
    #[error(transparent)]
    Write(#[from] ExportError),
    /// The site's files.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Advice for FileTokenError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Read(error) => error.hint(),
            Self::NoKey(error) => error.hint(),
            Self::Write(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Exposed { path, .. } => Some(format!(
                "whoever did has the key; where nobody did: chmod 600 {}",
                path.display()
            )),
            Self::OtherKey { .. } | Self::NoPrivateKey { .. } => Some(
                "put back the key's own files, or record that it is gone: keyrite-keyctl destroy --gone"
                    .to_owned(),
            ),
            Self::There { .. } => {
                Some("another key has the same tag, or an earlier run left it; run this again".to_owned())
            }
            Self::Io { .. } => Some("check who may read and write it".to_owned()),
            Self::Absent { .. } | Self::Generator | Self::Name { .. } => None,
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}

impl FileToken {
    pub(crate) fn new(site: &SiteFolder, name: &TokenName, folder: &KeyFolder) -> Self {
        Self {
            name: name.clone(),
            folder: folder.clone(),
            path: site.path(folder.as_path()),
        }
    }

    /// The reference to the key of those files.
    pub(crate) fn reference(&self, stem: KeyFileStem) -> KeyReference {
        KeyReference::File(self.name.clone(), stem)
    }

    /// Makes a key.
    pub(crate) fn generate(
        &self,
        site: &SiteFolder,
        spec: KeySpec,
        id: KeyId,
        owner: &KeyOwner<'_>,
    ) -> Result<(PublicKey, KeyReference), FileTokenError> {
        let key = file_key::generate(spec).ok_or(FileTokenError::Generator)?;
        self.put(site, &key, id, owner)
    }

    /// Takes in a key from outside; the files of one that is in the folder already are left as they are.
    pub(crate) fn import(
        &self,
        site: &SiteFolder,
        key: &SoftwareKey,
        id: KeyId,
        owner: &KeyOwner<'_>,
    ) -> Result<(PublicKey, KeyReference), FileTokenError> {
        let stem = stem(&dnskey(owner, &key.public_key))?;
        if self.presence(&stem) == Presence::Whole {
            self.load(&stem, &key.public_key, id)?;
            return Ok((key.public_key.clone(), self.reference(stem)));
        }
        FileKey::new(&self.file(&stem, ".private"), key)?;
        self.put(site, key, id, owner)
    }

    fn put(
        &self,
        site: &SiteFolder,
        key: &SoftwareKey,
        id: KeyId,
        owner: &KeyOwner<'_>,
    ) -> Result<(PublicKey, KeyReference), FileTokenError> {
        let dnskey = dnskey(owner, &key.public_key);
        let stem = stem(&dnskey)?;
        self.make_folder()?;
        let _lock = site.lock_key_folder(&self.folder)?;
        for suffix in [".key", ".private", ".state"] {
            let path = self.file(&stem, suffix);
            if path.symlink_metadata().is_ok() {
                return Err(FileTokenError::There { path, id });
            }
        }
        SoftwareFiles::new(dnskey, &key.secret, id, owner.now).write(&self.path)?;
        Ok((key.public_key.clone(), self.reference(stem)))
    }

    /// Nobody else looks into a folder that is made here.
    fn make_folder(&self) -> Result<(), FileTokenError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        made.map_err(|source| FileTokenError::Io {
            action: "make",
            path: self.path.clone(),
            source,
        })
    }

    /// The private key of a pair of files, if they are that key's, nobody else can read it, and its numbers make one.
    pub(crate) fn load(
        &self,
        stem: &KeyFileStem,
        public_key: &PublicKey,
        id: KeyId,
    ) -> Result<FileKey, FileTokenError> {
        let (path, pair) = (self.file(stem, ".private"), self.pair(stem)?);
        if pair.key.public_key != *public_key {
            let path = self.file(stem, ".key");
            return Err(FileTokenError::OtherKey { path, id });
        }
        match pair.key.private {
            PrivatePart::Software(key) => Ok(FileKey::new(&path, &key)?),
            PrivatePart::None
            | PrivatePart::Token(_)
            | PrivatePart::Keystore { .. }
            | PrivatePart::File(_)
            | PrivatePart::Kmip(_) => Err(FileTokenError::NoPrivateKey { path }),
        }
    }

    fn pair(&self, stem: &KeyFileStem) -> Result<KeyPair, FileTokenError> {
        let import = read_key(&self.path.join(stem.as_str()))?;
        if let Some(exposed) = import.exposed.into_iter().next() {
            return Err(FileTokenError::Exposed {
                path: exposed.file,
                mode: exposed.mode,
            });
        }
        let path = self.file(stem, ".private");
        let key = import.keys.into_iter().next();
        let key = key.ok_or_else(|| FileTokenError::NoPrivateKey { path: path.clone() })?;
        Ok(KeyPair {
            stem: stem.clone(),
            path,
            key,
        })
    }

    /// Every pair in the folder, sorted by name: each read when its turn comes, or why it was not.
    pub(crate) fn all(
        &self,
    ) -> Result<impl Iterator<Item = Result<KeyPair, FileTokenError>>, FileTokenError> {
        Ok(self.stems()?.into_iter().map(|stem| self.pair(&stem)))
    }

    fn stems(&self) -> Result<Vec<KeyFileStem>, FileTokenError> {
        let unreadable = |source| FileTokenError::Io {
            action: "read",
            path: self.path.clone(),
            source,
        };
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => Some(entries),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(unreadable(error)),
        };
        let mut stems = Vec::new();
        for entry in entries.into_iter().flatten() {
            let file = entry.map_err(unreadable)?.file_name();
            let stem = file.to_str().and_then(|name| name.strip_suffix(".key"));
            stems.extend(stem.and_then(|stem| stem.parse().ok()));
        }
        stems.sort_unstable();
        Ok(stems)
    }

    /// The files that say that they are of a key that Keyrite made. What cannot be read says nothing.
    pub(crate) fn find(&self, id: KeyId) -> Result<Option<KeyFileStem>, FileTokenError> {
        let wanted = id.to_string();
        for stem in self.stems()? {
            let path = self.file(&stem, ".key");
            let Ok(text) = read_text(&path) else { continue };
            if text.contains(&wanted)
                && KeyFile::parse(&path, &text).is_ok_and(|(file, _)| file.id == Some(id))
            {
                return Ok(Some(stem));
            }
        }
        Ok(None)
    }

    /// The same, where it has to be there.
    pub(crate) fn found(&self, id: KeyId) -> Result<KeyFileStem, FileTokenError> {
        self.find(id)?.ok_or_else(|| FileTokenError::Absent {
            path: self.path.clone(),
            id,
        })
    }

    /// The public key of a pair of files.
    pub(crate) fn public_key(&self, stem: &KeyFileStem) -> Result<PublicKey, FileTokenError> {
        Ok(self.pair(stem)?.key.public_key)
    }

    /// Which files of a key are there.
    pub(crate) fn presence(&self, stem: &KeyFileStem) -> Presence {
        let is_there = |suffix| self.file(stem, suffix).symlink_metadata().is_ok();
        match (is_there(".private"), is_there(".key")) {
            (true, true) => Presence::Whole,
            (true, false) => Presence::PrivateOnly,
            (false, true) => Presence::PublicOnly,
            (false, false) => Presence::Absent,
        }
    }

    /// Removes the files of a key, the private one first. It can be killed and run again.
    pub(crate) fn destroy(&self, site: &SiteFolder, stem: &KeyFileStem) -> Result<(), FileTokenError> {
        let _lock = site.lock_key_folder(&self.folder)?;
        for suffix in [".private", ".state", ".key"] {
            let path = self.file(stem, suffix);
            match fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => {
                    return Err(FileTokenError::Io {
                        action: "remove",
                        path,
                        source,
                    });
                }
            }
        }
        Ok(())
    }

    /// Removes files that never got their names; whether there were any.
    pub(crate) fn remove_unfinished(&self, site: &SiteFolder) -> Result<bool, FileTokenError> {
        let _lock = site.lock_key_folder(&self.folder)?;
        Ok(clear_unfinished_in(&self.path)?)
    }

    fn file(&self, stem: &KeyFileStem, suffix: &str) -> PathBuf {
        self.path.join(format!("{stem}{suffix}"))
    }
}

fn dnskey(owner: &KeyOwner<'_>, public_key: &PublicKey) -> Dnskey {
    Dnskey {
        zone: owner.zone.clone(),
        ttl: None,
        role: owner.role,
        revocation: Revocation::NotRevoked,
        public_key: public_key.clone(),
    }
}

fn stem(dnskey: &Dnskey) -> Result<KeyFileStem, FileTokenError> {
    let name = interchange::bind::KeyFileName::of(dnskey).to_string();
    name.parse().map_err(|_| FileTokenError::Name { name })
}
