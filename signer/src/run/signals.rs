//! Signals, as something that can be waited for.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
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

    /// Whether it is to end: once it is, whoever asks is told, in any thread.
    pub fn is_end(&self) -> bool {
        let mut end = [PollFd::from_borrowed_fd(self.end.as_fd(), PollFlags::IN)];
        // What came is left there.
        poll(&mut end, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }

    /// Whether all zones are to be signed again. Asked once, it is told once.
    pub fn is_again(&self) -> bool {
        let mut any = false;
        // Each signal is an octet; those that are there are one event.
        while (&self.again).read(&mut [0; 64]).is_ok_and(|octets| octets > 0) {
            any = true;
        }
        any
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

#[cfg(test)]
mod tests {
    use super::*;
    use signal_hook::low_level::raise;

    #[test]
    fn an_end_is_told_to_all_and_a_renewal_once() {
        let signals = Signals::new().unwrap();
        assert!(!signals.is_end() && !signals.is_again());
        raise(SIGTERM).unwrap();
        raise(SIGHUP).unwrap();
        raise(SIGHUP).unwrap();
        assert!(signals.is_end() && signals.is_end());
        assert!(signals.is_again() && !signals.is_again());
    }
}
