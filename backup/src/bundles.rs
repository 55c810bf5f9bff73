//! The bundles of a site: `backups/<bundle id>/`, or a copy of one on a medium.
//!
//! A bundle is built in a folder beside its place and renamed into it, so that it is there as a whole or not at all.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use key_metadata::store::{StoreError, read_bytes, replace};
use key_metadata::{Advice, Digest, KeyId, SiteFolder, TokenName};

use crate::bundle_id::BundleId;
use crate::manifest::{Manifest, ManifestError, PAYLOAD};

/// The manifest's file.
pub const MANIFEST: &str = "manifest";
/// The signature of a token's log key over it, as `openssl dgst -sha256 -verify` takes it.
pub const TOKEN_SIGNATURE: &str = "manifest.token.sig";
/// What a TPM states about it (TPMS_ATTEST), and the signature of its attestation key.
pub const TPM_STATEMENT: [&str; 2] = ["manifest.tpm.attest", "manifest.tpm.sig"];
/// The folder of the proofs that custodians gave.
pub const PROOFS: &str = "proofs";
/// In a bundle that is being made: the folder that its shares go to.
const SHARES_AT: &str = "shares-at";

/// Why a bundle cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The site's files.
    #[error(transparent)]
    Store(Box<StoreError>),
    /// A folder.
    #[error("cannot {action} {}", path.display())]
    Folder {
        /// What was to be done with it.
        action: &'static str,
        /// The folder or file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// No such bundle.
    #[error("there is no bundle {id} in {}", folder.display())]
    NoBundle {
        /// Its id.
        id: BundleId,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// No bundle's folder.
    #[error("{} is no folder of a bundle", path.display())]
    NotABundle {
        /// What was named.
        path: PathBuf,
        /// Why.
        source: Box<StoreError>,
    },
    /// Its manifest.
    #[error("{} is no manifest", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: Box<ManifestError>,
    },
    /// A folder that is named for another bundle.
    #[error("{} is the folder of bundle {found}", path.display())]
    OtherBundle {
        /// The folder.
        path: PathBuf,
        /// The bundle that its manifest names.
        found: BundleId,
    },
    /// A bundle of that name is there.
    #[error("{} is there already", path.display())]
    There {
        /// The folder.
        path: PathBuf,
    },
}

impl From<StoreError> for BundleError {
    fn from(error: StoreError) -> Self {
        Self::Store(Box::new(error))
    }
}

impl Advice for BundleError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::NoBundle { .. } | Self::NotABundle { .. } => {
                Some("'keyrite-backup list' shows the bundles; name one by its id or its folder".to_owned())
            }
            Self::Manifest { .. } | Self::OtherBundle { .. } => {
                Some("it was damaged or changed: take another copy of the bundle".to_owned())
            }
            Self::Folder { .. } | Self::There { .. } => None,
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}

/// The folder `backups` of a site.
#[derive(Clone, Debug)]
pub struct Bundles {
    folder: PathBuf,
}

/// A bundle, with its manifest read.
#[derive(Clone, Debug)]
pub struct BundleFolder {
    /// Its folder.
    pub path: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
    /// The bytes of its manifest, which are what was signed.
    pub signed: Vec<u8>,
}

/// A bundle that is being made.
#[derive(Debug)]
pub struct Staged {
    folder: PathBuf,
    path: PathBuf,
    id: BundleId,
}

/// What a run that was killed had begun, and which is gone now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleared {
    /// The bundle that never was.
    pub id: BundleId,
    /// Its shares, which open nothing, and which were removed too.
    pub shares: Vec<PathBuf>,
}

impl Bundles {
    /// Of a site.
    pub fn of(site: &SiteFolder) -> Self {
        Self {
            folder: site.path("backups"),
        }
    }

