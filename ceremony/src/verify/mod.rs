//! What an auditor makes of a ceremony's folder, without a token, a network or a clock.

mod argv;
mod checkpoint;
mod claim;
mod evidence;
mod files;
mod followed;
mod identity;
mod lines;
mod live;
mod look;
mod present;
mod previous;
mod record;
mod signed;
mod statement;
mod token;
mod trust;

use std::io;
use std::path::PathBuf;

use key_metadata::Advice;

pub use claim::{Claim, ClaimVerdict, Verification};
pub use live::{LiveError, verify_live};

use crate::log::CeremonyFolder;
use crate::script::Script;
use record::Record;

/// The script `verify.sh` that is put into every ceremony's folder: the same claims by stock tools.
pub const VERIFY_SH: &str = include_str!("../../data/verify.sh");

/// Why nobody can say whether a ceremony holds.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// There is no such folder.
    #[error("there is no folder {}", path.display())]
    NoFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A file that is there cannot be read.
    #[error("reading {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl Advice for VerifyError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NoFolder { .. } => {
                Some("name the folder of the ceremony, the one with log.jsonl: SITE/ceremonies/ID".to_owned())
            }
            Self::Read { .. } => None,
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}

/// Looks at every claim of a ceremony. What is missing or wrong in its folder is a claim that fails; an error is only that the folder cannot be
/// read. `previous` is the folder of the ceremony before.
pub fn verify(
    folder: &CeremonyFolder,
    previous: Option<&CeremonyFolder>,
) -> Result<Verification, VerifyError> {
    for folder in [Some(folder), previous].into_iter().flatten() {
        if !folder.path().is_dir() {
            let path = folder.path().to_owned();
            return Err(VerifyError::NoFolder { path });
        }
    }
    let record = Record::read(folder)?;
    let script = script(folder)?;
    let mut claims = lines::claims(&record);
    claims.extend(identity::claims(folder, &record)?);
    claims.extend(checkpoint::claims(folder, &record)?);
    claims.extend(signed::claims(folder, &record)?);
    claims.extend(statement::claims(folder, &record)?);
    claims.push(token::claim(folder, &record)?);
    claims.extend(evidence::claims(folder, &record)?);
    claims.push(followed::claim(&record, &script));
    claims.extend(present::claims(folder, &record, &script)?);
    claims.push(previous::claim(&record, previous)?);
    claims.push(trust::claim(folder, &record)?);
    Ok(Verification { claims })
}

/// The script, or why it cannot be read.
fn script(folder: &CeremonyFolder) -> Result<Result<Script, String>, VerifyError> {
    let Some(bytes) = files::read(folder, "script.yaml")? else {
        return Ok(Err("there is no script.yaml".to_owned()));
    };
    let text = String::from_utf8_lossy(&bytes);
    Ok(Script::from_yaml(&text).map_err(|error| format!("script.yaml: {error}")))
}
