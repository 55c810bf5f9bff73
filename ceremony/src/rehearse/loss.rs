//! Tokens that are lost at a step of a rehearsal, for real: nothing of them is left on the stage.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::fault::has_label;
use super::folder::StageFolder;

/// Wipes the token of that label out of the stage's store; whether it was there.
pub fn wipe(stage: &StageFolder, label: &str) -> io::Result<bool> {
    let mut lost: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(stage.tokens())? {
        let path = entry?.path();
        if has_label(&path, label)? {
            lost.push(path);
        }
    }
    for path in &lost {
        fs::remove_dir_all(path)?;
    }
    Ok(!lost.is_empty())
}
