//! The files of a ceremony's folder, as far as they are there.

use std::fs;
use std::io;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use key_metadata::Digest;

use super::VerifyError;
use crate::log::CeremonyFolder;

/// The bytes of a file; `None` where there is no such file.
pub(super) fn read(folder: &CeremonyFolder, name: &str) -> Result<Option<Vec<u8>>, VerifyError> {
    let path = folder.file(name);
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(source) => Err(VerifyError::Read { path, source }),
    }
}

/// Something else in its place is no file either.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory
    )
}

/// The digest of a file; `None` where there is no such file.
pub(super) fn digest(folder: &CeremonyFolder, name: &str) -> Result<Option<Digest>, VerifyError> {
    let path = folder.file(name);
    match fs::File::open(&path).and_then(|mut file| copy(&mut file, None)) {
        Ok((digest, _)) => Ok(Some(digest)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(source) => Err(VerifyError::Read { path, source }),
    }
}

/// The length of a file; `None` where there is no such file.
pub(super) fn length(folder: &CeremonyFolder, name: &str) -> Result<Option<u64>, VerifyError> {
    let path = folder.file(name);
    match fs::metadata(&path) {
        Ok(found) => Ok(found.is_file().then_some(found.len())),
        Err(error) if is_absent(&error) => Ok(None),
        Err(source) => Err(VerifyError::Read { path, source }),
    }
}

/// The digest of the first `length` bytes of a file, or of what there is, and how much that is.
pub(super) fn digest_of_start(
    folder: &CeremonyFolder,
    name: &str,
    length: u64,
) -> Result<Option<(Digest, u64)>, VerifyError> {
    let path = folder.file(name);
    match fs::File::open(&path).and_then(|mut file| copy(&mut file, Some(length))) {
        Ok(read) => Ok(Some(read)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(source) => Err(VerifyError::Read { path, source }),
    }
}

fn copy(file: &mut fs::File, length: Option<u64>) -> io::Result<(Digest, u64)> {
    use sha2::Digest as _;
    let mut hash = sha2::Sha256::new();
    let mut limited = io::Read::take(file, length.map_or(u64::MAX, |length| length));
    let read = io::copy(&mut limited, &mut hash)?;
    Ok((Digest::from(<[u8; 32]>::from(hash.finalize())), read))
}

/// The names in a folder of the ceremony (`.` is the ceremony's own), sorted. None where it is not there.
pub(super) fn names(folder: &CeremonyFolder, within: &str) -> Result<Vec<String>, VerifyError> {
    let path = folder.file(within);
    let failed = |source| VerifyError::Read {
        path: path.clone(),
        source,
    };
    let found = match fs::read_dir(&path) {
        Ok(found) => found,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(source) => return Err(failed(source)),
    };
    let mut names = Vec::new();
    for entry in found {
        let entry = entry.map_err(failed)?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// A public key as its PEM file must be, from the base64 of its DER; `None` for what is no base64.
pub(super) fn pem(key: &str) -> Option<String> {
    let der = BASE64_STANDARD.decode(key).ok()?;
    let mut text = "-----BEGIN PUBLIC KEY-----\n".to_owned();
    for line in BASE64_STANDARD.encode(der).as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text.push_str("-----END PUBLIC KEY-----\n");
    Some(text)
}
