//! Writing a log: an entry is on the disk before anything else is done.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};

use key_metadata::{Advice, Digest, Time};

use super::body::Body;
use super::entry::{Entry, EntryError};
use super::merkle::{Tree, leaf};
use super::read::{ReadError, Tail, read_lines};
use crate::script::Seat;

/// A log that is being written, by this process alone.
pub struct LogFile {
    path: PathBuf,
    file: File,
    seen: Seen,
}

/// Entries, and what they come to.
#[derive(Default)]
struct Seen {
    entries: Vec<Entry>,
    last: Option<Digest>,
    tree: Tree,
}

/// Why a log cannot be written or read again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The file.
    #[error("{} of {}", what, path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Another process writes it.
    #[error("another keyrite-ceremony is at work on {}", path.display())]
    Busy {
        /// The log.
        path: PathBuf,
    },
    /// A line that cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A line that is no entry.
    #[error("line {line} of {}", path.display())]
    Entry {
        /// The log.
        path: PathBuf,
        /// The line.
        line: u64,
        /// The cause.
        source: EntryError,
    },
    /// A line that does not follow the one before.
    #[error("line {line} of {} does not follow the line before it", path.display())]
    Chain {
        /// The log.
        path: PathBuf,
        /// The line.
        line: u64,
    },
    /// An entry that cannot be written.
    #[error("the entry of type {type_name}")]
    Write {
        /// Its type.
        type_name: &'static str,
        /// The cause.
        source: EntryError,
    },
}

impl Advice for AppendError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Busy { .. } => Some("one ceremony has one screen: end the other one first".to_owned()),
            Self::Entry { .. } | Self::Chain { .. } | Self::Read(_) => Some(
                "the log is not as Keyrite left it: keep it as it is, and look at it with keyrite-ceremony verify"
                    .to_owned(),
            ),
            Self::Io { .. } | Self::Write { .. } => None,
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}

impl LogFile {
    /// Opens the log, makes it where it is not there, and reads what it has. A torn end is given back, and still in the file.
    pub fn open(path: &Path) -> Result<(Self, Tail), AppendError> {
        let failed = |what: &'static str| {
            let path = path.to_owned();
            move |source| AppendError::Io { what, path, source }
        };
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).open(path);
        let file = file.map_err(failed("opening"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(AppendError::Busy {
                    path: path.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed("locking")(source)),
        }
        sync_folder(path).map_err(failed("the folder"))?;
        let mut seen = Seen::default();
        let tail = seen.read(path, &file)?;
        let log = Self {
            path: path.to_owned(),
            file,
            seen,
        };
        Ok((log, tail))
    }

    /// Takes the torn end off the file; the caller has kept it elsewhere.
    pub fn cut_off(&mut self, tail: &Tail) -> Result<(), AppendError> {
        let Tail::Torn(torn) = tail else {
            return Ok(());
        };
        let cut = || {
            let length = self.file.metadata()?.len();
            self.file.set_len(length.saturating_sub(torn.len() as u64))?;
            self.file.sync_all()
        };
        cut().map_err(|source| AppendError::Io {
            what: "cutting the torn end",
            path: self.path.clone(),
            source,
        })
    }

    /// Writes an entry and waits until the disk has it. The time is that of the entry before where `now` is earlier. Its digest.
    pub fn append(&mut self, now: Time, by: Vec<Seat>, body: Body) -> Result<Digest, AppendError> {
        let entry = Entry {
            n: self.seen.entries.len() as u64 + 1,
            prev: self.seen.last(),
            t: self.seen.last_time().map_or(now, |last| last.max(now)),
            by,
            body,
        };
        let line = entry.to_line().map_err(|source| AppendError::Write {
            type_name: entry.body.type_name(),
            source,
        })?;
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        written.map_err(|source| AppendError::Io {
            what: "writing the next entry",
            path: self.path.clone(),
            source,
        })?;
        self.seen.take(&line, entry);
        Ok(self.seen.last())
    }

    /// The entries.
    pub fn entries(&self) -> &[Entry] {
        &self.seen.entries
    }

    /// The digest of the last line: what the next one names, and what is extended into the TPM.
    pub fn last(&self) -> Digest {
        self.seen.last()
    }

    /// The tree over all entries.
    pub fn tree(&self) -> &Tree {
        &self.seen.tree
    }
}

impl Seen {
    /// Reads a log; what follows its last whole line.
    fn read(&mut self, path: &Path, file: &File) -> Result<Tail, AppendError> {
        let mut lines = read_lines(BufReader::new(file));
        let mut line = Vec::new();
        while let Some(number) = lines.next_into(&mut line)? {
            let text = line.strip_suffix(b"\n").map_or(&*line, |text| text);
            let entry = Entry::from_line(text).map_err(|source| AppendError::Entry {
                path: path.to_owned(),
                line: number,
                source,
            })?;
            let backwards = self.last_time().is_some_and(|last| entry.t < last);
            if entry.n != number || entry.prev != self.last() || backwards {
                return Err(AppendError::Chain {
                    path: path.to_owned(),
                    line: number,
                });
            }
            self.take(&line, entry);
        }
        Ok(lines.tail().clone())
    }

    fn take(&mut self, line: &[u8], entry: Entry) {
        let text = line.strip_suffix(b"\n").map_or(line, |text| text);
        self.last = Some(Digest::of(line));
        self.tree.push(leaf(text));
        self.entries.push(entry);
    }

    /// The digest of the last line; zeros before the first.
    fn last(&self) -> Digest {
        self.last.map_or(Digest::ZERO, |last| last)
    }

    fn last_time(&self) -> Option<Time> {
        self.entries.last().map(|entry| entry.t)
    }
}

/// The entries of a log that is not being written, such as that of the ceremony before; each must follow the one before it. A torn end is left out.
pub fn entries(path: &Path) -> Result<Vec<Entry>, AppendError> {
    let file = File::open(path).map_err(|source| AppendError::Io {
        what: "opening",
        path: path.to_owned(),
        source,
    })?;
    let mut seen = Seen::default();
    seen.read(path, &file)?;
    Ok(seen.entries)
}

/// Waits until the disk has the folder of that file.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
