//! A PKCS#11 module: the vendor's shared object, loaded and initialised once per process.

use key_metadata::Advice;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::RvError;
use cryptoki::types::Version;

use crate::call::CallError;
use crate::lock::{LockError, ModuleLock};
use crate::raw::Raw;

/// A loaded and initialised module. Clones, and further loads of the same file, are the same module; the last one to be dropped, with
/// every token and key of it, finalises it.
#[derive(Clone)]
pub struct Module(Arc<Loaded>);

struct Loaded {
    path: PathBuf,
    context: Pkcs11,
    raw: Raw,
    /// Where it takes calls in turn alone.
    turn: Option<Mutex<()>>,
}

/// What a module says of itself (CK_INFO).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModuleInfo {
    /// Who made it.
    pub manufacturer: String,
    /// What it is.
    pub description: String,
    /// The library's version, `major.minor`.
    pub version: String,
    /// The version of PKCS#11 that it speaks.
    pub interface: String,
}

/// Why a module could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// There is no such file, or it cannot be reached.
    #[error("no PKCS#11 module at {}", path.display())]
    Missing {
        /// The path asked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no PKCS#11 module, or a library that it needs is not there.
    #[error("{} cannot be loaded as a PKCS#11 module", path.display())]
    NotLoadable {
        /// The module, without symbolic links.
        path: PathBuf,
        /// What the loader or the module said.
        source: CallError,
    },
    /// C_Initialize failed: a configuration or a store that the module cannot read, a TPM that does not answer.
    #[error("the PKCS#11 module {} does not initialise", path.display())]
    Initialise {
        /// The module, without symbolic links.
        path: PathBuf,
        /// What it answered.
        source: CallError,
    },
    /// Another process is in the way.
    #[error("the PKCS#11 module {} is not free to initialise", path.display())]
    Lock {
        /// The module, without symbolic links.
        path: PathBuf,
        /// Why not.
        source: LockError,
    },
}

/// What is known of a module.
struct Known {
    /// How its file's name starts.
    start: &'static str,
    /// The Debian package that brings it.
    package: &'static str,
    /// What it reads from the environment.
    needs: &'static str,
    calls: Calls,
}

/// What a module does with calls of several threads at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Calls {
    /// It takes them, as CKF_OS_LOCKING_OK asks of it (PKCS#11 v3.0 5.4).
    AtOnce,
    /// It does not: opencryptoki 3.8.1 reads an object anew that another process made, without a lock, while other threads use
    /// it. Two threads that sign then end by SIGSEGV in four of ten runs.
    InTurn,
}

const KNOWN: [Known; 8] = {
    use Calls::{AtOnce, InTurn};
    const fn module(start: &'static str, package: &'static str, needs: &'static str, calls: Calls) -> Known {
        Known {
            start,
            package,
            needs,
            calls,
        }
    }
    const SLOTS: &str = "that pkcsslotd runs and you are in the group pkcs11";
    const READER: &str = "that pcscd runs";
    [
        module(
            "libsofthsm2.so",
            "softhsm2",
            "SOFTHSM2_CONF and the token folder that it names",
            AtOnce,
        ),
        module(
            "libtpm2_pkcs11.so",
            "libtpm2-pkcs11-1",
            "TPM2_PKCS11_STORE and TPM2_PKCS11_TCTI",
            AtOnce,
        ),
        module("libopencryptoki.so", "opencryptoki", SLOTS, InTurn),
        module("PKCS11_API.so", "opencryptoki", SLOTS, InTurn),
        module("opensc-pkcs11.so", "opensc-pkcs11", READER, AtOnce),
        module("onepin-opensc-pkcs11.so", "opensc-pkcs11", READER, AtOnce),
        module("libykcs11.so", "ykcs11", READER, AtOnce),
        module(
            "p11-kit-proxy.so",
            "p11-kit-modules",
            "p11-kit's own configuration",
            AtOnce,
        ),
    ]
};

