//! The site's folder: the only part of this crate that touches files.
//!
//! A write is: lock, write beside, fsync, rename, fsync the folder. A reader needs no lock, since a file is replaced whole.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use atomic_write_file::AtomicWriteFile;
use atomic_write_file::unix::OpenOptionsExt as _;
use serde::Serialize;

use crate::advice::Advice;
use crate::approvals::Approvals;
use crate::custodian_edit::{self, Change, CustodianError, EditError, edit};
use crate::history::HistoryError;
use crate::intentions::{Intentions, IntentionsError};
use crate::key_id::KeyId;
use crate::observations::{Observations, ObservationsError};
use crate::policy::{Policy, PolicyError, SHIPPED};
use crate::release::{ZoneState, ZoneStateError};
use crate::site::{PolicyName, Site, SiteError, SiteWord, SiteZone, TokenName};
use crate::token_address::KeyFolder;
use crate::tpm_identity::TpmIdentity;
use crate::tpm_setup::Recipient;
use crate::yaml::{self, YamlError};
use crate::zone_keys::{ZoneKeys, ZoneKeysError};
use crate::zone_name::ZoneName;

/// The largest file of a site that is read, in bytes: a thousand times what a zone with many rollovers needs.
pub const LARGEST_FILE: u64 = 32 << 20;

/// Why a file of the site was not read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// `read`, `write`, `lock` or `remove`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Larger than any file of a site is.
    #[error("{} is larger than {LARGEST_FILE} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Another process is changing it.
    #[error("{} is locked: another process is at work on it", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// `site.yaml` says something that it must not.
    #[error("{} is not a site", path.display())]
    Site {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: SiteError,
    },
    /// A key file says something that it must not.
    #[error("{} is not a file of keys", path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: ZoneKeysError,
    },
    /// A file of observations says something that it must not.
    #[error("{} is not a file of observations", path.display())]
    Observations {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: ObservationsError,
    },
    /// A file of decisions says something that it must not.
    #[error("{} is not a file of rollovers", path.display())]
    Intentions {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: IntentionsError,
    },
    /// A policy says something that it must not.
    #[error("{} is not a policy", path.display())]
    Policy {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: PolicyError,
    },
    /// The state of a zone says something that it must not.
    #[error("{} is not the state of a zone", path.display())]
    ZoneState {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: ZoneStateError,
    },
    /// The identity of a TPM says something that it must not.
    #[error("{} is not the identity of a TPM", path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: YamlError,
    },
    /// No zone of that name.
    #[error("the site has no zone {zone}")]
    NoZone {
        /// The name.
        zone: ZoneName,
        /// The file that would list it.
        path: PathBuf,
    },
    /// No policy of that name.
    #[error("no policy is named '{name}': there is no {}, and the shipped ones are {}", path.display(), shipped_names())]
    NoPolicy {
        /// The name.
        name: PolicyName,
        /// The file that would have it.
        path: PathBuf,
    },
    /// A file's content could not be put into YAML.
    #[error("{} cannot be written as YAML", path.display())]
    Render {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What to do where a file cannot be written; nothing is changed, so the same command does it later.
const fn write_hint(kind: io::ErrorKind) -> Option<&'static str> {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Some("make room, then run this again")
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Some("this user must be able to write there")
        }
        _ => None,
    }
}

fn shipped_names() -> String {
    SHIPPED.map(|(name, _)| name).join(", ")
}

impl Advice for StoreError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Io {
                action: "read",
                path,
                source,
            } if source.kind() == io::ErrorKind::NotFound && path.ends_with("site.yaml") => {
                Some("a site is a folder with a site.yaml; name it with --site".to_owned())
            }
            Self::NoZone { path, .. } => Some(format!("add it under 'zones' in {}", path.display())),
            Self::Locked { .. } => Some("wait until it is done, then run this again".to_owned()),
            Self::Keys {
                source: ZoneKeysError::History(_),
                ..
            } => Some(
                "it was changed by other means: 'keyrite-keyctl history' tells all that differs, and how to go on"
                    .to_owned(),
            ),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::InvalidData => {
                Some("is it the file that was meant?".to_owned())
            }
            Self::TooLarge { .. } => Some("is it the file that was meant?".to_owned()),
            Self::Site { source, .. } => {
                let hint = source.hint();
                Some(hint.map_or("docs/formats/site.md has its fields", |hint| hint).to_owned())
            }
            Self::Policy { .. } => Some("docs/formats/policy.md has its fields".to_owned()),
            Self::NoPolicy { path, .. } => Some(format!("write {}, or name another one", path.display())),
            Self::Observations { .. } => Some(
                "put back its last good copy; where there is none, remove it and look again: keyrite-rollover observe --zone ZONE"
                    .to_owned(),
            ),
            Self::Intentions { .. } => Some(
                "put back its last good copy; where there is none, remove it and decide again: keyrite-rollover plan --zone ZONE --keep"
                    .to_owned(),
            ),
            Self::ZoneState { path, .. } => {
                Some(format!("remove {}; the next signing writes it anew", path.display()))
            }
            Self::Keys { .. } | Self::Identity { .. } => Some("put back its last good copy".to_owned()),
            Self::Io {
                action: "write" | "lock",
                source,
                ..
            } => write_hint(source.kind()).map(str::to_owned),
            Self::Io { .. } | Self::Render { .. } => None,
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}

