//! The chart, from its ground to its marks.

use cli::page::Markup;
use key_metadata::Digest;

use super::bars::{draw_ends, draw_keys, draw_links, links};
use super::frame::{Dress, Frame, MARGIN, line, px, rect, words};
use super::layout::{Layout, TITLE};
use super::marks::{draw_guides, draw_marks};
use super::notes::{draw_legend, draw_notes, patterns};
use super::style::{SCREEN, STYLE};
use crate::pictures::axis::Axis;
use crate::pictures::chart::Chart;
use crate::pictures::rows::{KeyRows, rows};

/// Pixels between marks of the axis.
const ROOM: i64 = 46;

pub(super) fn draw(markup: &mut Markup, chart: &Chart<'_>, dress: Dress) {
    let (keys, is_told) = rows(chart);
    let axis = Axis::new(chart.from, chart.until);
    let frame = Frame::new(dress, axis, chart.now, prefix(chart));
    let layout = Layout::new(&frame, chart, &keys);
    let view = format!("0 0 {} {}", px(frame.width), px(layout.height));
    let (width, height) = (px(frame.width), px(layout.height));
    let (title, told) = (
        format!("{}-title", frame.prefix),
        format!("{}-told", frame.prefix),
    );
    let labels = format!("{title} {told}");
    let attributes = [
        ("xmlns", "http://www.w3.org/2000/svg"),
        ("class", "keyrite-chart"),
        ("width", &*width),
        ("height", &*height),
        ("viewBox", &*view),
        ("lang", "en"),
        ("role", "img"),
        ("aria-labelledby", &*labels),
    ];
    markup.inside("svg", &attributes, |svg| {
        svg.element("title", &[("id", &title)], &chart.title);
        svg.element("desc", &[("id", &told)], &in_words(chart, &keys, is_told));
        match dress {
            Dress::Screen => svg.style(&[STYLE, SCREEN]),
            Dress::Paper(_) => svg.style(&[STYLE]),
        };
        patterns(svg, &frame);
        rect(svg, "ground", [0, 0, frame.width, layout.height], &[]);
        draw_title(svg, chart, &layout, is_told);
        draw_ground(svg, &frame, &layout);
        draw_axis(svg, &frame, &layout);
        draw_silences(svg, &frame, chart, &layout);
        draw_guides(svg, &frame, &layout);
        let links = links(&frame, chart, &layout);
        draw_links(svg, &links);
        draw_keys(svg, &frame, chart, &layout);
        draw_ends(svg, &links);
        draw_now(svg, &frame, chart, &layout);
        draw_marks(svg, &frame, &layout);
        if let Some(legend) = layout.legend {
            draw_legend(svg, &frame, chart, legend);
        }
        draw_notes(svg, &layout.notes);
    });
}

/// Before the ids of a chart, so that those of several in a page differ.
fn prefix(chart: &Chart<'_>) -> String {
    let text = format!("{} {} {} {}", chart.title, chart.from, chart.until, chart.now);
    let digest = Digest::of(text.as_bytes()).to_string();
    format!("chart-{}", digest.get(..8).map_or("", |start| start))
}

/// For who does not see it.
fn in_words(chart: &Chart<'_>, keys: &[KeyRows], is_told: bool) -> String {
    let labels: Vec<&str> = keys.iter().map(|key| &*key.label).collect();
    let mut text = format!(
        "Chart of the keys of {} from {} to {}, for {}. Keys: {}.",
        chart.schedule.zone,
        chart.from,
        chart.until,
        chart.now,
        labels.join(", ")
    );
    for mark in chart.told() {
        text += &format!(" {}, {}: {}.", mark.at, mark.kind.name(), mark.label);
    }
    if !is_told {
        text += " What caches hold is not drawn: too many changes may come in any order.";
    }
    text
}

