//! A store of software PKCS#11 tokens.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A SoftHSM store of its own; its tokens are in the caller's folder and stay there.
pub struct SoftHsm {
    configuration: PathBuf,
    tokens: PathBuf,
}

/// The records of a store's tokens: the file that each token has of itself, and what was in it.
///
/// SoftHSM 2.6.1 empties it at each login and writes it anew: who is killed between the two leaves no token. A token in hardware is still there.
pub struct TokenRecords(Vec<(PathBuf, Vec<u8>)>);

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
        Ok(Self {
            configuration,
            tokens,
        })
    }

    /// The same, where the module must be installed: programs that the caller starts will load it.
    pub fn installed(folder: &Path) -> io::Result<Self> {
        if !Path::new(crate::SOFTHSM_MODULE).exists() {
            let problem = format!("there is no {} (Debian: softhsm2)", crate::SOFTHSM_MODULE);
            return Err(io::Error::new(io::ErrorKind::NotFound, problem));
        }
        Self::new(folder)
    }

    /// The records of its tokens as they are.
    pub fn records(&self) -> io::Result<TokenRecords> {
        let mut records = Vec::new();
        for token in fs::read_dir(&self.tokens)? {
            let path = token?.path().join("token.object");
            match fs::read(&path) {
                Ok(record) => records.push((path, record)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(TokenRecords(records))
    }

    /// The file that `SOFTHSM2_CONF` names.
    pub fn configuration(&self) -> &Path {
        &self.configuration
    }
}

impl TokenRecords {
    /// Puts a record back that lost its end since. Nobody uses the store.
    pub fn put_back(&self) -> io::Result<()> {
        for (path, record) in &self.0 {
            match fs::metadata(path) {
                Ok(file) if file.len() < record.len() as u64 => fs::write(path, record)?,
                Ok(_) => {}
                // Somebody took the token away.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_lost_its_end_is_put_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = SoftHsm::new(folder.path()).unwrap();
        let record = |token: &str| folder.path().join("tokens").join(token).join("token.object");
        for token in ["one", "other", "gone"] {
            fs::create_dir(record(token).parent().unwrap()).unwrap();
            fs::write(record(token), "whole").unwrap();
        }
        let records = store.records().unwrap();
        fs::write(record("one"), "").unwrap();
        fs::write(record("other"), "later").unwrap();
        fs::remove_file(record("gone")).unwrap();
        records.put_back().unwrap();
        assert_eq!(fs::read_to_string(record("one")).unwrap(), "whole");
        assert_eq!(fs::read_to_string(record("other")).unwrap(), "later");
        assert!(!record("gone").exists());
    }
}