/// A site, opened: its folder and what `site.yaml` says.
#[derive(Debug)]
pub struct SiteFolder {
    folder: PathBuf,
    site: Site,
}

impl SiteFolder {
    /// Reads `site.yaml` of that folder.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = within(folder, Path::new("site.yaml"));
        let text = read_text(&path)?;
        let site = Site::from_yaml(&text).map_err(|source| StoreError::Site { path, source })?;
        Ok(Self {
            folder: folder.to_owned(),
            site,
        })
    }

    /// What `site.yaml` says.
    pub const fn site(&self) -> &Site {
        &self.site
    }

    /// A path of the site, from its folder.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        within(&self.folder, relative.as_ref())
    }

    /// `keys/<zone>.yaml`.
    pub fn keys_path(&self, zone: &ZoneName) -> PathBuf {
        self.path(format!("keys/{}.yaml", zone.file_stem()))
    }

    /// `keys/tpm/<key id>.tpm`.
    pub fn tpm_key_path(&self, id: KeyId) -> PathBuf {
        self.path(format!("keys/tpm/{id}.tpm"))
    }

    /// `zones/<zone>.zone`, the unsigned zone.
    pub fn unsigned_path(&self, zone: &ZoneName) -> PathBuf {
        self.path(format!("zones/{}.zone", zone.file_stem()))
    }

    /// `signed/<zone>.zone`, the signed one.
    pub fn signed_path(&self, zone: &ZoneName) -> PathBuf {
        self.path(format!("signed/{}.zone", zone.file_stem()))
    }

    /// `signed/<zone>.kept`: what the signatures of the last run are over.
    pub fn kept_path(&self, zone: &ZoneName) -> PathBuf {
        self.path(format!("signed/{}.kept", zone.file_stem()))
    }

    /// `signed/<zone>.state`: what was last released, and what failed since.
    pub fn state_path(&self, zone: &ZoneName) -> PathBuf {
        self.path(format!("signed/{}.state", zone.file_stem()))
    }

    /// The state of a zone; nothing is known if there is no file.
    pub fn state(&self, zone: &ZoneName) -> Result<ZoneState, StoreError> {
        let path = self.state_path(zone);
        match read_if_there(&path)? {
            Some(text) => {
                ZoneState::from_yaml(&text, zone).map_err(|source| StoreError::ZoneState { path, source })
            }
            None => Ok(ZoneState::new(zone.clone())),
        }
    }

    /// Replaces the state of a zone. The lock is the one of [`Self::lock_signed`].
    pub fn write_state(&self, state: &ZoneState, _lock: &Lock) -> Result<(), StoreError> {
        write_yaml(&self.state_path(&state.zone), state)
    }

    /// Keeps other processes from running as the site's signer until the lock is dropped.
    pub fn lock_run(&self) -> Result<Lock, StoreError> {
        lock_beside(&self.path("signed/run"))
    }

    /// `signed-keys/<zone>/`: the DNSKEY RRsets that a KSK which is kept apart signed ahead.
    pub fn signed_keys_path(&self, zone: &ZoneName) -> PathBuf {
        self.path(format!("signed-keys/{}", zone.file_stem()))
    }

    /// The keys of a zone; none if there is no file.
    pub fn keys(&self, zone: &ZoneName) -> Result<ZoneKeys, StoreError> {
        let path = self.keys_path(zone);
        match read_if_there(&path)? {
            Some(text) => {
                ZoneKeys::from_yaml(&text, zone).map_err(|source| StoreError::Keys { path, source })
            }
            None => Ok(ZoneKeys::new(zone.clone())),
        }
    }

    /// The keys of a zone, and what in their file the history does not account for.
    pub fn keys_with_contradictions(
        &self,
        zone: &ZoneName,
    ) -> Result<(ZoneKeys, Vec<HistoryError>), StoreError> {
        let path = self.keys_path(zone);
        match read_if_there(&path)? {
            Some(text) => ZoneKeys::from_yaml_with_contradictions(&text, zone)
                .map_err(|source| StoreError::Keys { path, source }),
            None => Ok((ZoneKeys::new(zone.clone()), Vec::new())),
        }
    }

    /// Keeps other processes from changing the zone's keys until the lock is dropped.
    pub fn lock_keys(&self, zone: &ZoneName) -> Result<Lock, StoreError> {
        lock_beside(&self.keys_path(zone))
    }

    /// Keeps other processes from signing the zone until the lock is dropped.
    pub fn lock_signed(&self, zone: &ZoneName) -> Result<Lock, StoreError> {
        lock_beside(&self.signed_path(zone))
    }

    /// Keeps other processes from changing what is in a folder of keys until the lock is dropped.
    pub fn lock_key_folder(&self, folder: &KeyFolder) -> Result<Lock, StoreError> {
        lock_beside(&self.path(folder.as_path()).join("keys"))
    }

    /// Keeps other processes from changing the site's backups until the lock is dropped.
    pub fn lock_backups(&self) -> Result<Lock, StoreError> {
        lock_beside(&self.path("backups/bundles"))
    }

    /// Replaces the keys of a zone. The lock is the one of [`Self::lock_keys`].
    pub fn write_keys(&self, keys: &ZoneKeys, _lock: &Lock) -> Result<(), StoreError> {
        write_yaml(&self.keys_path(keys.zone()), keys)
    }

    /// `rollovers/<zone>.yaml`.
    pub fn intentions_path(&self, zone: &ZoneName) -> PathBuf {
        self.path(format!("rollovers/{}.yaml", zone.file_stem()))
    }

    /// What was decided for a zone beside its policy; nothing if there is no file.
    pub fn intentions(&self, zone: &ZoneName) -> Result<Intentions, StoreError> {
        let path = self.intentions_path(zone);
        match read_if_there(&path)? {
            Some(text) => {
                Intentions::from_yaml(&text, zone).map_err(|source| StoreError::Intentions { path, source })
            }
            None => Ok(Intentions::new(zone.clone())),
        }
    }

    /// Keeps other processes from deciding for the zone until the lock is dropped.
    pub fn lock_intentions(&self, zone: &ZoneName) -> Result<Lock, StoreError> {
        lock_beside(&self.intentions_path(zone))
    }

    /// Replaces what was decided for a zone. The lock is the one of [`Self::lock_intentions`].
    pub fn write_intentions(&self, intentions: &Intentions, _lock: &Lock) -> Result<(), StoreError> {
        write_yaml(&self.intentions_path(intentions.zone()), intentions)
    }

    /// `observations/<zone>.yaml`.
    pub fn observations_path(&self, zone: &ZoneName) -> PathBuf {
        self.path(format!("observations/{}.yaml", zone.file_stem()))
    }

    /// What was seen of a zone and its parent; nothing if there is no file.
    pub fn observations(&self, zone: &ZoneName) -> Result<Observations, StoreError> {
        let path = self.observations_path(zone);
        match read_if_there(&path)? {
            Some(text) => Observations::from_yaml(&text, zone)
                .map_err(|source| StoreError::Observations { path, source }),
            None => Ok(Observations::new(zone.clone())),
        }
    }

    /// Keeps other processes from adding observations of the zone until the lock is dropped.
    pub fn lock_observations(&self, zone: &ZoneName) -> Result<Lock, StoreError> {
        lock_beside(&self.observations_path(zone))
    }

    /// Replaces the observations of a zone. The lock is the one of [`Self::lock_observations`].
    pub fn write_observations(&self, observations: &Observations, _lock: &Lock) -> Result<(), StoreError> {
        write_yaml(&self.observations_path(observations.zone()), observations)
    }

    /// Keeps other processes from changing `site.yaml` until the lock is dropped.
    fn lock_site(&self) -> Result<Lock, StoreError> {
        lock_beside(&self.path("site.yaml"))
    }

    /// Adds a custodian to `site.yaml`, of which nothing else is touched.
    pub fn add_custodian(&mut self, name: &SiteWord, recipient: &Recipient) -> Result<(), CustodianError> {
        self.edit_custodian(Change::Add, name, recipient)
    }

    /// Gives a custodian of `site.yaml` another recipient; nothing else of the file is touched.
    pub fn replace_custodian(
        &mut self,
        name: &SiteWord,
        recipient: &Recipient,
    ) -> Result<(), CustodianError> {
        self.edit_custodian(Change::Replace, name, recipient)
    }

    fn edit_custodian(
        &mut self,
        change: Change,
        name: &SiteWord,
        recipient: &Recipient,
    ) -> Result<(), CustodianError> {
        let _lock = self.lock_site()?;
        let path = self.path("site.yaml");
        // As it is now: somebody may have changed it since it was opened.
        let text = read_text(&path)?;
        let (text, site) = edit(&text, change, name, recipient).map_err(|error| match error {
            EditError::Present => CustodianError::Present { name: name.clone() },
            EditError::Absent { known } => CustodianError::Absent {
                name: name.clone(),
                known,
            },
            EditError::Unusual => CustodianError::Unusual {
                path: path.clone(),
                line: custodian_edit::line(name, recipient),
            },
            EditError::Site(source) => StoreError::Site {
                path: path.clone(),
                source,
            }
            .into(),
        })?;
        replace(&path, |out| out.write_all(text.as_bytes()))?;
        self.site = site;
        Ok(())
    }

    /// A file of `tpm/<name>/`, where what belongs to one TPM is.
    pub fn tpm_path(&self, tpm: &TokenName, file: &str) -> PathBuf {
        self.path(format!("tpm/{tpm}/{file}"))
    }

    /// The approvals of a TPM's PCR policy.
    pub fn approvals(&self, tpm: &TokenName) -> Approvals {
        Approvals::new(self.tpm_path(tpm, "approved"))
    }

    /// What a TPM is known by; `None` until it is provisioned.
    pub fn tpm_identity(&self, tpm: &TokenName) -> Result<Option<TpmIdentity>, StoreError> {
        let path = self.tpm_path(tpm, "identity.yaml");
        let Some(text) = read_if_there(&path)? else {
            return Ok(None);
        };
        match TpmIdentity::from_yaml(&text) {
            Ok(identity) => Ok(Some(identity)),
            Err(source) => Err(StoreError::Identity { path, source }),
        }
    }

    /// Keeps other processes from provisioning the TPM until the lock is dropped.
    pub fn lock_tpm(&self, tpm: &TokenName) -> Result<Lock, StoreError> {
        lock_beside(&self.tpm_path(tpm, "identity.yaml"))
    }

    /// Replaces what a TPM is known by. The lock is the one of [`Self::lock_tpm`].
    pub fn write_tpm_identity(
        &self,
        tpm: &TokenName,
        identity: &TpmIdentity,
        _lock: &Lock,
    ) -> Result<(), StoreError> {
        write_yaml(&self.tpm_path(tpm, "identity.yaml"), identity)
    }

    /// What `site.yaml` says of a zone, and its policy.
    pub fn zone(&self, name: &ZoneName) -> Result<(&SiteZone, Policy), StoreError> {
        let entry = self.site.zones.get(name);
        let entry = entry.ok_or_else(|| StoreError::NoZone {
            zone: name.clone(),
            path: self.path("site.yaml"),
        })?;
        Ok((entry, self.policy(&entry.policy)?))
    }

    /// A policy: the site's own of that name, else the shipped one.
    pub fn policy(&self, name: &PolicyName) -> Result<Policy, StoreError> {
        let path = self.path(format!("policies/{name}.yaml"));
        let own = read_if_there(&path)?;
        let shipped = || {
            SHIPPED
                .iter()
                .find(|(shipped, _)| *shipped == name.to_string())
                .map(|(_, text)| *text)
        };
        match own.as_deref().or_else(shipped) {
            Some(text) => Policy::from_yaml(text).map_err(|source| StoreError::Policy { path, source }),
            None => Err(StoreError::NoPolicy {
                name: name.clone(),
                path,
            }),
        }
    }
}

