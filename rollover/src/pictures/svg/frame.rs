//! Where things are in a chart, in tenths of a pixel.

use cli::page::{Attribute, Markup};
use key_metadata::Time;

use crate::pictures::axis::Axis;

/// For what a chart is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pictures) enum Dress {
    /// A file of its own, wide, with what people have to know below it.
    Screen,
    /// A part of a page that is printed, which says itself what people have to know, and what chart it is.
    Paper(Legend),
}

/// Whether it is told what the fillings and shapes mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pictures) enum Legend {
    /// Below the chart.
    Below,
    /// Below another chart of the same page.
    Elsewhere,
}

/// The canvas.
pub(super) struct Frame {
    pub dress: Dress,
    pub axis: Axis,
    /// Stands before every id, since a page may have several charts.
    pub prefix: String,
    /// Of the canvas.
    pub width: i64,
    /// Where the axis begins.
    pub left: i64,
    /// How long the axis is.
    pub plot: i64,
    /// The place of now, if it is on the axis.
    pub now: Option<i64>,
}

/// The left edge of what is written.
pub(super) const MARGIN: i64 = 160;
/// Beside the axis, and below everything.
pub(super) const EDGE: i64 = 220;

impl Frame {
    pub fn new(dress: Dress, axis: Axis, now: Time, prefix: String) -> Self {
        let (width, left) = match dress {
            Dress::Screen => (12_000, 2300),
            Dress::Paper(_) => (7000, 2050),
        };
        let plot = width - left - EDGE;
        Self {
            dress,
            axis,
            prefix,
            width,
            left,
            plot,
            now: axis.has(now).then(|| left + axis.place(now, plot)),
        }
    }

    /// The place of a time.
    pub fn x(&self, time: Time) -> i64 {
        self.left + self.axis.place(time, self.plot)
    }

    /// The right end of the axis.
    pub const fn right(&self) -> i64 {
        self.left + self.plot
    }

    /// How many letters of that width, in tenths of a pixel, fit from `x` on.
    pub fn letters(&self, x: i64, letter: i64) -> usize {
        usize::try_from((self.width - x - MARGIN) / letter).map_or(20, |letters| letters.max(20))
    }
}

/// Tenths of a pixel as SVG has them.
pub(super) fn px(tenths: i64) -> String {
    match tenths % 10 {
        0 => (tenths / 10).to_string(),
        _ => {
            let sign = if tenths < 0 { "-" } else { "" };
            format!("{sign}{}.{}", tenths.abs() / 10, tenths.abs() % 10)
        }
    }
}

/// A rectangle: x, y, width, height.
pub(super) fn rect(svg: &mut Markup, class: &str, places: [i64; 4], more: &[Attribute<'_>]) {
    let [x, y, width, height] = places.map(px);
    let mut attributes = vec![
        ("class", class),
        ("x", &*x),
        ("y", &*y),
        ("width", &*width),
        ("height", &*height),
    ];
    attributes.retain(|(name, value)| !(*name == "class" && value.is_empty()));
    attributes.extend_from_slice(more);
    svg.empty("rect", &attributes);
}

/// A line: from x and y to x and y.
pub(super) fn line(svg: &mut Markup, class: &str, places: [i64; 4]) {
    let [x1, y1, x2, y2] = places.map(px);
    let attributes = [
        ("class", class),
        ("x1", &*x1),
        ("y1", &*y1),
        ("x2", &*x2),
        ("y2", &*y2),
    ];
    svg.empty("line", &attributes);
}

/// Text on a line at `y`.
pub(super) fn words(svg: &mut Markup, class: &str, (x, y): (i64, i64), text: &str) {
    let (x, y) = (px(x), px(y));
    svg.element("text", &[("class", class), ("x", &x), ("y", &y)], text);
}

/// The first letters of a text.
pub(super) fn shortened(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(letters.saturating_sub(1)).collect();
    short.push('\u{2026}');
    short
}
