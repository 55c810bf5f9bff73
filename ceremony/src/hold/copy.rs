//! Copies on media, each read again from the medium.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use ceremony::log::{CopyMade, Did};
use ceremony::script::{Copy, Seat, Word};
use cli::{Exit, Failure, Outcome};
use key_metadata::Digest;
use rustix::fs::{Advice, fadvise};
use sha2::{Digest as _, Sha256};

use super::Ceremony;
use super::stop::{Go, Stop};

impl Ceremony<'_> {
    /// Copies files to media, and reads each copy again.
    pub fn copy(&mut self, step: &Word, by: Vec<Seat>, copy: &Copy) -> Go {
        let mut media = Vec::new();
        for medium in &copy.to {
            media.push((medium.clone(), self.medium(medium)?));
        }
        let list: Vec<String> = media
            .iter()
            .map(|(name, path)| format!("{name} ({})", path.display()))
            .collect();
        let what: Vec<String> = copy
            .files
            .iter()
            .map(|path| self.fill(&path.display().to_string()))
            .collect::<Outcome<_>>()?;
        self.screen
            .paragraph(&format!("Copy {} to {}.", what.join(", "), list.join(" and ")))?;
        self.go_on(step, "\n[Enter] to copy   [e] exception   [Ctrl-C] more: ")?;
        let mut copies = Vec::new();
        for (medium, root) in &media {
            for file in &copy.files {
                match self.copy_one(medium, root, file) {
                    Ok(made) => {
                        self.screen
                            .paragraph(&format!("{medium}: {} {}", made.file, made.sha256))?;
                        copies.push(made);
                    }
                    Err(failure) => {
                        self.screen.paragraph(&failure.to_string())?;
                        self.retry(step, "to try again")?;
                        return Err(Stop::Again);
                    }
                }
            }
        }
        self.did(step, by, Did::Copy { copies })?;
        self.screen
            .paragraph("Every copy was read again and is the same.")?;
        self.go_on(step, "\n[Enter] go on: ")
    }

    /// Where a medium is.
    fn medium(&self, name: &Word) -> Outcome<PathBuf> {
        let said = self.setting.media.get(name).cloned();
        let material = self.setting.script.materials.get(name);
        let path = said.or_else(|| material.and_then(|material| material.path.clone()));
        let path = path.ok_or_else(|| {
            Failure::new(
                Exit::PartWay,
                format!("the script gives no path of medium '{name}'"),
            )
        })?;
        Ok(self.setting.site.path(path))
    }

    fn copy_one(&self, medium: &Word, root: &Path, file: &Path) -> Outcome<CopyMade> {
        if !root.is_dir() {
            let failure = Failure::new(
                Exit::PartWay,
                format!("medium '{medium}' is not at {}", root.display()),
            );
            return Err(failure.hint("put it into its drive and mount it there".to_owned()));
        }
        let (from, name) = match file.to_str() {
            Some("log") => (
                self.folder.path().to_owned(),
                Path::new("ceremonies").join(self.setting.script.id()),
            ),
            Some(_) | None => {
                let filled = PathBuf::from(self.fill(&file.display().to_string())?);
                (self.setting.site.path(&filled), filled)
            }
        };
        let mut manifest = Vec::new();
        let mut size = 0;
        for path in files_below(&from).map_err(|error| failed(&from, &error))? {
            let below = path.strip_prefix(&from).map_or(Path::new(""), |below| below);
            let there = if below.as_os_str().is_empty() {
                root.join(&name)
            } else {
                root.join(&name).join(below)
            };
            let (digest, length) = copied(&path, &there).map_err(|error| failed(&there, &error))?;
            size += length;
            manifest.push((below.display().to_string(), digest));
        }
        let sha256 = match manifest.as_slice() {
            [(below, only)] if below.is_empty() => *only,
            // A folder is known by the digests of its files, as sha256sum prints them.
            many => {
                let lines = many.iter().map(|(below, digest)| format!("{digest}  {below}\n"));
                Digest::of(lines.collect::<String>().as_bytes())
            }
        };
        Ok(CopyMade {
            medium: medium.clone(),
            file: name.display().to_string(),
            sha256,
            size,
        })
    }
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::of(Exit::PartWay, error).within(format!("copying to {}", path.display()))
}

/// The files below a folder, in order; a file is its own. Links are not followed, and no lock or half-written file is taken.
fn files_below(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::symlink_metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut names: Vec<PathBuf> = fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    names.sort();
    let mut files = Vec::new();
    for name in names {
        let hidden = name
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden {
            files.extend(files_below(&name)?);
        }
    }
    Ok(files)
}

/// Copies a file, waits for the medium, and reads it again from there; digest and length of what was read.
fn copied(from: &Path, to: &Path) -> io::Result<(Digest, u64)> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut name = to.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    let mut source = File::open(from)?;
    let mut copy = File::create(&part)?;
    let (written, _) = digest_of(&mut source, &mut copy)?;
    copy.sync_all()?;
    // Otherwise the machine's memory would be read, not the medium.
    fadvise(&copy, 0, None, Advice::DontNeed)?;
    drop(copy);
    fs::rename(&part, to)?;
    if let Some(folder) = to.parent() {
        File::open(folder)?.sync_all()?;
    }
    let (read, length) = digest_of(&mut File::open(to)?, &mut io::sink())?;
    if read == written {
        Ok((read, length))
    } else {
        Err(io::Error::other("what is on the medium is not what was written"))
    }
}

/// Digest and length of all that comes, which is passed on.
pub fn digest_of(from: &mut impl Read, to: &mut impl Write) -> io::Result<(Digest, u64)> {
    let (mut hash, mut length) = (Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok((<[u8; 32]>::from(hash.finalize()).into(), length));
        }
        let chunk = buffer.get(..read).map_or(&[][..], |chunk| chunk);
        hash.update(chunk);
        to.write_all(chunk)?;
        length += read as u64;
    }
}
