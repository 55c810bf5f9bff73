//! Files that the steps read, wrote, printed and copied.

use key_metadata::Digest;
use serde::Serialize;

use crate::log::{ArtefactRole, Body, Did, Entry};
use crate::script::Word;

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FileSeen {
    /// Its path; null for what a program printed.
    pub path: Option<String>,
    /// SHA-256, and its name in evidence.
    pub sha256: Digest,
    /// Its length, in bytes.
    pub size: u64,
    /// What it was to which steps.
    pub uses: Vec<Use>,
}

/// What a file was to a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Use {
    /// The step.
    pub step: Word,
    /// What it was to it.
    pub role: ArtefactRole,
    /// The line.
    pub line: u64,
}

impl Use {
    /// The use in words.
    pub fn words(&self) -> &'static str {
        match self.role {
            ArtefactRole::Input => "read",
            ArtefactRole::Output => "written",
            ArtefactRole::Printed => "printed on stdout",
            ArtefactRole::Said => "said on stderr",
        }
    }
}

/// The files of these entries, in the order in which they came; the same bytes under the same path are one.
pub fn files(entries: &[(u64, &Entry)]) -> Vec<FileSeen> {
    let mut files: Vec<FileSeen> = Vec::new();
    for &(line, entry) in entries {
        let Body::Artefact(artefact) = &entry.body else {
            continue;
        };
        let used = Use {
            step: artefact.step.clone(),
            role: artefact.role,
            line,
        };
        let same = |seen: &&mut FileSeen| seen.path == artefact.path && seen.sha256 == artefact.sha256;
        match files.iter_mut().find(same) {
            Some(seen) => seen.uses.push(used),
            None => files.push(FileSeen {
                path: artefact.path.clone(),
                sha256: artefact.sha256,
                size: artefact.size,
                uses: vec![used],
            }),
        }
    }
    files
}

/// A copy on a medium.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CopySeen {
    /// The medium.
    pub medium: Word,
    /// The file.
    pub file: String,
    /// SHA-256 of what was read again.
    pub sha256: Digest,
    /// Its length, in bytes.
    pub size: u64,
    /// The line.
    pub line: u64,
}

/// The copies of these entries.
pub fn copies(entries: &[(u64, &Entry)]) -> Vec<CopySeen> {
    let mut copies = Vec::new();
    for &(line, entry) in entries {
        let Body::Step(done) = &entry.body else { continue };
        let Did::Copy { copies: made } = &done.did else {
            continue;
        };
        copies.extend(made.iter().map(|copy| CopySeen {
            medium: copy.medium.clone(),
            file: copy.file.clone(),
            sha256: copy.sha256,
            size: copy.size,
            line,
        }));
    }
    copies
}
