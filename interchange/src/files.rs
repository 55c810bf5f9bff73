//! Reading foreign files, with limits, and without leaving a copy of a private key behind.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use key_metadata::store::StoreError;
use zeroize::Zeroizing;

use crate::error::ReadError;

/// A file of at most `limit` bytes, in memory that is wiped.
pub(crate) fn read(file: &Path, limit: usize) -> Result<(Zeroizing<String>, u32), ReadError> {
    let refused = |source: io::Error| StoreError::Io {
        action: "read",
        path: file.to_owned(),
        source,
    };
    // Asked for before it is opened: to open a pipe is to wait for its writer.
    let metadata = fs::metadata(file).map_err(refused)?;
    if !metadata.is_file() {
        return Err(refused(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no regular file",
        ))
        .into());
    }
    let length = usize::try_from(metadata.len()).map_or(usize::MAX, |length| length);
    if length > limit {
        return Err(too_large(file, limit));
    }
    let mut opened = File::open(file).map_err(refused)?;
    // One allocation that never grows: a grown one would leave its old bytes behind.
    let mut bytes = Zeroizing::new(vec![0; length + 1]);
    let mut filled = 0;
    loop {
        match opened.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(refused(error).into()),
        }
        if filled > length {
            let grown = io::Error::new(io::ErrorKind::InvalidData, "it grew while it was read");
            return Err(refused(grown).into());
        }
    }
    let text = std::str::from_utf8(&bytes[..filled]).map_err(|_| ReadError::NotText {
        file: file.to_owned(),
    })?;
    Ok((Zeroizing::new(text.to_owned()), mode(&metadata)))
}

pub(crate) fn within(file: &Path, text: &str, limit: usize) -> Result<(), ReadError> {
    if text.len() > limit {
        return Err(too_large(file, limit));
    }
    Ok(())
}

fn too_large(file: &Path, limit: usize) -> ReadError {
    ReadError::TooLarge {
        file: file.to_owned(),
        limit,
    }
}

fn mode(metadata: &fs::Metadata) -> u32 {
    PermissionsExt::mode(&metadata.permissions()) & 0o7777
}
