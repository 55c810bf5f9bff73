//! A log while it is written by another process.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use crate::log::Entry;

/// Somebody who reads a log as it grows.
pub struct Follower {
    log: PathBuf,
    /// Where the first line begins that was not read yet.
    offset: u64,
}

impl Follower {
    /// From its first line; the file may not be there yet.
    pub fn new(log: PathBuf) -> Self {
        Self { log, offset: 0 }
    }

    /// The entries that are whole by now and were not given before.
    pub fn entries(&mut self) -> io::Result<Vec<Entry>> {
        let mut file = match File::open(&self.log) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file?,
        };
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mut entries = Vec::new();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            // The end of one that is being written comes with the next look.
            let Some(whole) = line.strip_suffix(b"\n") else {
                break;
            };
            entries.push(Entry::from_line(whole).map_err(io::Error::other)?);
            self.offset += line.len() as u64;
        }
        Ok(entries)
    }
}
