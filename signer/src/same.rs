//! Whether what is written is what is there already.

use std::io::{self, Read, Write};

/// Takes what is written, as long as the same comes from a reader.
pub struct Same<R> {
    there: R,
    /// Whether something else was written.
    pub differs: bool,
    octets: Vec<u8>,
}

impl<R: Read> Same<R> {
    pub const fn new(there: R) -> Self {
        Self {
            there,
            differs: false,
            octets: Vec::new(),
        }
    }

    /// Whether all that is there was written.
    pub fn is_at_the_end(&mut self) -> io::Result<bool> {
        Ok(!self.differs && self.there.read(&mut [0])? == 0)
    }
}

impl<R: Read> Write for Same<R> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.octets.resize(octets.len(), 0);
        match self.there.read_exact(&mut self.octets) {
            Ok(()) if self.octets == octets => Ok(octets.len()),
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
            Ok(()) | Err(_) => {
                self.differs = true;
                Err(io::Error::other("it is another"))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
