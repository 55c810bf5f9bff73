//! The recording of the screen: asciicast v2, output only. What people type is not in it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use key_metadata::{Advice, Digest, Time};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::log::CastMark;

/// The columns of the screen that is recorded.
pub const WIDTH: u16 = 80;
/// Its lines.
pub const HEIGHT: u16 = 24;

/// A recording that is being made. Each event is in the file when the call that wrote it is over; after an interruption a new file is begun.
pub struct Recording {
    path: PathBuf,
    name: String,
    file: File,
    offset: u64,
    sha256: Sha256,
    last: Duration,
    /// The begin of a character whose end is still to come.
    begun: Vec<u8>,
}

/// Why a recording cannot be made or looked at.
#[derive(Debug, thiserror::Error)]
#[error("{what} {}", path.display())]
pub struct CastError {
    /// What was tried.
    pub what: &'static str,
    /// The file.
    pub path: PathBuf,
    /// The cause.
    pub source: io::Error,
}

impl Advice for CastError {
    fn hint(&self) -> Option<String> {
        match self.source.kind() {
            io::ErrorKind::AlreadyExists => {
                Some("a recording is never written on: begin the next number".to_owned())
            }
            io::ErrorKind::StorageFull => Some("make room on the medium, and go on".to_owned()),
            _ => None,
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}

#[derive(Serialize)]
struct Header<'t> {
    version: u8,
    width: u16,
    height: u16,
    timestamp: i64,
    title: &'t str,
}

impl Recording {
    /// Makes the file, which must not be there, and waits until the disk has it. `started` is the instant from which the times of the events
    /// are counted.
    pub fn create(path: &Path, title: &str, started: Time) -> Result<Self, CastError> {
        let failed = |source| CastError {
            what: "making the recording",
            path: path.to_owned(),
            source,
        };
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).open(path).map_err(failed)?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let mut recording = Self {
            path: path.to_owned(),
            name: name.map_or_else(String::new, |name| name),
            file,
            offset: 0,
            sha256: Sha256::new(),
            last: Duration::ZERO,
            begun: Vec::new(),
        };
        let header = serde_json::to_string(&Header {
            version: 2,
            width: WIDTH,
            height: HEIGHT,
            timestamp: started.unix_seconds(),
            title,
        });
        let header = header.map_err(|error| failed(error.into()))?;
        recording.write_line(&header)?;
        recording.sync()?;
        crate::log::sync_folder(path).map_err(failed)?;
        Ok(recording)
    }

    /// Records what the screen was given, so long after the start. A character whose bytes come in several calls is recorded with the last.
    pub fn output(&mut self, since_start: Duration, bytes: &[u8]) -> Result<(), CastError> {
        self.begun.extend_from_slice(bytes);
        let text = take_text(&mut self.begun);
        self.event(since_start, &text)
    }

    /// Ends the recording: what is left of an unfinished character is recorded as U+FFFD, and the disk has all of it.
    pub fn end(mut self, since_start: Duration) -> Result<CastMark, CastError> {
        let left = std::mem::take(&mut self.begun);
        self.event(since_start, &String::from_utf8_lossy(&left))?;
        self.sync()?;
        Ok(self.mark())
    }

    /// Waits until the disk has all events.
    pub fn sync(&self) -> Result<(), CastError> {
        let synced = self.file.sync_data();
        synced.map_err(|source| self.failed("waiting for the disk with", source))
    }

    /// What is in the file by now.
    pub fn mark(&self) -> CastMark {
        let sha256: [u8; 32] = self.sha256.clone().finalize().into();
        CastMark {
            file: self.name.clone(),
            offset: self.offset,
            sha256: Digest::from(sha256),
        }
    }

    fn event(&mut self, since_start: Duration, text: &str) -> Result<(), CastError> {
        if text.is_empty() {
            return Ok(());
        }
        // Players want times that do not run backwards.
        self.last = self.last.max(since_start);
        let text = serde_json::to_string(text).map_err(|error| self.failed("writing", error.into()))?;
        let (seconds, micros) = (self.last.as_secs(), self.last.subsec_micros());
        self.write_line(&format!("[{seconds}.{micros:06},\"o\",{text}]"))
    }

    /// Where a write ended half-way (a full disk), the next one begins at the same place: the mark is always that of whole lines.
    fn write_line(&mut self, line: &str) -> Result<(), CastError> {
        let line = format!("{line}\n");
        let written = self.file.write_all_at(line.as_bytes(), self.offset);
        written.map_err(|source| self.failed("writing", source))?;
        self.offset += line.len() as u64;
        self.sha256.update(&line);
        Ok(())
    }

    fn failed(&self, what: &'static str, source: io::Error) -> CastError {
        CastError {
            what,
            path: self.path.clone(),
            source,
        }
    }
}

/// Takes the text off the bytes, but for the begin of a character at the end. What can be no character becomes U+FFFD.
fn take_text(bytes: &mut Vec<u8>) -> String {
    let mut text = String::new();
    let mut taken = 0;
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        taken += chunk.valid().len();
        let is_last = taken + chunk.invalid().len() == bytes.len();
        if is_last && may_go_on(chunk.invalid()) {
            break;
        }
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
        taken += chunk.invalid().len();
    }
    bytes.drain(..taken);
    text
}

/// Whether more bytes can make a character of these.
fn may_go_on(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

/// What is in a recording that is not being made any more, the torn line at its end included, if a kill left one.
pub fn mark_of(path: &Path) -> Result<CastMark, CastError> {
    let failed = |source| CastError {
        what: "reading the recording",
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(failed)?;
    let (mut sha256, mut offset) = (Sha256::new(), 0);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(error)),
        };
        sha256.update(buffer.get(..count).map_or(&[][..], |read| read));
        offset += count as u64;
    }
    let sha256: [u8; 32] = sha256.finalize().into();
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(CastMark {
        file: name.map_or_else(String::new, |name| name),
        offset,
        sha256: Digest::from(sha256),
    })
}
