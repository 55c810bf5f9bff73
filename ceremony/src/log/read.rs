//! Reading a log, line by line.

use std::io::{self, BufRead};

use super::entry::LONGEST_LINE;

/// What follows the last whole line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Nothing.
    Nothing,
    /// Bytes without a line's end: the program was interrupted while it wrote them, or somebody cut them off.
    Torn(Vec<u8>),
}

/// The lines of a log.
pub struct Lines<R> {
    from: R,
    number: u64,
    tail: Tail,
}

/// Why a log could not be read on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file.
    #[error("reading line {line}")]
    Io {
        /// The line, from 1.
        line: u64,
        /// The cause.
        source: io::Error,
    },
    /// A line that is longer than any can be; nothing after it is read.
    #[error("line {line} is longer than {LONGEST_LINE} bytes")]
    TooLong {
        /// The line, from 1.
        line: u64,
    },
}

/// The lines of a log, from its first.
pub fn read_lines<R: BufRead>(from: R) -> Lines<R> {
    Lines {
        from,
        number: 0,
        tail: Tail::Nothing,
    }
}

impl<R: BufRead> Lines<R> {
    /// What followed the last whole line; known when there is no further one.
    pub fn tail(&self) -> &Tail {
        &self.tail
    }

    /// The next line, its end included, into `line`; whether there was one.
    pub fn next_into(&mut self, line: &mut Vec<u8>) -> Result<Option<u64>, ReadError> {
        line.clear();
        self.number += 1;
        let number = self.number;
        let limit = LONGEST_LINE as u64 + 1;
        let mut limited = io::Read::take(&mut self.from, limit);
        let read = limited.read_until(b'\n', line);
        read.map_err(|source| ReadError::Io { line: number, source })?;
        match line.last() {
            Some(b'\n') if line.len() <= LONGEST_LINE => Ok(Some(number)),
            Some(_) if line.len() > LONGEST_LINE => Err(ReadError::TooLong { line: number }),
            Some(_) => {
                self.tail = Tail::Torn(std::mem::take(line));
                Ok(None)
            }
            None => Ok(None),
        }
    }
}
