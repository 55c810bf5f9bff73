//! Results on stdout, talk on stderr.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

use clap::builder::styling::{AnsiColor, Style};
use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::termios::tcgetwinsize;
use serde::Serialize;

use crate::failure::{Exit, Failure, Outcome};

/// Where a tool's result and talk go.
#[derive(Debug, Default)]
pub struct Output {
    quiet_end: bool,
}

impl Output {
    /// Writes a piece of the result to stdout. Once the reader is gone, the rest is dropped quietly.
    pub fn result(&mut self, text: impl AsRef<str>) -> Outcome {
        self.write(text.as_ref(), io::stdout().lock())
    }

    /// Writes a piece of the result that has colours (ANSI escapes), which are kept only where a terminal shows them (NO_COLOR).
    pub fn coloured(&mut self, text: impl AsRef<str>) -> Outcome {
        self.write(text.as_ref(), anstream::stdout().lock())
    }

    fn write(&mut self, text: &str, mut out: impl Write) -> Outcome {
        if self.quiet_end {
            return Ok(());
        }
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.quiet_end = true;
                Ok(())
            }
            Err(error) => Err(Failure::of(Exit::Failed, &error).within("cannot write the result")),
        }
    }

    /// Whether the reader is gone, so that nothing more of the result need be found out.
    pub const fn is_over(&self) -> bool {
        self.quiet_end
    }

    /// Whether the result goes into a file, so that nobody sees from it how far the work is.
    pub fn is_to_a_file(&self) -> bool {
        let stdout = io::stdout().as_fd().try_clone_to_owned();
        stdout
            .and_then(|stdout| File::from(stdout).metadata())
            .is_ok_and(|metadata| metadata.is_file())
    }

    /// Writes a line of the result.
    pub fn line(&mut self, text: impl AsRef<str>) -> Outcome {
        self.result(format!("{}\n", text.as_ref()))
    }

    /// Writes the result as one JSON document.
    pub fn json(&mut self, value: &impl Serialize) -> Outcome {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Failure::of(Exit::Failed, &error).within("cannot write the result as JSON"))?;
        self.line(text)
    }

    /// Says something that is not the result.
    pub fn say(&self, text: impl AsRef<str>) {
        // Talk that cannot be shown changes nothing.
        let _ = writeln!(io::stderr().lock(), "{}", text.as_ref());
    }

    /// Says that something deserves a look.
    pub fn warn(&self, text: impl AsRef<str>) {
        label(AnsiColor::Yellow, "warning");
        self.say(format!(": {}", text.as_ref()));
    }

    /// The last of several failures; the others are shown.
    pub fn last_of(&self, mut failures: Vec<Failure>) -> Option<Failure> {
        let last = failures.pop();
        failures.iter().for_each(|failure| self.failure(failure));
        last
    }

    /// Shows a failure.
    pub fn failure(&self, failure: &Failure) {
        let text = failure.to_string();
        match text.strip_prefix("error") {
            Some(rest) => {
                label(AnsiColor::Red, "error");
                let _ = write!(io::stderr().lock(), "{rest}");
            }
            None => self.say(text),
        }
    }
}

fn label(color: AnsiColor, word: &str) {
    let style = Style::new().bold().fg_color(Some(color.into()));
    let _ = write!(anstream::stderr(), "{style}{word}{style:#}");
}

/// How wide the terminal is that stdout goes to, in columns; none, where it goes to a file.
pub fn columns() -> Option<u16> {
    let size = tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0).then_some(size.ws_col)
}

/// A table for people, with that heading.
pub fn table<const N: usize>(heading: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(heading);
    // Long cells are wrapped for a terminal, and left whole for whatever else reads them.
    if let Some(columns) = columns() {
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(columns);
    }
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

/// How far a long piece of work is, on stderr, only on a terminal.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar over `length` pieces of `what`. It is drawn with the first piece: a PIN may be asked for before.
    pub fn new(what: &str, length: u64) -> Self {
        let target = if io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let mut bar = ProgressBar::with_draw_target(Some(length), target).with_message(what.to_owned());
        if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {pos} of {len}, {eta} left") {
            bar = bar.with_style(style);
        }
        Self(bar)
    }

    /// No bar at all.
    pub fn hidden() -> Self {
        Self(ProgressBar::hidden())
    }

    /// Runs something that writes to the terminal, without the bar in its way.
    pub fn without<T>(&self, write: impl FnOnce() -> T) -> T {
        self.0.suspend(write)
    }

    /// One more piece is done.
    pub fn step(&self) {
        self.steps(1);
    }

    /// So many more pieces are done.
    pub fn steps(&self, pieces: u64) {
        self.0.inc(pieces);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
