//! The marks: a shape for each kind, which is told without its colour.

use cli::page::Markup;

use super::frame::{Frame, MARGIN, line, px, words};
use super::layout::{Layout, MARK};
use crate::pictures::chart::{Mark, MarkKind};
use crate::pictures::placing::label;

pub(super) fn draw_marks(svg: &mut Markup, frame: &Frame, layout: &Layout<'_>) {
    for band in &layout.bands {
        words(
            svg,
            text_class(band.kind),
            (MARGIN, band.y + 145),
            band.kind.name(),
        );
        for placed in &band.placed {
            let Some(first) = placed.marks.first() else {
                continue;
            };
            let y = band.y + placed.row as i64 * MARK + MARK / 2;
            svg.inside("g", &[], |svg| {
                svg.element("title", &[], &told(band.kind, &placed.marks));
                // Numbers of many marks are wider than the edge.
                let x = frame
                    .x(first.at)
                    .min(frame.width - half_width(&placed.marks) - 30);
                shape(svg, band.kind, (x, y), &placed.marks);
            });
        }
    }
}

/// Lines from what people must do, and from deadlines, down through the lanes.
pub(super) fn draw_guides(svg: &mut Markup, frame: &Frame, layout: &Layout<'_>) {
    for band in &layout.bands {
        let class = match band.kind {
            MarkKind::Person => "guide person",
            MarkKind::Latest => "guide limit",
            MarkKind::Tool | MarkKind::Observation | MarkKind::NoReturn => continue,
        };
        for placed in &band.placed {
            for mark in &placed.marks {
                let (x, y) = (frame.x(mark.at), band.y + placed.row as i64 * MARK + MARK / 2);
                line(svg, class, [x, y, x, layout.bottom]);
            }
        }
    }
}

fn told(kind: MarkKind, marks: &[&Mark]) -> String {
    let lines: Vec<String> = marks
        .iter()
        .map(|mark| {
            let number = mark
                .number
                .map_or_else(String::new, |number| format!("{number}. "));
            format!("{number}{} {}: {}", mark.at, kind.name(), mark.label)
        })
        .collect();
    lines.join("\n")
}

pub(super) const fn text_class(kind: MarkKind) -> &'static str {
    match kind {
        MarkKind::Person => "kind person",
        MarkKind::Tool | MarkKind::Observation => "kind",
        MarkKind::NoReturn | MarkKind::Latest => "kind limit",
    }
}

/// Half of what a shape takes: it is longer for a longer text.
fn half_width(marks: &[&Mark]) -> i64 {
    (label(marks).chars().count() as i64 * 32 + 20).max(80)
}

/// The shape of a kind around a place, with the numbers of its marks.
pub(super) fn shape(svg: &mut Markup, kind: MarkKind, (x, y): (i64, i64), marks: &[&Mark]) {
    let (text, half) = (label(marks), half_width(marks));
    let corners = |points: &[(i64, i64)]| {
        let points: Vec<_> = points
            .iter()
            .map(|(dx, dy)| format!("{},{}", px(x + dx), px(y + dy)))
            .collect();
        points.join(" ")
    };
    let (class, shift) = match kind {
        MarkKind::Person | MarkKind::Observation | MarkKind::Tool => {
            let (class, round) = match kind {
                MarkKind::Person => ("mark person", "8.5"),
                MarkKind::Observation => ("mark seen", "8.5"),
                MarkKind::Tool | MarkKind::NoReturn | MarkKind::Latest => ("mark tool", "2"),
            };
            super::frame::rect(
                svg,
                class,
                [x - half - 5, y - 85, 2 * half + 10, 170],
                &[("rx", round)],
            );
            (class, 0)
        }
        MarkKind::NoReturn => {
            let points = corners(&[
                (-half - 20, 0),
                (-half + 30, -90),
                (half - 30, -90),
                (half + 20, 0),
                (half - 30, 90),
                (-half + 30, 90),
            ]);
            svg.empty("polygon", &[("class", "mark limit"), ("points", &points)]);
            ("mark limit", 0)
        }
        MarkKind::Latest => {
            // Its tip is the time.
            let points = corners(&[
                (0, 0),
                (-60, -85),
                (-60 - 2 * half, -85),
                (-60 - 2 * half, 85),
                (-60, 85),
            ]);
            svg.empty("polygon", &[("class", "mark limit latest"), ("points", &points)]);
            ("mark limit latest", -half - 50)
        }
    };
    if !text.is_empty() {
        let class = class.replace("mark", "letter");
        words(svg, &class, (x + shift, y + 36), &text);
    }
}
