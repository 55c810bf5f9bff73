//! The other tools of the suite, as processes.

use std::path::{Path, PathBuf};

use crate::failure::{Exit, Failure, Outcome};

/// The folder of this program, in which its siblings are; never PATH.
pub fn siblings() -> Outcome<PathBuf> {
    let executable = std::env::current_exe().and_then(std::fs::canonicalize);
    let executable =
        executable.map_err(|error| Failure::of(Exit::Failed, &error).within("this program's own place"))?;
    Ok(executable.parent().map_or_else(PathBuf::new, Path::to_owned))
}