/// `./keys/cr.yaml` is `keys/cr.yaml`, and reads better.
fn within(folder: &Path, relative: &Path) -> PathBuf {
    if folder == Path::new(".") {
        relative.to_owned()
    } else {
        folder.join(relative)
    }
}

/// Held while a file is changed.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl AsFd for Lock {
    /// Who inherits this holds the lock too.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Takes the lock of `path`, which is the file `.<name>.lock` beside it (the file itself is replaced, so it cannot carry its lock).
fn lock_beside(path: &Path) -> Result<Lock, StoreError> {
    let name = path
        .file_name()
        .map_or_else(Default::default, |name| name.to_string_lossy());
    let lock = path.with_file_name(format!(".{name}.lock"));
    let io = |source| StoreError::Io {
        action: "lock",
        path: lock.clone(),
        source,
    };
    if let Some(folder) = lock.parent() {
        fs::create_dir_all(folder).map_err(io)?;
    }
    let file = File::options()
        .create(true)
        .append(true)
        .open(&lock)
        .map_err(io)?;
    match file.try_lock() {
        Ok(()) => {
            clear_unfinished(path)?;
            Ok(Lock { file })
        }
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

fn write_yaml(path: &Path, content: &impl Serialize) -> Result<(), StoreError> {
    let text = yaml::render(content).map_err(|source| StoreError::Render {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    replace(path, |out| out.write_all(text.as_bytes()))
}

/// Replaces the file at `path` with what `write` writes: all of it, on the disk, or none.
pub fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), StoreError> {
    let attempt = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = AtomicWriteFile::open(path)?;
        {
            let mut out = io::BufWriter::new(&mut file);
            write(&mut out)?;
            out.flush()?;
        }
        file.commit()
    };
    attempt().map_err(|source| StoreError::Io {
        action: "write",
        path: path.to_owned(),
        source,
    })
}

/// The same for a file with a private key in it: nobody but its owner can read it at any time, and the bytes pass through no buffer.
pub fn replace_private(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let attempt = || {
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let mut options = AtomicWriteFile::options();
        let mut file = options.preserve_mode(false).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.commit()
    };
    attempt().map_err(|source| StoreError::Io {
        action: "write",
        path: path.to_owned(),
        source,
    })
}

/// Removes what [`replace`] leaves beside a file when it is killed between writing it and giving it its name: `.NAME.XXXXXX`. Tells whether
/// there was anything. Nobody else may be writing the file.
pub fn clear_unfinished(path: &Path) -> Result<bool, StoreError> {
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => clear(folder, |of| name == of),
        (None, _) | (_, None) => Ok(false),
    }
}

/// The same for all files of a folder.
pub fn clear_unfinished_in(folder: &Path) -> Result<bool, StoreError> {
    clear(folder, |_| true)
}

fn clear(folder: &Path, of: impl Fn(&str) -> bool) -> Result<bool, StoreError> {
    let io = |action, path: &Path, source| StoreError::Io {
        action,
        path: path.to_owned(),
        source,
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(io("read", folder, error)),
    };
    let mut any = false;
    for entry in entries {
        let entry = entry.map_err(|source| io("read", folder, source))?;
        if entry.file_name().to_str().and_then(unfinished).is_some_and(&of) {
            let path = entry.path();
            fs::remove_file(&path).map_err(|source| io("remove", &path, source))?;
            any = true;
        }
    }
    Ok(any)
}

/// The file that `.NAME.XXXXXX` was to become.
fn unfinished(name: &str) -> Option<&str> {
    let (of, random) = name.strip_prefix('.')?.rsplit_once('.')?;
    let is_random = random.len() == 6 && random.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_random && !of.is_empty()).then_some(of)
}

/// The text of a file of a site; `None` if there is no such file.
pub fn read_if_there(path: &Path) -> Result<Option<String>, StoreError> {
    if_there(read_text(path))
}

/// The bytes of a file of a site; `None` if there is no such file.
pub fn read_bytes_if_there(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    if_there(read_bytes(path))
}

fn if_there<T>(read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Ok(content) => Ok(Some(content)),
        Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads a text file of a site.
pub fn read_text(path: &Path) -> Result<String, StoreError> {
    String::from_utf8(read_bytes(path)?).map_err(|_| StoreError::Io {
        action: "read",
        path: path.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"),
    })
}

/// Reads a file of a site.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, StoreError> {
    let io = |source| StoreError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(io)?;
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(StoreError::TooLarge {
            path: path.to_owned(),
        });
    }
    Ok(bytes)
}
