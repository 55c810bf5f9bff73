//! Cutting a program off from its TPM, and killing it there.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::Tap;

/// Longer than any program needs that is not stuck; our choice.
const LONGEST: Duration = Duration::from_secs(120);

/// On which side of the TPM's work the line is cut; the program cannot tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The command never arrives.
    BeforeItReachesTheTpm,
    /// The command is executed, and its answer never arrives.
    BeforeTheAnswer,
}

impl Cut {
    /// Both.
    pub const ALL: [Self; 2] = [Self::BeforeItReachesTheTpm, Self::BeforeTheAnswer];
}

/// A cut that is to come.
pub struct Pending {
    /// How many commands go before.
    pub left: usize,
    pub cut: Cut,
    /// Who is told the code of the command that was cut.
    pub told: Sender<u32>,
}

/// How a program ended that was run until a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was killed (SIGKILL) while it waited at the cut.
    Killed {
        /// The code of the command that was cut.
        command: u32,
    },
    /// It sent fewer commands than that.
    ByItself(ExitStatus),
}

impl Tap {
    /// Runs a program that reaches its TPM by this tap, cuts the line at the command that follows the next `after`, and kills the program.
    ///
    /// The line stays cut after a kill until [`Tap::mend`], and what the program had in the TPM is still there
    /// ([`crate::Swtpm::flush_leaked_handles`]). A program that reads or prints needs its own stdin, stdout and stderr set.
    pub fn run_until_cut(&self, program: &mut Command, after: usize, cut: Cut) -> io::Result<Ended> {
        let told = self.cut(after, cut);
        let mut child = program.spawn()?;
        let ended = wait_for(&mut child, &told);
        match &ended {
            Ok(Ended::ByItself(_)) => self.mend(),
            Ok(Ended::Killed { .. }) | Err(_) => {
                child.kill()?;
                child.wait()?;
            }
        }
        ended
    }
}

fn wait_for(child: &mut Child, told: &Receiver<u32>) -> io::Result<Ended> {
    let start = Instant::now();
    loop {
        match told.recv_timeout(Duration::from_millis(5)) {
            Ok(command) => return Ok(Ended::Killed { command }),
            Err(RecvTimeoutError::Timeout) => {
                if let Some(status) = child.try_wait()? {
                    return Ok(Ended::ByItself(status));
                }
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(io::Error::other("the cut was lifted while the program ran"));
            }
        }
        if start.elapsed() > LONGEST {
            let problem = format!("the program was still at work after {} s", LONGEST.as_secs());
            return Err(io::Error::new(io::ErrorKind::TimedOut, problem));
        }
    }
}
