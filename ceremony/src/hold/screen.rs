//! What people see: one step on a screen of 80 columns, and the recording of it.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::Instant;

use ceremony::cast::Recording;
use cli::{Exit, Failure, Outcome};
use rustix::termios::tcgetwinsize;

/// The columns that every console has.
pub const COLUMNS: usize = 80;
/// The rows that every console has.
const ROWS: usize = 24;

/// The screen.
pub struct Screen {
    cast: Recording,
    start: Instant,
    form: Form,
}

/// How one step is told from the one before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The screen is cleared.
    Clear,
    /// A line is drawn: a file, or a terminal that knows no more.
    Line,
}

/// What stands above every step.
pub struct Header {
    /// The ceremony's title.
    pub title: String,
    /// PRODUCTION or REHEARSAL.
    pub kind: String,
    /// `step 7 of 42: open-safe`.
    pub step: String,
    /// The act's heading.
    pub act: String,
    /// The time, in UTC.
    pub now: String,
    /// Since the ceremony began, in seconds.
    pub elapsed: i64,
    /// Who acts.
    pub by: String,
}

impl Screen {
    /// The screen of this process's stdout.
    pub fn new(cast: Recording) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let form = if io::stdout().is_terminal() && !dumb {
            Form::Clear
        } else {
            Form::Line
        };
        Self {
            cast,
            start: Instant::now(),
            form,
        }
    }

    /// The recording.
    pub fn cast(&mut self) -> &mut Recording {
        &mut self.cast
    }

    /// How many rows a step may take before it is turned over.
    pub fn rows(&self) -> usize {
        let told = match self.form {
            Form::Clear => tcgetwinsize(io::stdout().as_fd()).map_or(ROWS, |size| size.ws_row.into()),
            Form::Line => usize::MAX,
        };
        told.max(10)
    }

    /// Writes to the terminal and to the recording.
    pub fn put(&mut self, text: &str) -> Outcome {
        self.put_unrecorded(text)?;
        self.record(text)
    }

    /// Writes to the recording what the terminal shows by itself: what was typed.
    pub fn record(&mut self, text: &str) -> Outcome {
        // A terminal takes a line feed for no more than that.
        let text = text.replace('\n', "\r\n");
        self.cast
            .output(self.start.elapsed(), text.as_bytes())
            .map_err(Failure::from)
    }

    /// Writes to the terminal only: what comes after the last seal.
    pub fn put_unrecorded(&mut self, text: &str) -> Outcome {
        let mut out = io::stdout().lock();
        let shown = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        shown.map_err(|error| Failure::of(Exit::PartWay, &error).within("the screen is gone"))
    }

    /// A new screen with that header.
    pub fn begin(&mut self, header: &Header) -> Outcome {
        let start = match self.form {
            Form::Clear => "\x1b[2J\x1b[H",
            Form::Line => "\n",
        };
        let bar = "-".repeat(COLUMNS - 1);
        let text = format!("{start}{}{bar}\n", heading(header));
        self.put(&text)
    }

    /// A paragraph, wrapped.
    pub fn paragraph(&mut self, text: &str) -> Outcome {
        let lines = wrapped(text, COLUMNS - 1).join("\n");
        self.put(&format!("{lines}\n"))
    }
}

fn heading(header: &Header) -> String {
    let (hours, rest) = (header.elapsed / 3600, header.elapsed % 3600);
    let elapsed = format!("elapsed {hours:02}:{:02}:{:02}", rest / 60, rest % 60);
    let mut lines = sides(&format!("{}  {}", header.kind, header.title), &header.now);
    lines += &sides(&header.step, &elapsed);
    lines += &sides(&header.act, "");
    for line in wrapped(&format!("acts: {}", header.by), COLUMNS - 1) {
        lines += &line;
        lines.push('\n');
    }
    lines
}

/// A line with one text at its left and one at its right end; the left one gives way.
fn sides(left: &str, right: &str) -> String {
    let room = COLUMNS - 2 - right.chars().count();
    let left: String = if left.chars().count() > room {
        left.chars().take(room - 3).chain("...".chars()).collect()
    } else {
        left.to_owned()
    };
    let gap = " ".repeat(COLUMNS - 1 - left.chars().count() - right.chars().count());
    let line = format!("{left}{gap}{right}");
    format!("{}\n", line.trim_end())
}

/// The lines of a text, its own line ends kept, none longer than that.
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let lines = text.trim_end().lines();
    lines
        .flat_map(|line| textwrap::wrap(line, columns))
        .map(|line| harmless(&line))
        .collect()
}

/// A text without what would drive a terminal.
pub fn harmless(text: &str) -> String {
    let control = |c: char| c.is_control() && c != '\n' && c != '\t';
    text.chars().map(|c| if control(c) { '?' } else { c }).collect()
}
