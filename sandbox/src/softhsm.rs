//! A store of software PKCS#11 tokens.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A SoftHSM store of its own; its tokens are in the caller's folder and stay there.
pub struct SoftHsm {
    configuration: PathBuf,
}

impl SoftHsm {
    /// Makes the store `folder`/tokens and `folder`/softhsm2.conf.
    pub fn new(folder: &Path) -> io::Result<Self> {
        let tokens = folder.join("tokens");
        fs::create_dir_all(&tokens)?;
        let configuration = fs::canonicalize(folder)?.join("softhsm2.conf");
        let tokens = fs::canonicalize(tokens)?;
        fs::write(
            &configuration,
            format!(
                "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
                tokens.display()
            ),
        )?;
        Ok(Self { configuration })
    }

    /// The same, where the module must be installed: programs that the caller starts will load it.
    pub fn installed(folder: &Path) -> io::Result<Self> {
        if !Path::new(crate::SOFTHSM_MODULE).exists() {
            let problem = format!("there is no {} (Debian: softhsm2)", crate::SOFTHSM_MODULE);
            return Err(io::Error::new(io::ErrorKind::NotFound, problem));
        }
        Self::new(folder)
    }

    /// The file that `SOFTHSM2_CONF` names.
    pub fn configuration(&self) -> &Path {
        &self.configuration
    }
}
