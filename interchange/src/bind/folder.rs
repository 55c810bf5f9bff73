//! Key files in a folder.

use std::fs;
use std::path::{Path, PathBuf};

use key_metadata::ZoneName;
use key_metadata::store::StoreError;

use super::name::KeyFileName;
use super::pair::pair;
use super::{KeyFile, LARGEST_KEY_FILE, MOST_KEYS, PrivateFile, StateFile};
use crate::error::{FieldError, Place, ReadError};
use crate::fields::missing;
use crate::files;
use crate::report::{Exposed, Import, Lost};

/// Reads all keys of a zone that are in the folder, in the order of their files' names. Other files are passed over.
pub fn read_folder(folder: &Path, zone: &ZoneName) -> Result<Import, ReadError> {
    let io = |source| StoreError::Io {
        action: "read",
        path: folder.to_owned(),
        source,
    };
    let mut stems: Vec<String> = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let file = entry.map_err(io)?.file_name();
        let Some(file) = file.to_str() else { continue };
        let stem = [".key", ".private", ".state"]
            .iter()
            .find_map(|suffix| file.strip_suffix(suffix));
        let Some(stem) = stem.filter(|stem| stem.parse().is_ok_and(|name: KeyFileName| name.zone == *zone))
        else {
            continue;
        };
        stems.push(stem.to_owned());
        if stems.len() > 3 * MOST_KEYS {
            return Err(ReadError::TooLarge {
                file: folder.to_owned(),
                limit: MOST_KEYS * LARGEST_KEY_FILE,
            });
        }
    }
    stems.sort_unstable();
    stems.dedup();
    let mut import = Import::default();
    for stem in stems {
        read_into(&mut import, &folder.join(stem))?;
    }
    Ok(import)
}

/// Reads one key; `path` is one of its files, or their common part.
pub fn read_key(path: &Path) -> Result<Import, ReadError> {
    let mut import = Import::default();
    let stem = match path.extension().and_then(|extension| extension.to_str()) {
        Some("key" | "private" | "state") => path.with_extension(""),
        Some(_) | None => path.to_owned(),
    };
    read_into(&mut import, &stem)?;
    Ok(import)
}

fn read_into(import: &mut Import, stem: &Path) -> Result<(), ReadError> {
    let name = stem
        .file_name()
        .and_then(|name| name.to_str())
        .map_or("", |name| name);
    let name: KeyFileName = name.parse().map_err(|source: FieldError| ReadError::Field {
        place: Place::at(stem, None, "the file's name"),
        source,
    })?;
    let with = |suffix: &str| -> PathBuf {
        let mut path = stem.as_os_str().to_owned();
        path.push(suffix);
        path.into()
    };
    let [key_path, private_path, state_path] = [".key", ".private", ".state"].map(with);
    let Some((text, _)) = if_there(&key_path)? else {
        return Err(missing(&key_path, "the public key"));
    };
    let (key, mut lost) = KeyFile::parse(&key_path, &text)?;
    let mut private = None;
    if let Some((text, mode)) = if_there(&private_path)? {
        let (parsed, mut more) = PrivateFile::parse(&private_path, &text)?;
        lost.append(&mut more);
        if mode & 0o077 != 0 {
            import.exposed.push(Exposed {
                file: private_path.clone(),
                mode,
            });
        }
        private = Some(parsed);
    }
    let mut state = None;
    if let Some((text, _)) = if_there(&state_path)? {
        let (parsed, mut more): (StateFile, Vec<Lost>) = StateFile::parse(&state_path, &text)?;
        lost.append(&mut more);
        state = Some(parsed);
    }
    let (key, mut more) = pair(
        &name,
        [&key_path, &private_path, &state_path],
        key,
        private,
        state,
    )?;
    lost.append(&mut more);
    import.keys.push(key);
    import.lost.append(&mut lost);
    Ok(())
}

type Contents = (zeroize::Zeroizing<String>, u32);

fn if_there(path: &Path) -> Result<Option<Contents>, ReadError> {
    match files::read(path, LARGEST_KEY_FILE) {
        Ok(contents) => Ok(Some(contents)),
        Err(ReadError::Store(StoreError::Io { source, .. }))
            if source.kind() == std::io::ErrorKind::NotFound =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
