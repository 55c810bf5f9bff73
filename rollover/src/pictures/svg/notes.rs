//! What people have to know, below a chart, and what its colours and shapes mean.

use cli::page::Markup;
use textwrap::wrap;

use super::frame::{Dress, Frame, MARGIN, px, rect, words};
use super::layout::LEGEND;
use super::marks;
use crate::pictures::chart::{Chart, Mark, MarkKind};
use crate::pictures::shades::Shade;

/// A mark in words.
pub(super) struct Note<'c> {
    pub mark: &'c Mark,
    /// The line of its first row.
    pub y: i64,
    pub lines: Vec<String>,
}

const LINE: i64 = 170;
const GAP: i64 = 60;
/// Where the time stands, what kind of mark it is, and what is to be done.
const AT: i64 = MARGIN + 300;
const KIND: i64 = AT + 1500;
const TEXT: i64 = KIND + 900;
/// A letter of them, in tenths of a pixel.
const LETTER: i64 = 66;

impl Note<'_> {
    pub fn bottom(&self) -> i64 {
        self.y + (self.lines.len() as i64 - 1) * LINE
    }
}

/// The notes, from `y` on.
pub(super) fn notes<'c>(frame: &Frame, chart: &'c Chart<'_>, mut y: i64) -> Vec<Note<'c>> {
    let mut notes = Vec::new();
    for mark in chart.told() {
        let lines = wrap(&mark.label, frame.letters(TEXT, LETTER));
        let note = Note {
            mark,
            y,
            lines: lines.into_iter().map(String::from).collect(),
        };
        y = note.bottom() + LINE + GAP;
        notes.push(note);
    }
    notes
}

pub(super) fn draw_notes(svg: &mut Markup, notes: &[Note<'_>]) {
    for note in notes {
        // The place of a deadline's shape is its tip.
        let x = match note.mark.kind {
            MarkKind::Latest => MARGIN + 200,
            MarkKind::Person | MarkKind::Tool | MarkKind::Observation | MarkKind::NoReturn => MARGIN + 100,
        };
        marks::shape(svg, note.mark.kind, (x, note.y - 40), &[note.mark]);
        words(svg, "at", (AT, note.y), &note.mark.at.to_string());
        words(
            svg,
            marks::text_class(note.mark.kind),
            (KIND, note.y),
            note.mark.kind.name(),
        );
        for (row, line) in (0..).zip(&note.lines) {
            words(svg, "", (TEXT, note.y + row * LINE), line);
        }
    }
}

/// The legend: what the fillings of bars mean, and the shapes of marks.
pub(super) fn draw_legend(svg: &mut Markup, frame: &Frame, chart: &Chart<'_>, y: i64) {
    let columns = legend_columns(frame);
    let step = (frame.width - 2 * MARGIN) / columns;
    let mut row = y;
    for (place, shade) in (0..).zip(Shade::ALL) {
        let x = MARGIN + place % columns * step;
        row = y + place / columns * LEGEND;
        bar(svg, frame, shade, [x, row - 95, 260, 110]);
        words(svg, "name", (x + 340, row), shade.name());
        words(svg, "soft", (x + 1160, row), shade.meaning());
    }
    row += LEGEND + 40;
    let mut x = MARGIN;
    let mut item = |svg: &mut Markup, width: i64, text: &str, draw: &dyn Fn(&mut Markup, i64, i64)| {
        let room = width + 60 + text.chars().count() as i64 * 62 + 260;
        if x + room - 260 > frame.width - MARGIN {
            x = MARGIN;
            row += LEGEND;
        }
        draw(svg, x, row);
        words(svg, "", (x + width + 60, row), text);
        x += room;
    };
    for kind in MarkKind::ALL {
        if chart.marks_of(kind).is_empty() {
            continue;
        }
        let tip = if kind == MarkKind::Latest { 180 } else { 90 };
        item(svg, 180, kind.name(), &|svg, x, y| {
            marks::shape(svg, kind, (x + tip, y - 40), &[])
        });
    }
    if frame.now.is_some() {
        item(svg, 120, "now", &|svg, x, y| {
            super::frame::line(svg, "now", [x + 60, y - 120, x + 60, y + 20]);
        });
    }
    if chart.happened.is_some() {
        item(svg, 260, "as planned", &|svg, x, y| {
            rect(svg, "planned", [x, y - 110, 260, 140], &[])
        });
        item(svg, 260, "what happened", &|svg, x, y| {
            bar(svg, frame, Shade::Omnipresent, [x, y - 80, 260, 80]);
        });
    }
}

const fn legend_columns(frame: &Frame) -> i64 {
    match frame.dress {
        Dress::Screen => 2,
        Dress::Paper(_) => 1,
    }
}

/// How high the legend is at most.
pub(super) fn legend_height(frame: &Frame) -> i64 {
    let fillings = Shade::ALL.len() as i64 / legend_columns(frame);
    let shapes = match frame.dress {
        Dress::Screen => 1,
        Dress::Paper(_) => 2,
    };
    (fillings + shapes) * LEGEND
}

fn bar(svg: &mut Markup, frame: &Frame, shade: Shade, places: [i64; 4]) {
    svg.inside("g", &[("class", "any")], |svg| {
        super::bars::filled(svg, frame, shade, places);
    });
}

/// The definitions of the fillings, which are laid over a colour so that they show without it.
pub(super) fn patterns(svg: &mut Markup, frame: &Frame) {
    svg.inside("defs", &[], |defs| {
        for (shade, size, path) in [
            (Shade::Rumoured, 60, "M0 6L6 0M-1 1L1 -1M5 7L7 5"),
            (Shade::Unretentive, 50, "M0 0H5V3.9H0Z"),
            (Shade::Uncertain, 50, "M0 0H5V5H0ZM2.5 1.1a1.4 1.4 0 1 0 .01 0Z"),
        ] {
            let (id, size) = (id(frame, shade), px(size));
            let class = format!("paper-{}", shade.name());
            let pattern = [
                ("id", &*id),
                ("width", &*size),
                ("height", &*size),
                ("patternUnits", "userSpaceOnUse"),
            ];
            defs.inside("pattern", &pattern, |pattern| {
                pattern.empty("path", &[("class", &class), ("d", path)]);
            });
        }
    });
}

/// The id of a filling.
pub(super) fn id(frame: &Frame, shade: Shade) -> String {
    format!("{}-{}", frame.prefix, shade.name())
}
