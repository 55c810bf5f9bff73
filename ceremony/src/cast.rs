//! TEMPORARY until the helper's is merged.
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use key_metadata::{Digest, Time};

use crate::log::CastMark;

pub struct Recorder {
    file: File,
    path: PathBuf,
}

impl Recorder {
    pub fn create(path: &Path, title: &str, at: Time) -> io::Result<Self> {
        let mut file = File::create_new(path)?;
        writeln!(
            file,
            "{{\"version\":2,\"width\":80,\"height\":24,\"timestamp\":{},\"title\":{}}}",
            at.unix_seconds(),
            serde_json::to_string(title)?
        )?;
        Ok(Self {
            file,
            path: path.to_owned(),
        })
    }
    pub fn output(&mut self, since: Duration, text: &str) -> io::Result<()> {
        writeln!(
            self.file,
            "[{:.6},\"o\",{}]",
            since.as_secs_f64(),
            serde_json::to_string(text)?
        )
    }
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.sync_all()
    }
    pub fn mark(&self) -> CastMark {
        mark_of(&self.path).unwrap()
    }
}

pub fn mark_of(path: &Path) -> io::Result<CastMark> {
    let bytes = std::fs::read(path)?;
    Ok(CastMark {
        file: path.file_name().unwrap().to_string_lossy().into_owned(),
        offset: bytes.len() as u64,
        sha256: Digest::of(&bytes),
    })
}
