//! A store of software PKCS#11 tokens of another make.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Kryoptic tokens of one's own; they are in the caller's folder and stay there.
pub struct Kryoptic {
    configuration: PathBuf,
}

impl Kryoptic {
    /// Makes `folder`/kryoptic.conf with that many slots, each with a token that is to be initialised, in a database of its own beside it.
    pub fn new(folder: &Path, slots: u32) -> io::Result<Self> {
        if !Path::new(crate::KRYOPTIC_MODULE).exists() {
            let problem = format!("there is no {} (run scripts/kryoptic)", crate::KRYOPTIC_MODULE);
            return Err(io::Error::new(io::ErrorKind::NotFound, problem));
        }
        fs::create_dir_all(folder)?;
        let folder = fs::canonicalize(folder)?;
        let mut text = String::new();
        for slot in 0..slots {
            let database = folder.join(format!("kryoptic-{slot}.sql"));
            write!(
                text,
                "[[slots]]\nslot = {slot}\ndbtype = \"sqlite\"\ndbargs = \"{}\"\n",
                database.display()
            )
            .map_err(io::Error::other)?;
        }
        let configuration = folder.join("kryoptic.conf");
        fs::write(&configuration, text)?;
        Ok(Self { configuration })
    }

    /// The file that `KRYOPTIC_CONF` names.
    pub fn configuration(&self) -> &Path {
        &self.configuration
    }
}
