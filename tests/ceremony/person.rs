//! Somebody at a terminal of 80 columns and 24 rows, who holds a ceremony by its screens.

use std::process::{Child, Command};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use keyrite_tests::terminal::{Printing, Ready, Terminal};

/// A question is what stands after a colon when the screen has been quiet so long. Our choice.
const SETTLED: Duration = Duration::from_millis(80);
/// Longer than anything takes that is not stuck; our choice.
const LONGEST: Duration = Duration::from_secs(60);

/// What is done at a question.
#[derive(Clone, Debug)]
pub enum Key {
    /// A line is typed.
    Line(String),
    /// Ctrl-C.
    Interrupt,
    /// The power goes: the program is killed.
    Kill,
}

/// The screen, and the program before it.
pub struct Person {
    terminal: Ready,
    child: Child,
    screen: vt100::Parser,
    /// Every screen at which something was asked.
    pub seen: Vec<String>,
}

impl Person {
    /// Starts a program at a terminal of its own.
    pub fn start(mut command: Command) -> Self {
        let terminal = Terminal::open(24, 80, Printing::Cooked).unwrap();
        let program: Vec<_> = std::iter::once(command.get_program().to_owned())
            .chain(command.get_args().map(ToOwned::to_owned))
            .collect();
        let mut at_terminal = Command::new("setsid");
        at_terminal.arg("--ctty").args(program);
        at_terminal.env_clear().envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        if let Some(folder) = command.get_current_dir() {
            at_terminal.current_dir(folder);
        }
        command = at_terminal;
        let child = command
            .env("TERM", "xterm")
            .stdin(terminal.program_side().unwrap())
            .stdout(terminal.program_side().unwrap())
            .stderr(terminal.program_side().unwrap())
            .spawn()
            .unwrap();
        // It holds the program's end of the terminal.
        drop(command);
        Self {
            terminal: terminal.ready().unwrap(),
            child,
            screen: vt100::Parser::new(24, 80, 0),
            seen: Vec::new(),
        }
    }

    /// The screen at the next question; `None` when the program has ended.
    pub fn question(&mut self) -> Option<String> {
        let start = Instant::now();
        let mut last_heard = Instant::now();
        loop {
            match self.terminal.heard().recv_timeout(Duration::from_millis(5)) {
                Ok(bytes) => {
                    last_heard = Instant::now();
                    self.screen.process(&bytes);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
            let (row, column) = self.screen.screen().cursor_position();
            let line = self.screen.screen().rows(0, column).nth(row.into()).unwrap();
            // The library drops blanks at a line's end.
            let asks =
                line.trim_end().ends_with(':') && usize::from(column) == line.trim_end().chars().count() + 1;
            if asks && last_heard.elapsed() > SETTLED {
                let screen = self.screen.screen().contents();
                self.seen.push(screen.clone());
                return Some(screen);
            }
            assert!(
                start.elapsed() < LONGEST,
                "nothing is asked:\n{}",
                self.screen.screen().contents()
            );
        }
    }

    /// Presses a key.
    pub fn press(&mut self, key: &Key) {
        match key {
            Key::Line(line) => self.terminal.type_line(line).unwrap(),
            Key::Interrupt => self.terminal.interrupt().unwrap(),
            Key::Kill => {
                // setsid became the program.
                let pid = self.child.id().to_string();
                assert!(
                    Command::new("kill")
                        .args(["-9", &pid])
                        .status()
                        .unwrap()
                        .success()
                );
            }
        }
    }

    /// The exit code; a signal's is `None`.
    pub fn end(mut self) -> (Option<i32>, Vec<String>) {
        while self.terminal.heard().recv_timeout(LONGEST).is_ok() {}
        (self.child.wait().unwrap().code(), self.seen)
    }
}
