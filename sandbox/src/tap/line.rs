//! Passing on what comes.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

use super::Wire;
use super::cut::Cut;
use super::frames::{Frames, command_code, hear};
use super::recording::Track;

/// A connection of the data port: a command, its answer, and the next.
pub fn commands(mut client: TcpStream, mut tpm: TcpStream, wire: &Wire) -> io::Result<()> {
    client.set_nodelay(true)?;
    tpm.set_nodelay(true)?;
    let mut asked = Frames::new(client.try_clone()?, wire.recording.track());
    let mut answered = Frames::new(tpm.try_clone()?, wire.recording.track());
    while let Some(command) = asked.next()? {
        let next = wire.next(command_code(&command));
        let answer = match next {
            Next::Pass | Next::Cut(Cut::BeforeTheAnswer) => {
                tpm.write_all(&command)?;
                answered.next()?
            }
            Next::Cut(Cut::BeforeItReachesTheTpm) | Next::Severed => None,
        };
        match (next, answer) {
            (Next::Pass, Some(mut answer)) => {
                wire.script().lie.tell(&mut answer);
                client.write_all(&answer)?;
            }
            (Next::Pass, None) => return Ok(()),
            (Next::Cut(_) | Next::Severed, _) => {
                // swtpm serves one connection at a time: it is let go before anybody is told.
                drop((tpm, answered));
                if let Next::Cut(_) = next {
                    wire.tell();
                }
                return asked.swallow();
            }
        }
    }
    Ok(())
}

/// A connection of the control port, whose commands are not the TPM's.
pub fn control(client: TcpStream, tpm: TcpStream, wire: &Wire) -> io::Result<()> {
    client.set_nodelay(true)?;
    tpm.set_nodelay(true)?;
    let (there, back) = (wire.recording.track(), wire.recording.track());
    let (from_client, to_tpm) = (client.try_clone()?, tpm.try_clone()?);
    thread::scope(|scope| {
        scope.spawn(|| pass_on(from_client, to_tpm, &there, wire));
        pass_on(tpm, client, &back, wire)
    })
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, track: &Track, wire: &Wire) -> io::Result<()> {
    while let Some(bytes) = hear(&mut from, track)? {
        if !wire.script().severed {
            to.write_all(&bytes)?;
        }
    }
    to.shutdown(Shutdown::Write)
}

/// What becomes of a command.
#[derive(Clone, Copy)]
enum Next {
    Pass,
    Cut(Cut),
    Severed,
}

impl Wire {
    /// Counts a command, and says what becomes of it.
    fn next(&self, code: u32) -> Next {
        let mut script = self.script();
        if script.severed {
            return Next::Severed;
        }
        script.commands.push(code);
        match &mut script.pending {
            None => Next::Pass,
            Some(pending) if pending.left > 0 => {
                pending.left -= 1;
                Next::Pass
            }
            Some(pending) => {
                let cut = pending.cut;
                script.severed = true;
                Next::Cut(cut)
            }
        }
    }

    /// Tells whoever asked for the cut that it is done.
    fn tell(&self) {
        let mut script = self.script();
        let code = script.commands.last().map_or(0, |code| *code);
        if let Some(pending) = script.pending.take() {
            // Nobody may be waiting for it.
            let _ = pending.told.send(code);
        }
    }
}
