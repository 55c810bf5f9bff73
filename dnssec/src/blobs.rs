//! The native keys of a site's TPMs, in `keys/tpm`.

use std::fs;
use std::io;
use std::path::PathBuf;

use key_metadata::{Algorithm, KeyId, PublicKey, SiteFolder};

use crate::site_tokens::SiteTokenError;

/// A file that holds a native key.
pub(crate) struct BlobFile {
    pub(crate) path: PathBuf,
    pub(crate) blob: tpm::KeyBlob,
}

impl BlobFile {
    /// Its public half; of RSA the one for algorithm 8.
    pub(crate) fn public_key(&self) -> Option<PublicKey> {
        Algorithm::ALL
            .into_iter()
            .find_map(|algorithm| self.blob.public_key(algorithm).ok())
    }

    /// The key that its name says; `None` where the name is no key's.
    pub(crate) fn id(&self) -> Option<KeyId> {
        self.path.file_stem()?.to_str()?.parse().ok()
    }
}

/// The files `*.tpm`, sorted by name: each read when its turn comes, or why it was not.
pub(crate) fn all(
    site: &SiteFolder,
) -> Result<impl Iterator<Item = Result<BlobFile, SiteTokenError>>, SiteTokenError> {
    let mut paths = paths(site)?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "tpm"));
    paths.sort();
    Ok(paths.into_iter().map(read))
}

fn paths(site: &SiteFolder) -> Result<Vec<PathBuf>, SiteTokenError> {
    let folder = site.path("keys/tpm");
    let unreadable = |source| SiteTokenError::File {
        path: folder.clone(),
        source,
    };
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => Some(entries),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(unreadable(error)),
    };
    let entries = entries.into_iter().flatten();
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    paths.collect::<Result<Vec<_>, _>>().map_err(unreadable)
}

fn read(path: PathBuf) -> Result<BlobFile, SiteTokenError> {
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(source) => return Err(SiteTokenError::File { path, source }),
    };
    match tpm::KeyBlob::from_bytes(&bytes) {
        Ok(blob) => Ok(BlobFile { path, blob }),
        Err(source) => Err(SiteTokenError::BlobContent { path, source }),
    }
}

/// The file of a key; `None` where there is none.
pub(crate) fn of(site: &SiteFolder, id: KeyId) -> Result<Option<BlobFile>, SiteTokenError> {
    match read(site.tpm_key_path(id)) {
        Ok(file) => Ok(Some(file)),
        Err(SiteTokenError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