    /// Of another folder, such as that of a medium.
    pub fn at(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// The ids of all bundles, in the order of their folders.
    pub fn ids(&self) -> Result<Vec<BundleId>, BundleError> {
        let names = self.names()?;
        let mut ids: Vec<_> = names.iter().filter_map(|name| name.parse().ok()).collect();
        ids.sort();
        Ok(ids)
    }

    /// All bundles, oldest first. One that cannot be read is an error beside the others.
    pub fn all(&self) -> Result<Vec<Result<BundleFolder, BundleError>>, BundleError> {
        let mut all: Vec<_> = self.ids()?.into_iter().map(|id| self.open(id)).collect();
        all.sort_by_key(|bundle| bundle.as_ref().ok().map(|bundle| bundle.manifest.header.created));
        Ok(all)
    }

    /// The bundle of that id.
    pub fn open(&self, id: BundleId) -> Result<BundleFolder, BundleError> {
        let path = self.folder.join(id.to_string());
        if !path.is_dir() {
            let folder = self.folder.clone();
            return Err(BundleError::NoBundle { id, folder });
        }
        let bundle = BundleFolder::open(&path)?;
        match bundle.manifest.header.bundle {
            found if found == id => Ok(bundle),
            found => Err(BundleError::OtherBundle { path, found }),
        }
    }

    /// Where a bundle is once another one has taken its place.
    pub fn superseded(&self, id: BundleId) -> PathBuf {
        self.folder.join("superseded").join(id.to_string())
    }

    /// Sets a bundle aside, by one rename; one that was set aside before stays so.
    pub fn set_aside(&self, id: BundleId) -> Result<(), BundleError> {
        let (from, to) = (self.folder.join(id.to_string()), self.superseded(id));
        if !from.exists() {
            return Ok(());
        }
        let parent = self.folder.join("superseded");
        fs::create_dir_all(&parent)
            .and_then(|()| fs::rename(&from, &to))
            .and_then(|()| sync_folder(&parent))
            .and_then(|()| sync_folder(&self.folder))
            .map_err(folder_error("set aside", &from))
    }

    /// Begins a bundle, whose shares go to a folder elsewhere.
    pub fn stage(&self, id: BundleId, shares_at: &Path) -> Result<Staged, BundleError> {
        let staged = Staged {
            folder: self.folder.join(format!(".{id}.new")),
            path: self.folder.join(id.to_string()),
            id,
        };
        if staged.path.exists() {
            return Err(BundleError::There { path: staged.path });
        }
        let made = fs::create_dir_all(&self.folder).and_then(|()| fs::create_dir(&staged.folder));
        made.map_err(folder_error("make", &staged.folder))?;
        staged.write(SHARES_AT, shares_at.as_os_str().as_encoded_bytes())?;
        Ok(staged)
    }

    /// Clears what runs that were killed had begun: the folder, and the shares of a bundle that never was. The lock of
    /// [`SiteFolder::lock_backups`] is held.
    pub fn clear(&self) -> Result<Vec<Cleared>, BundleError> {
        let mut cleared = Vec::new();
        for name in self.names()? {
            if name.parse::<BundleId>().is_ok() {
                remove_note(&self.folder.join(&name))?;
            }
            let id = name.strip_prefix('.').and_then(|name| name.strip_suffix(".new"));
            let Some(id) = id.and_then(|id| id.parse::<BundleId>().ok()) else {
                continue;
            };
            let folder = self.folder.join(&name);
            let shares = shares_of(&folder, id)?;
            for share in &shares {
                fs::remove_file(share).map_err(folder_error("remove", share))?;
            }
            fs::remove_dir_all(&folder).map_err(folder_error("remove", &folder))?;
            cleared.push(Cleared { id, shares });
        }
        Ok(cleared)
    }

    fn names(&self) -> Result<Vec<String>, BundleError> {
        let unreadable = folder_error("read", &self.folder);
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry.map_err(&unreadable)?.file_name().into_string());
        }
        Ok(names)
    }
}

fn folder_error<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> BundleError + 'a {
    move |source| BundleError::Folder {
        action,
        path: path.to_owned(),
        source,
    }
}

/// The file of a custodian's share.
pub fn share_file(folder: &Path, id: BundleId, custodian: &str) -> PathBuf {
    folder.join(format!("{id}-{custodian}.age"))
}

/// The share files that were written for a bundle that is being made.
fn shares_of(staged: &Path, id: BundleId) -> Result<Vec<PathBuf>, BundleError> {
    use std::os::unix::ffi::OsStringExt;
    let path = staged.join(SHARES_AT);
    let folder = match fs::read(&path) {
        Ok(bytes) => PathBuf::from(std::ffi::OsString::from_vec(bytes)),
        // Killed before it was written: there is no share yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(folder_error("read", &path)(error)),
    };
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(folder_error("read", &folder)(error)),
    };
    let (whole, torn) = (format!("{id}-"), format!(".{id}-"));
    let mut shares = Vec::new();
    for entry in entries {
        let entry = entry.map_err(folder_error("read", &folder))?;
        let name = entry.file_name();
        if name
            .to_str()
            .is_some_and(|name| name.starts_with(&whole) || name.starts_with(&torn))
        {
            shares.push(entry.path());
        }
    }
    shares.sort();
    Ok(shares)
}

