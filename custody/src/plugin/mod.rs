//! age plugins: programs that know a custodian's hardware (<https://c2sp.org/age-plugin>).
//!
//! The crate age would start them with our environment, in which a variable can have a plugin take a simulator for the hardware, or write
//! what it hears into a file. So they are started and spoken with here.

mod connection;
mod error;
mod identity;
mod recipient;
mod stanza;

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use age_core::primitives::bech32_decode;

use crate::dialogue::Dialogue;

pub use error::PluginError;
pub(crate) use identity::PluginIdentity;
pub(crate) use recipient::PluginRecipient;

/// Where plugins are found, what they get of our environment, and who answers their questions.
#[derive(Clone, Debug)]
pub struct Plugins {
    path: OsString,
    home: Option<OsString>,
    dialogue: Dialogue,
}

impl Plugins {
    /// Plugins of the folders in `path`, which is our `PATH`. They get it, and `home` as `HOME`, where some keep their configuration:
    /// whoever sets either has chosen the programs already. They get nothing else.
    pub fn new(path: Option<OsString>, home: Option<OsString>, dialogue: Dialogue) -> Self {
        Self {
            path: path.map_or_else(OsString::new, |path| path),
            home,
            dialogue,
        }
    }

    /// No plugins, and nobody to ask.
    pub fn none() -> Self {
        Self::new(None, None, Dialogue::NOBODY)
    }

    /// Who answers.
    pub fn dialogue(&self) -> &Dialogue {
        &self.dialogue
    }

    fn path(&self) -> &OsStr {
        &self.path
    }

    fn home(&self) -> Option<&OsStr> {
        self.home.as_deref()
    }

    /// The program of a plugin. Folders that are relative to where we happen to be are left out.
    pub(crate) fn find(&self, name: &PluginName) -> Result<PathBuf, PluginError> {
        let binary = name.binary();
        let folders = std::env::split_paths(&self.path).filter(|folder| folder.is_absolute());
        let mut programs = folders.map(|folder| folder.join(&binary));
        programs
            .find(|program| is_program(program))
            .ok_or(PluginError::Missing { binary })
    }
}

fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// The name of a plugin: letters, digits and `+-._`, so that it names no other folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PluginName(String);

impl PluginName {
    /// Of the recipient `age1name1...`.
    pub(crate) fn of_recipient(recipient: &str) -> Option<Self> {
        human_part(recipient).and_then(|human| Self::checked(human.strip_prefix("age1")?))
    }

    /// Of the identity `AGE-PLUGIN-NAME-1...`.
    pub(crate) fn of_identity(identity: &str) -> Option<Self> {
        let human = human_part(identity)?;
        let name = human.strip_prefix("AGE-PLUGIN-")?.strip_suffix('-')?;
        Self::checked(&name.to_ascii_lowercase())
    }

    fn checked(name: &str) -> Option<Self> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte);
        (!name.is_empty() && name.bytes().all(good)).then(|| Self(name.to_owned()))
    }

    /// The program's name.
    pub(crate) fn binary(&self) -> String {
        format!("age-plugin-{}", self.0)
    }
}

/// What a Bech32 text is of, if its checksum is right.
fn human_part(text: &str) -> Option<String> {
    bech32_decode(text, |_| (), |_| Ok(()), |human, _| Ok(human.as_str().to_owned())).ok()
}