fn draw_title(svg: &mut Markup, chart: &Chart<'_>, layout: &Layout<'_>, is_told: bool) {
    for (row, line) in (1..).zip(&layout.title) {
        words(svg, "title", (MARGIN, 100 + row * TITLE), line);
    }
    let limit = match is_told {
        true => "",
        false => "; what caches hold is not drawn, since too many changes may come in any order",
    };
    let text = format!(
        "{} to {}, UTC; now is {}{limit}",
        chart.from, chart.until, chart.now
    );
    words(svg, "soft", (MARGIN, layout.title_bottom + 170), &text);
}

fn draw_ground(svg: &mut Markup, frame: &Frame, layout: &Layout<'_>) {
    for band in layout.keys.iter().step_by(2) {
        rect(svg, "band", [0, band.y, frame.width, band.height], &[]);
    }
    line(svg, "axis", [frame.left, layout.axis, frame.right(), layout.axis]);
    line(svg, "axis", [0, layout.bottom, frame.width, layout.bottom]);
    if let Some(first) = layout.keys.first() {
        line(svg, "axis", [0, first.y, frame.width, first.y]);
    }
}

fn draw_axis(svg: &mut Markup, frame: &Frame, layout: &Layout<'_>) {
    let ticks = frame.axis.ticks(frame.plot / 10 / ROOM);
    let x = |at: i64| frame.left + frame.axis.place_of(at, frame.plot);
    for tick in &ticks.small {
        line(svg, "grid", [x(tick.at), layout.axis, x(tick.at), layout.bottom]);
        words(svg, "tick", (x(tick.at), layout.axis - 50), &tick.label);
    }
    let row = match ticks.large.is_empty() {
        true => 50,
        false => 220,
    };
    words(svg, "soft", (MARGIN, layout.axis - row), "UTC");
    for (index, tick) in ticks.large.iter().enumerate() {
        let start = x(tick.at);
        let next = ticks.large.get(index + 1).map_or(frame.width, |next| x(next.at));
        line(
            svg,
            "grid large",
            [start, layout.axis - 320, start, layout.bottom],
        );
        // The unit in which the chart begins is named at its edge, where there is room.
        if start + 80 + tick.label.chars().count() as i64 * 72 < next {
            words(svg, "large", (start + 40, layout.axis - row), &tick.label);
        }
    }
}

fn draw_silences(svg: &mut Markup, frame: &Frame, chart: &Chart<'_>, layout: &Layout<'_>) {
    let Some(first) = layout.keys.first() else {
        return;
    };
    for silence in &chart.schedule.silences {
        if silence.from > chart.until || silence.until.is_some_and(|until| until < chart.from) {
            continue;
        }
        let from = frame.x(silence.from);
        let until = silence.until.map_or(frame.right(), |until| frame.x(until));
        let ends = silence
            .until
            .map_or_else(|| "on".to_owned(), |until| format!("until {until}"));
        svg.inside("g", &[], |svg| {
            svg.element(
                "title",
                &[],
                &format!("nobody signs, from {} {ends}", silence.from),
            );
            let place = [from, first.y, (until - from).max(10), layout.bottom - first.y];
            rect(svg, "silence", place, &[]);
            words(
                svg,
                "limit silent",
                ((from + until) / 2, layout.bottom + 120),
                "nobody signs",
            );
        });
    }
}

fn draw_now(svg: &mut Markup, frame: &Frame, chart: &Chart<'_>, layout: &Layout<'_>) {
    let Some(x) = frame.now else { return };
    svg.inside("g", &[], |svg| {
        svg.element("title", &[], &format!("now: {}", chart.now));
        line(svg, "now", [x, layout.axis, x, layout.bottom + 30]);
        let below = [(0, 0), (-50, -90), (50, -90)];
        let points: Vec<_> = below
            .iter()
            .map(|(dx, dy)| format!("{},{}", px(x + dx), px(layout.axis + dy)))
            .collect();
        svg.empty("polygon", &[("class", "now-tip"), ("points", &points.join(" "))]);
        words(svg, "now-word", (x, layout.bottom + 150), "now");
    });
}
