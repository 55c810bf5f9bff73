//! Lines of text in tones, plain or in the colours of a terminal.

use clap::builder::styling::{AnsiColor, Style};

use crate::pictures::shades::LaneKind;

/// What a piece of text is, and so how it is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    /// Headings.
    Strong,
    /// What explains the rest.
    Soft,
    Now,
    /// What people must do.
    Person,
    /// What must not be, or not any more.
    Limit,
    Lane(LaneKind),
}

/// Lines, each of pieces in one tone.
#[derive(Clone, Debug, Default)]
pub struct Screen(Vec<Vec<(Tone, String)>>);

impl Screen {
    /// An empty line.
    pub fn line(&mut self) {
        self.0.push(Vec::new());
    }

    /// Text in at most `columns` columns; the lines after the first begin `indent` columns later.
    pub fn text(&mut self, tone: Tone, text: &str, columns: usize, indent: usize) {
        let blanks = " ".repeat(indent);
        let options = textwrap::Options::new(columns).subsequent_indent(&blanks);
        for line in textwrap::wrap(&cli::shown(text), options) {
            self.0.push(vec![(tone, line.into_owned())]);
        }
    }

    /// A name in a column of that width, and cells.
    pub fn row(&mut self, (tone, name, width): (Tone, &str, usize), cells: Vec<(Tone, char)>) {
        let name: String = cli::shown(name).chars().take(width).collect();
        let mut line = vec![(tone, format!("{name:<width$}"))];
        for (tone, letter) in cells {
            match line.last_mut().filter(|(before, _)| *before == tone) {
                Some((_, piece)) => piece.push(letter),
                None => line.push((tone, letter.to_string())),
            }
        }
        self.0.push(line);
    }

    /// The text.
    pub fn plain(&self) -> String {
        self.lines(|_, piece| piece.to_owned())
    }

    /// The text with ANSI escapes.
    pub fn coloured(&self) -> String {
        self.lines(|tone, piece| match piece.trim() {
            "" => piece.to_owned(),
            _ => {
                let style = tone.style();
                format!("{style}{piece}{style:#}")
            }
        })
    }

    fn lines(&self, paint: impl Fn(Tone, &str) -> String) -> String {
        let mut text = String::new();
        for line in &self.0 {
            // A blank at a line's end says nothing.
            let whole: String = line.iter().map(|(_, piece)| &**piece).collect();
            let mut left = whole.trim_end().len();
            for (tone, piece) in line {
                let kept = piece.len().min(left);
                left -= kept;
                if let Some(piece) = piece.get(..kept).filter(|piece| !piece.is_empty()) {
                    text.push_str(&paint(*tone, piece));
                }
            }
            text.push('\n');
        }
        text
    }
}

impl Tone {
    fn style(self) -> Style {
        let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Soft => Style::new().dimmed(),
            Self::Now => colour(AnsiColor::BrightRed),
            Self::Person => colour(AnsiColor::Yellow).bold(),
            Self::Limit => colour(AnsiColor::Red),
            Self::Lane(LaneKind::Dnskey) => colour(AnsiColor::Blue),
            Self::Lane(LaneKind::Ds) => colour(AnsiColor::Magenta),
            Self::Lane(LaneKind::DnskeyRrsig) => colour(AnsiColor::Cyan),
            Self::Lane(LaneKind::ZoneRrsig) => colour(AnsiColor::Green),
        }
    }
}
