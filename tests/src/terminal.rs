//! A pseudo-terminal.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{
    LocalModes, OptionalActions, OutputModes, Winsize, tcgetattr, tcsetattr, tcsetwinsize,
};

/// A terminal of which we hold both ends.
pub struct Terminal {
    ours: File,
    programs: OwnedFd,
}

/// A terminal whose other end is the program's alone: it ends with the program.
pub struct Ready {
    ours: File,
    heard: Receiver<Vec<u8>>,
}

/// What a terminal does to what is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Printing {
    /// Nothing: no carriage return before a line feed.
    Plain,
    /// What terminals do.
    Cooked,
}

impl Terminal {
    /// A terminal of so many rows and columns.
    pub fn open(rows: u16, columns: u16, printing: Printing) -> io::Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let ours = openpt(flags)?;
        grantpt(&ours)?;
        unlockpt(&ours)?;
        let programs = ioctl_tiocgptpeer(&ours, flags)?;
        let mut modes = tcgetattr(&programs)?;
        if printing == Printing::Plain {
            modes.output_modes.remove(OutputModes::OPOST);
        }
        tcsetattr(&programs, OptionalActions::Now, &modes)?;
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&programs, size)?;
        Ok(Self {
            ours: ours.into(),
            programs,
        })
    }

    /// The program's end, for its stdin, stdout or stderr.
    pub fn program_side(&self) -> io::Result<Stdio> {
        Ok(self.programs.try_clone()?.into())
    }

    /// Lets go of the program's end, and listens.
    pub fn ready(self) -> io::Result<Ready> {
        let mut listening = self.ours.try_clone()?;
        let (heard, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            let mut over = false;
            loop {
                match listening.read(&mut buffer) {
                    Ok(length @ 1..) => {
                        over = false;
                        if heard.send(buffer[..length].to_vec()).is_err() {
                            return;
                        }
                    }
                    // Where nobody has the other end any more, it is an error (EIO). The kernel looks for input first and for the
                    // other end then: what a program writes and ends in between is read after the first such error.
                    _ if over => return,
                    _ => over = true,
                }
            }
        });
        Ok(Ready {
            ours: self.ours,
            heard: receiver,
        })
    }
}

impl Ready {
    /// What the terminal shows, as it comes; disconnected when the program has ended.
    pub fn heard(&self) -> &Receiver<Vec<u8>> {
        &self.heard
    }

    /// Whether what is typed is shown.
    pub fn echoes(&self) -> io::Result<bool> {
        let modes = tcgetattr(&self.ours)?;
        Ok(modes.local_modes.contains(LocalModes::ECHO))
    }

    /// Presses Ctrl-C.
    pub fn interrupt(&self) -> io::Result<()> {
        (&self.ours).write_all(b"\x03")
    }

    /// Types a line, with its Enter.
    pub fn type_line(&self, line: &str) -> io::Result<()> {
        (&self.ours).write_all(format!("{line}\n").as_bytes())
    }
}
