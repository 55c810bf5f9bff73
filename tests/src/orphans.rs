//! Processes that outlived a run.

use std::fs;
use std::io;
use std::path::Path;

/// Processes other than this one whose command line names `folder`.
pub fn orphans(folder: &Path) -> io::Result<Vec<String>> {
    let folder = fs::canonicalize(folder)?.display().to_string();
    let own = std::process::id().to_string();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let pid = entry.file_name().to_string_lossy().into_owned();
        if pid == own || !pid.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        // A process may end while it is looked at.
        let command = fs::read(entry.path().join("cmdline")).map_or_else(|_| Vec::new(), |command| command);
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        if command.contains(&folder) {
            found.push(format!("{pid} {command}"));
        }
    }
    Ok(found)
}
