//! The log, read once from its first byte to its last.

use std::fs::File;
use std::io::{self, BufReader};

use key_metadata::Digest;
use sha2::{Digest as _, Sha256};

use super::VerifyError;
use crate::log::{Body, CeremonyFolder, Entry, Genesis, ReadError, Seal, Tail, Tree, leaf, read_lines};

/// What is in the log, and what is wrong with its lines.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// How many whole lines there are.
    pub(super) count: u64,
    /// The entries with the number of their line; lines that are none are left out.
    pub(super) entries: Vec<(u64, Entry)>,
    /// Lines that are no entries, and why.
    pub(super) broken: Vec<(u64, String)>,
    /// Lines that do not follow the line before, and why.
    pub(super) unchained: Vec<(u64, String)>,
    /// What is wrong with the file as a whole.
    pub(super) file: Vec<String>,
    /// The seals.
    pub(super) seals: Vec<Sealed>,
}

/// A seal, and what the log was then.
#[derive(Clone, Debug)]
pub(super) struct Sealed {
    /// The line.
    pub(super) line: u64,
    /// What the entry says.
    pub(super) seal: Seal,
    /// The root of the tree over all lines up to this one.
    pub(super) root: Digest,
    /// What the TPM's index must hold then; `None` where the log has no TPM.
    pub(super) log_value: Option<Digest>,
}

impl Record {
    /// Reads the log of a folder. That it is not there is told like everything else that is wrong with it.
    pub(super) fn read(folder: &CeremonyFolder) -> Result<Self, VerifyError> {
        let path = folder.log();
        let mut record = Self::default();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                record.file.push("there is no log.jsonl".to_owned());
                return Ok(record);
            }
            Err(source) => return Err(VerifyError::Read { path, source }),
        };
        let mut lines = read_lines(BufReader::with_capacity(1 << 16, file));
        let (mut line, mut reading) = (Vec::new(), Reading::default());
        loop {
            match lines.next_into(&mut line) {
                Ok(Some(number)) => record.take(number, &line, &mut reading),
                Ok(None) => break,
                Err(error @ ReadError::TooLong { .. }) => {
                    record.file.push(error.to_string());
                    return Ok(record);
                }
                Err(ReadError::Io { source, .. }) => return Err(VerifyError::Read { path, source }),
            }
        }
        match lines.tail() {
            Tail::Nothing if record.count == 0 => record.file.push("log.jsonl is empty".to_owned()),
            Tail::Nothing => {}
            Tail::Torn(torn) => record.file.push(format!(
                "{} bytes after line {} have no line end",
                torn.len(),
                record.count
            )),
        }
        Ok(record)
    }

    fn take(&mut self, number: u64, line: &[u8], reading: &mut Reading) {
        self.count = number;
        let text = line.strip_suffix(b"\n").map_or(line, |text| text);
        let digest = Digest::of(line);
        reading.tree.push(leaf(text));
        match Entry::from_line(text) {
            Ok(entry) => self.entry(number, line, entry, digest, reading),
            Err(error) => {
                reading.extend(digest);
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
                let cause = cause.map_or_else(String::new, |cause| cause);
                self.broken.push((number, format!("{error}{cause}")));
            }
        }
        reading.last = digest;
    }

    fn entry(&mut self, number: u64, line: &[u8], entry: Entry, digest: Digest, reading: &mut Reading) {
        // One text for one entry, so that no two readers take it for different things.
        if entry.to_line().map_or(true, |again| again != line) {
            let what = "it is not written as an entry is, with each field once and in its place";
            self.broken.push((number, what.to_owned()));
        }
        if entry.n != number {
            self.unchained
                .push((number, format!("its number is {}", entry.n)));
        }
        if entry.prev != reading.last {
            let what = format!("prev is {}, and the line before has {}", entry.prev, reading.last);
            self.unchained.push((number, what));
        }
        if let Body::Genesis(genesis) = &entry.body
            && number == 1
        {
            reading.log_value = genesis.tpm.as_ref().map(|tpm| tpm.log_value);
        }
        reading.extend(digest);
        if let Body::Seal(seal) = &entry.body {
            self.seals.push(Sealed {
                line: number,
                seal: seal.clone(),
                root: reading.tree.root(),
                log_value: reading.log_value,
            });
        }
        self.entries.push((number, entry));
    }

    /// The first entry, where it is the one that it must be.
    pub(super) fn genesis(&self) -> Option<&Genesis> {
        if let Some((1, entry)) = self.entries.first()
            && let Body::Genesis(genesis) = &entry.body
        {
            return Some(genesis);
        }
        None
    }

    /// The lines of the seals, as a shell's list of the checkpoints' numbers.
    pub(super) fn numbers(&self) -> String {
        let numbers: Vec<_> = self
            .seals
            .iter()
            .map(|sealed| sealed.seal.checkpoint.to_string())
            .collect();
        numbers.join(" ")
    }
}

/// What is carried from line to line.
struct Reading {
    tree: Tree,
    last: Digest,
    log_value: Option<Digest>,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            tree: Tree::default(),
            last: Digest::ZERO,
            log_value: None,
        }
    }
}

impl Reading {
    /// What the TPM does with each line's digest.
    fn extend(&mut self, digest: Digest) {
        self.log_value = self.log_value.map(|before| {
            let both = Sha256::new()
                .chain_update(before.bytes())
                .chain_update(digest.bytes());
            Digest::from(<[u8; 32]>::from(both.finalize()))
        });
    }
}
