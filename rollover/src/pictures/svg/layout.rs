//! What is where in a chart, from its top to its bottom.

use textwrap::wrap;

use super::frame::{Dress, EDGE, Frame, Legend, MARGIN};
use super::notes::{Note, legend_height, notes};
use crate::pictures::chart::{Chart, Mark, MarkKind};
use crate::pictures::placing::{Placed, most_rows, place};
use crate::pictures::rows::KeyRows;

/// Heights and places in tenths of a pixel, and what stands there.
pub(super) struct Layout<'c> {
    pub title: Vec<String>,
    pub title_bottom: i64,
    /// The line of the axis; its two rows of names are above it.
    pub axis: i64,
    pub bands: Vec<MarkBand<'c>>,
    pub keys: Vec<KeyBand<'c>>,
    /// The end of the lanes.
    pub bottom: i64,
    pub legend: Option<i64>,
    pub notes: Vec<Note<'c>>,
    pub height: i64,
}

/// The marks of a kind.
pub(super) struct MarkBand<'c> {
    pub kind: MarkKind,
    pub y: i64,
    pub placed: Vec<Placed<'c>>,
}

/// A key.
pub(super) struct KeyBand<'c> {
    pub key: &'c KeyRows,
    pub y: i64,
    pub height: i64,
}

pub(super) const TITLE: i64 = 230;
/// A letter of the title.
const LETTER: i64 = 98;
pub(super) const MARK: i64 = 210;
pub(super) const LANE: i64 = 190;
const PAD: i64 = 50;
/// How wide a mark is, with a gap.
const MARK_WIDTH: i64 = 200;
/// The rows of the legend.
pub(super) const LEGEND: i64 = 200;

impl<'c> Layout<'c> {
    pub fn new(frame: &Frame, chart: &'c Chart<'_>, keys: &'c [KeyRows]) -> Self {
        let title: Vec<String> = match frame.dress {
            Dress::Screen => {
                let lines = wrap(&chart.title, frame.letters(MARGIN, LETTER));
                lines.into_iter().map(String::from).collect()
            }
            Dress::Paper(_) => Vec::new(),
        };
        let title_bottom = TITLE * title.len() as i64 + if title.is_empty() { 0 } else { 120 };
        let axis = title_bottom + 640;
        let mut y = axis + PAD;
        let mut bands = Vec::new();
        for kind in MarkKind::ALL {
            let marks = chart.marks_of(kind);
            if marks.is_empty() {
                continue;
            }
            let start = |mark: &Mark| frame.x(mark.at) - MARK_WIDTH / 2;
            let room = |marks: &[&Mark]| MARK_WIDTH + if marks.len() > 1 { 180 } else { 0 };
            let (placed, rows) = place(&marks, most_rows(kind), start, room);
            bands.push(MarkBand { kind, y, placed });
            y += rows as i64 * MARK;
        }
        y += PAD;
        let mut bands_of_keys = Vec::new();
        for key in keys {
            let height = key.lanes.len() as i64 * LANE + 2 * PAD;
            bands_of_keys.push(KeyBand { key, y, height });
            y += height;
        }
        let bottom = y;
        let below = bottom + 320;
        let (legend, notes, end) = match frame.dress {
            Dress::Screen => {
                let notes = notes(frame, chart, below + legend_height(frame) + 160);
                let end = notes
                    .last()
                    .map_or(below + legend_height(frame) - LEGEND, Note::bottom);
                (Some(below), notes, end)
            }
            Dress::Paper(Legend::Below) => (Some(below), Vec::new(), below + legend_height(frame) - LEGEND),
            Dress::Paper(Legend::Elsewhere) => (None, Vec::new(), bottom),
        };
        Self {
            title,
            title_bottom,
            axis,
            bands,
            keys: bands_of_keys,
            bottom,
            legend,
            notes,
            height: end + EDGE,
        }
    }
}

impl KeyBand<'_> {
    /// The top of a lane, by its place.
    pub const fn lane(&self, place: usize) -> i64 {
        self.y + PAD + place as i64 * LANE
    }
}
