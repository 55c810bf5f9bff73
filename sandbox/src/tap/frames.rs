//! Commands and answers in a stream of bytes.

use std::io::{self, Read};
use std::net::TcpStream;

use super::recording::Track;

/// The size of a TPM's header, in bytes: tag u16, size u32 of the whole, then the command code or the response code u32 (TPM 2.0
/// Library Part 1, 18).
const HEADER: usize = 10;

/// One direction of a connection, cut up into commands or answers; every byte that comes is recorded, whole or not.
pub struct Frames {
    from: TcpStream,
    track: Track,
    rest: Vec<u8>,
}

impl Frames {
    pub fn new(from: TcpStream, track: Track) -> Self {
        Self {
            from,
            track,
            rest: Vec::new(),
        }
    }

    /// The next one, whole; `None` where the sender has closed.
    pub fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(size) = size(&self.rest)?
                && self.rest.len() >= size
            {
                return Ok(Some(self.rest.drain(..size).collect()));
            }
            let Some(bytes) = hear(&mut self.from, &self.track)? else {
                return Ok(None);
            };
            self.rest.extend_from_slice(&bytes);
        }
    }

    /// Takes what comes until the sender closes, and answers nothing: the sender waits.
    pub fn swallow(&mut self) -> io::Result<()> {
        while hear(&mut self.from, &self.track)?.is_some() {}
        Ok(())
    }
}

/// The bytes that come next, recorded; `None` where the sender has closed.
pub fn hear(from: &mut TcpStream, track: &Track) -> io::Result<Option<Vec<u8>>> {
    let mut buffer = [0; 4096];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(length) => {
                track.add(&buffer[..length]);
                return Ok(Some(buffer[..length].to_vec()));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The size that the header says, once it is there.
fn size(bytes: &[u8]) -> io::Result<Option<usize>> {
    match word(bytes, 2) {
        Some(size) if (size as usize) < HEADER => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a TPM command or answer of {size} bytes"),
        )),
        size => Ok(size.map(|size| size as usize)),
    }
}

/// The command code of a whole command.
pub fn command_code(command: &[u8]) -> u32 {
    // A whole frame has a whole header.
    word(command, 6).map_or(0, |code| code)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    bytes.try_into().ok().map(u32::from_be_bytes)
}
