//! Signals, as something that can be waited for.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe::register;

/// Signals that came.
pub struct Signals {
    end: UnixStream,
    again: UnixStream,
}

impl Signals {
    /// Takes SIGTERM and SIGINT, which end a signer, and SIGHUP, which has it sign all zones again.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            end: taken(&[SIGTERM, SIGINT])?,
            again: taken(&[SIGHUP])?,
        })
    }

    /// What there is to wait for.
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.end.as_fd(), self.again.as_fd()]
    }

    /// Whether it is to end. Asked once, it is told once.
    pub fn is_end(&self) -> bool {
        came(&self.end)
    }

    /// Whether all zones are to be signed again.
    pub fn is_again(&self) -> bool {
        came(&self.again)
    }
}

fn taken(signals: &[i32]) -> io::Result<UnixStream> {
    let (read, write) = UnixStream::pair()?;
    read.set_nonblocking(true)?;
    for signal in signals {
        register(*signal, write.try_clone()?)?;
    }
    Ok(read)
}

/// Whether a signal came since it was last asked.
fn came(mut stream: &UnixStream) -> bool {
    let mut any = false;
    // Each signal is an octet; those that are there are one event.
    while stream.read(&mut [0; 64]).is_ok_and(|octets| octets > 0) {
        any = true;
    }
    any
}
