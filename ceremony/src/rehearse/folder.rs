//! The folder of a rehearsal, which has all that it makes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::script::{Seat, Word};

use super::people;

/// The folder of a rehearsal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageFolder(PathBuf);

/// The file that says what the folder is, and that it may be removed.
const MARK: &str = "REHEARSAL";
const MARK_TEXT: &str = "This folder is a rehearsal's. Its keys, signatures and log are practice, and none of them is fit for use.
The next rehearsal in it removes it.
";

/// What is at a path where a rehearsal's folder shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occupant {
    /// Nothing, or an empty folder.
    Nobody,
    /// A rehearsal before.
    Rehearsal,
    /// Something else.
    Stranger,
}

impl StageFolder {
    /// What is at that path.
    pub fn occupant(path: &Path) -> io::Result<Occupant> {
        if path.join(MARK).is_file() {
            return Ok(Occupant::Rehearsal);
        }
        match fs::read_dir(path) {
            Ok(mut entries) => Ok(match entries.next() {
                None => Occupant::Nobody,
                Some(_) => Occupant::Stranger,
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Occupant::Nobody),
            Err(error) => Err(error),
        }
    }

    /// Makes an empty one at that path; a rehearsal that was there is removed. What is there must be no stranger.
    pub fn make(path: &Path) -> io::Result<Self> {
        if Self::occupant(path)? == Occupant::Rehearsal {
            fs::remove_dir_all(path)?;
        }
        fs::create_dir_all(path)?;
        let folder = Self(fs::canonicalize(path)?);
        fs::write(folder.0.join(MARK), MARK_TEXT)?;
        for made in [
            folder.site(),
            folder.0.join("media"),
            folder.people(),
            folder.shares(),
        ] {
            fs::create_dir(made)?;
        }
        Ok(folder)
    }

    /// The one that is there.
    pub fn open(path: &Path) -> io::Result<Self> {
        fs::canonicalize(path).map(Self)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The site.
    pub fn site(&self) -> PathBuf {
        self.0.join("site")
    }

    /// What a TPM keeps.
    pub fn tpm(&self) -> PathBuf {
        self.0.join("tpm")
    }

    /// The folders of SoftHSM's tokens.
    pub fn tokens(&self) -> PathBuf {
        self.0.join("tokens")
    }

    /// Where tokens are while they are absent.
    pub fn absent(&self) -> PathBuf {
        self.0.join("absent")
    }

    /// What stands for a medium in its drive.
    pub fn medium(&self, name: &Word) -> PathBuf {
        self.0.join("media").join(name.as_str())
    }

    /// A medium while something else is in its drive.
    pub fn taken_medium(&self, name: &Word) -> PathBuf {
        self.0.join("media").join(format!("{name}.taken"))
    }

    /// The private keys of the people.
    pub fn people(&self) -> PathBuf {
        self.0.join("people")
    }

    /// What stands for the medium that custodians' shares are dealt to, and given from: outside of the site, which has the bundles.
    pub fn shares(&self) -> PathBuf {
        self.0.join("shares")
    }

    /// The private key of a seat.
    pub fn key(&self, seat: &Seat) -> PathBuf {
        people::key_file(&self.people(), seat)
    }

    /// What the program answers that holds the ceremony.
    pub fn part(&self) -> PathBuf {
        self.0.join("part.json")
    }

    /// A PIN that no token has.
    pub fn wrong_pin(&self) -> PathBuf {
        self.0.join("wrong-pin")
    }

    /// The right site.yaml while a wrong one is there.
    pub fn right_site(&self) -> PathBuf {
        self.0.join("site.yaml.right")
    }

    /// What the screen showed.
    pub fn screens(&self) -> PathBuf {
        self.0.join("screens.txt")
    }

    /// What the programs said on stderr.
    pub fn talk(&self) -> PathBuf {
        self.0.join("talk.txt")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_rehearsal_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stage");
        assert_eq!(StageFolder::occupant(&path).unwrap(), Occupant::Nobody);
        let stage = StageFolder::make(&path).unwrap();
        fs::write(stage.path().join("old"), "").unwrap();
        assert_eq!(StageFolder::occupant(&path).unwrap(), Occupant::Rehearsal);
        assert!(!StageFolder::make(&path).unwrap().path().join("old").exists());
        fs::write(folder.path().join("thesis"), "").unwrap();
        assert_eq!(StageFolder::occupant(folder.path()).unwrap(), Occupant::Stranger);
    }
}