impl Advice for LoadError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { path, .. } => Some(match known(path) {
                Some(module) => format!("'apt install {}' brings it", module.package),
                None => "give the module's full path; its vendor's documentation has it".to_owned(),
            }),
            Self::NotLoadable { .. } => {
                Some("give a module for this machine, and see 'ldd' for libraries it misses".to_owned())
            }
            Self::Initialise { path, source } => {
                known(path).map_or_else(|| source.hint(), |module| Some(format!("check {}", module.needs)))
            }
            Self::Lock { source, .. } => source.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Missing { .. } | Self::NotLoadable { .. } => false,
            Self::Initialise { source, .. } => source.is_credential(),
            Self::Lock { source, .. } => source.is_credential(),
        }
    }

    fn is_absence(&self) -> bool {
        match self {
            // A store, a daemon or a TPM that it cannot reach.
            Self::Initialise { .. } => true,
            Self::Missing { .. } | Self::NotLoadable { .. } | Self::Lock { .. } => false,
        }
    }
}

fn known(path: &Path) -> Option<&'static Known> {
    let name = path.file_name()?.to_str()?;
    KNOWN.iter().find(|module| name.starts_with(module.start))
}

/// Modules of this process by path. The shared object stays mapped for ever; `live` ends with its last user, who finalises it.
static MODULES: Mutex<BTreeMap<PathBuf, Entry>> = Mutex::new(BTreeMap::new());

struct Entry {
    context: Pkcs11,
    live: Weak<Loaded>,
}

impl Module {
    /// Loads the module and initialises it with the system's locking (CKF_OS_LOCKING_OK).
    ///
    /// A module that another part of the process has initialised is taken as it is.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let missing = |source| LoadError::Missing {
            path: path.to_owned(),
            source,
        };
        let path = std::fs::canonicalize(path).map_err(missing)?;
        let mut modules = locked(&MODULES);
        if let Some(loaded) = modules.get(&path).and_then(|entry| entry.live.upgrade()) {
            return Ok(Self(loaded));
        }
        let context = match modules.get(&path) {
            Some(entry) => entry.context.clone(),
            None => Pkcs11::new(&path).map_err(|error| LoadError::NotLoadable {
                path: path.clone(),
                source: CallError::of(error),
            })?,
        };
        let raw = Raw::of(&path).map_err(|error| LoadError::NotLoadable {
            path: path.clone(),
            source: CallError::of(error),
        })?;
        let lock = ModuleLock::take(&path).map_err(|source| LoadError::Lock {
            path: path.clone(),
            source,
        })?;
        let arguments = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
        if let Err(source) = context.initialize(arguments).map_err(CallError::of)
            && !matches!(source.answer(), Some(RvError::CryptokiAlreadyInitialized))
        {
            return Err(LoadError::Initialise { path, source });
        }
        drop(lock);
        let in_turn = known(&path).is_some_and(|module| module.calls == Calls::InTurn);
        let loaded = Arc::new(Loaded {
            turn: in_turn.then(Mutex::default),
            path: path.clone(),
            context: context.clone(),
            raw,
        });
        modules.insert(
            path,
            Entry {
                context,
                live: Arc::downgrade(&loaded),
            },
        );
        Ok(Self(loaded))
    }

    /// The shared object, without symbolic links.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// What the module says of itself.
    pub fn info(&self) -> Result<ModuleInfo, CallError> {
        let info = self.context().get_library_info().map_err(CallError::of)?;
        let version = |version: Version| format!("{}.{}", version.major(), version.minor());
        Ok(ModuleInfo {
            manufacturer: info.manufacturer_id().to_owned(),
            description: info.library_description().to_owned(),
            version: version(info.library_version()),
            interface: version(info.cryptoki_version()),
        })
    }

    pub(crate) fn context(&self) -> &Pkcs11 {
        &self.0.context
    }

    pub(crate) fn raw(&self) -> &Raw {
        &self.0.raw
    }

    /// Held while a session is used: other threads wait, where the module takes calls in turn alone. Not re-entrant.
    pub(crate) fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        self.0.turn.as_ref().map(locked)
    }

    pub(crate) fn lock(&self) -> Result<ModuleLock, LockError> {
        ModuleLock::take(&self.0.path)
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        let modules = locked(&MODULES);
        // Whoever loaded it again between the last drop and here has it now, initialised as it was.
        let ours = modules
            .get(&self.path)
            .is_some_and(|entry| entry.live.strong_count() == 0);
        if ours {
            // Nobody is left to tell, and the module is out of use either way.
            let _ = self.context.clone().finalize();
        }
    }
}

/// The guard of a mutex; a thread that panicked while it held one has left nothing half-done in any of ours.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    match mutex.lock() {
        Ok(guard) => guard,
        Err(poisoned) => poisoned.into_inner(),
    }
}