impl BundleFolder {
    /// Reads the manifest of a bundle, wherever its folder is.
    pub fn open(path: &Path) -> Result<Self, BundleError> {
        let file = path.join(MANIFEST);
        let signed = read_bytes(&file).map_err(|source| BundleError::NotABundle {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        match Manifest::parse(&signed) {
            Ok(manifest) => Ok(Self {
                path: path.to_owned(),
                manifest,
                signed,
            }),
            Err(source) => Err(BundleError::Manifest {
                path: file,
                source: Box::new(source),
            }),
        }
    }

    /// Its id.
    pub const fn id(&self) -> BundleId {
        self.manifest.header.bundle
    }

    /// SHA-256 of its manifest, which people compare by words.
    pub fn manifest_digest(&self) -> Digest {
        Digest::of(&self.signed)
    }

    /// The payload, as it is on the disk.
    pub fn payload(&self) -> Result<Vec<u8>, BundleError> {
        Ok(read_bytes(&self.path.join(PAYLOAD))?)
    }

    /// The file of an officer's signature.
    pub fn officer_signature(&self, name: &str) -> PathBuf {
        self.path.join(officer_signature(name))
    }
}

/// The name of the file of an officer's signature.
pub fn officer_signature(name: &str) -> String {
    format!("{MANIFEST}.{name}.sshsig")
}

impl Staged {
    /// The bundle's id.
    pub const fn id(&self) -> BundleId {
        self.id
    }

    /// Where it is being made.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a file of it.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), BundleError> {
        Ok(replace(&self.folder.join(name), |out| out.write_all(bytes))?)
    }

    /// Gives it its name: from now on it is there.
    pub fn publish(self) -> Result<PathBuf, BundleError> {
        // A killed run may leave the note in a bundle that is there; it says nothing that is secret, and the next run removes it.
        let moved = fs::rename(&self.folder, &self.path).and_then(|()| {
            sync_folder(&self.path)?;
            self.path.parent().map_or(Ok(()), sync_folder)
        });
        moved.map_err(folder_error("rename", &self.folder))?;
        remove_note(&self.path)?;
        Ok(self.path)
    }

    /// Takes it back, and the shares that were written for it.
    pub fn give_up(self) -> Result<Vec<PathBuf>, BundleError> {
        let shares = shares_of(&self.folder, self.id)?;
        for share in &shares {
            fs::remove_file(share).map_err(folder_error("remove", share))?;
        }
        fs::remove_dir_all(&self.folder).map_err(folder_error("remove", &self.folder))?;
        Ok(shares)
    }
}

/// Removes the note of a bundle that is there.
fn remove_note(bundle: &Path) -> Result<(), BundleError> {
    let note = bundle.join(SHARES_AT);
    match fs::remove_file(&note) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(folder_error("remove", &note)(error)),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// A note that a canary is in a token; it is there as long as the canary may be.
#[derive(Debug)]
pub struct CanaryNote(PathBuf);

const CANARY: &str = ".canary-";

/// Notes a canary before its token is asked for it, so that the next drill takes it out if this one is killed.
pub fn canary_note(site: &SiteFolder, token: &TokenName, id: KeyId) -> Result<CanaryNote, BundleError> {
    let path = site.path("backups").join(format!("{CANARY}{id}-{token}"));
    replace(&path, |out| out.write_all(b""))?;
    Ok(CanaryNote(path))
}

/// The notes of canaries in a token.
pub fn canary_notes(site: &SiteFolder, token: &TokenName) -> Result<Vec<(KeyId, CanaryNote)>, BundleError> {
    let mut notes = Vec::new();
    for name in Bundles::of(site).names()? {
        let rest = name.strip_prefix(CANARY).and_then(|rest| rest.split_once('-'));
        if let Some((id, of)) = rest
            && of == token.to_string()
            && let Ok(id) = id.parse()
        {
            notes.push((id, CanaryNote(site.path("backups").join(&name))));
        }
    }
    Ok(notes)
}

impl CanaryNote {
    /// The canary is gone.
    pub fn remove(self) -> Result<(), BundleError> {
        fs::remove_file(&self.0).map_err(folder_error("remove", &self.0))
    }
}
