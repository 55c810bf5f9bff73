//! `at-terminal ANSWER... -- PROGRAM ARGUMENT...`: runs a program at a terminal of its own and types an answer whenever it asks.
//!
//! What the program prints, and what the terminal echoes, goes to stdout as a person would see it. The exit code is the program's; 125 where
//! the answers were too many or too few, or nothing went on. script(1) was rejected: it types without waiting for the question, so what it
//! shows depends on who is faster.

use std::fmt;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use keyrite_tests::terminal::{self, Printing, Terminal};

/// A question whose answer is shown is answered when the terminal has been quiet so long; in this time a program that hides the answer
/// turns the echo off. Our choice.
const SETTLED: Duration = Duration::from_millis(500);
/// Longer than any program takes that is not stuck; our choice.
const LONGEST: Duration = Duration::from_secs(120);
/// As timeout(1) ends where it failed itself.
const FAILED: u8 = 125;

/// Why a dialogue did not come to its end.
struct Problem(String);

impl<E: fmt::Display> From<E> for Problem {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(status) => {
            let code = status.code().or(status.signal().map(|signal| 128 + signal));
            let code = code.and_then(|code| u8::try_from(code).ok());
            ExitCode::from(code.map_or(FAILED, |code| code))
        }
        Err(Problem(problem)) => {
            let _ = writeln!(io::stderr(), "at-terminal: {problem}");
            ExitCode::from(FAILED)
        }
    }
}

fn run() -> Result<ExitStatus, Problem> {
    let mut answers: Vec<String> = std::env::args().skip(1).collect();
    let dashes = answers.iter().position(|argument| argument == "--");
    let program = dashes.map_or_else(Vec::new, |at| answers.split_off(at));
    if program.len() < 2 {
        return Err("usage: at-terminal ANSWER... -- PROGRAM ARGUMENT...".into());
    }
    // As wide as what the tools print where there is no terminal; a transcript has no carriage returns.
    let terminal = Terminal::open(24, 100, Printing::Plain)?;
    // It makes the terminal the controlling one of a new session, so that the program finds it as /dev/tty.
    let mut child = Command::new("setsid")
        .args(["--ctty", "--wait"])
        .args(&program)
        .stdin(terminal.program_side()?)
        .stdout(terminal.program_side()?)
        .stderr(terminal.program_side()?)
        .spawn()?;
    let ended = converse(&terminal.ready()?, answers, &mut child);
    if ended.is_err() {
        child.kill()?;
        child.wait()?;
    }
    ended
}

/// Shows what is printed and answers what is asked, until the program ends.
fn converse(
    terminal: &terminal::Ready,
    answers: Vec<String>,
    child: &mut Child,
) -> Result<ExitStatus, Problem> {
    let start = Instant::now();
    let mut last_heard = start;
    let mut line = Vec::new();
    let mut answers = answers.into_iter();
    loop {
        match terminal.heard().recv_timeout(Duration::from_millis(10)) {
            Ok(bytes) => {
                last_heard = Instant::now();
                let mut stdout = io::stdout().lock();
                stdout.write_all(&bytes)?;
                stdout.flush()?;
                line.extend(bytes);
                let last = line.iter().rposition(|byte| *byte == b'\n');
                line.drain(..last.map_or(0, |at| at + 1));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        // A question is a line that stands unfinished after a colon.
        if line.ends_with(b": ") && (!terminal.echoes()? || last_heard.elapsed() > SETTLED) {
            line.clear();
            let answer = answers
                .next()
                .ok_or("the program asks for more than it was given")?;
            terminal.type_line(&answer)?;
        }
        if start.elapsed() > LONGEST {
            return Err(format!("the program was still at work after {} s", LONGEST.as_secs()).into());
        }
    }
    let status = child.wait()?;
    match answers.len() {
        0 => Ok(status),
        left => Err(format!("answers that were not asked for: {left}").into()),
    }
}
