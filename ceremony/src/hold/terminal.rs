//! Lines from the keyboard, and Ctrl-C.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use ceremony::rehearse::Answers;
use ceremony::run::{Asked, Question};
use cli::{Exit, Failure, Outcome};
use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::SIGINT;

/// Where answers come from.
pub enum Console<'a> {
    /// Somebody who types.
    Terminal(Terminal),
    /// A rehearsal's answers.
    Answers(Box<Answers<'a>>),
}

/// The keyboard.
pub struct Terminal {
    /// What was typed and not asked for yet.
    typed: Vec<u8>,
    /// Readable when Ctrl-C was pressed.
    interrupts: UnixStream,
}

impl Console<'_> {
    /// The line that is typed next.
    pub fn answer(&mut self, question: &Question) -> Outcome<Asked> {
        match self {
            Self::Terminal(terminal) => terminal.line(),
            Self::Answers(answers) => Ok(answers.answer(question)),
        }
    }

    /// Whether nobody is there.
    pub const fn is_of_answers(&self) -> bool {
        matches!(self, Self::Answers(_))
    }

    /// Ends with a rehearsal: answers that nothing asked for are an error.
    pub fn finish(self) -> Outcome {
        match self {
            Self::Terminal(_) => Ok(()),
            Self::Answers(answers) => Ok(answers.finish()?),
        }
    }

    /// Forgets what was typed before it was asked for, Ctrl-C too: a key that was pressed while a program ran confirms nothing.
    pub fn forget(&mut self) -> Outcome {
        match self {
            Self::Terminal(terminal) => terminal.forget(),
            Self::Answers(_) => Ok(()),
        }
    }
}

impl Terminal {
    /// The terminal of this process's stdin.
    pub fn open() -> Outcome<Self> {
        let gone = |error: io::Error| Failure::of(Exit::Failed, &error).within("the terminal");
        let (interrupts, signalled) = UnixStream::pair().map_err(gone)?;
        interrupts.set_nonblocking(true).map_err(gone)?;
        signal_hook::low_level::pipe::register(SIGINT, signalled).map_err(gone)?;
        Ok(Self {
            typed: Vec::new(),
            interrupts,
        })
    }

    fn line(&mut self) -> Outcome<Asked> {
        let gone = |error: io::Error| Failure::of(Exit::PartWay, &error).within("the terminal is gone");
        loop {
            if let Some(end) = self.typed.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.typed.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                return Ok(Asked::Line(line.trim().to_owned()));
            }
            let stdin = io::stdin();
            let mut ready = [
                PollFd::new(&stdin, PollFlags::IN),
                PollFd::new(&self.interrupts, PollFlags::IN),
            ];
            match poll(&mut ready, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(gone(error.into())),
            }
            let [keys, interrupt] = ready.map(|ready| !ready.revents().is_empty());
            if interrupt {
                self.forget()?;
                return Ok(Asked::Interrupt);
            }
            if keys {
                let mut buffer = [0; 1024];
                let length =
                    rustix::io::read(stdin.as_fd(), &mut buffer).map_err(|error| gone(error.into()))?;
                if length == 0 {
                    return Ok(Asked::Closed);
                }
                self.typed.extend(buffer.iter().take(length));
            }
        }
    }

    fn forget(&mut self) -> Outcome {
        self.typed.clear();
        let mut buffer = [0; 64];
        while matches!(self.interrupts.read(&mut buffer), Ok(1..)) {}
        // A pipe has nothing to forget: what is in it was written to be read.
        let _ = rustix::termios::tcflush(io::stdin().as_fd(), rustix::termios::QueueSelector::IFlush);
        Ok(())
    }
}
