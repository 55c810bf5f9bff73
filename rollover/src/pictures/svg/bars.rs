//! The keys and their lanes.

use std::collections::BTreeMap;

use cli::page::Markup;
use key_metadata::Time;

use super::frame::{Dress, Frame, MARGIN, line, px, rect, shortened, words};
use super::layout::{KeyBand, LANE, Layout};
use super::notes::id;
use crate::pictures::chart::Chart;
use crate::pictures::rows::{KeyRows, LaneRow};
use crate::pictures::shades::{LaneKind, Shade, Stretch};
use crate::schedule::CauseIndex;

/// How high a bar is, where nothing says what happened.
const BAR: i64 = 120;
/// How high what was planned is behind what happened, and that.
const PLANNED: i64 = 150;
const HAPPENED: i64 = 80;
/// What is shorter is drawn as if it took a pixel.
const LEAST: i64 = 10;

pub(super) fn draw_keys(svg: &mut Markup, frame: &Frame, chart: &Chart<'_>, layout: &Layout<'_>) {
    for band in &layout.keys {
        draw_key(svg, frame, chart, band);
    }
}

fn draw_key(svg: &mut Markup, frame: &Frame, chart: &Chart<'_>, band: &KeyBand<'_>) {
    let key = band.key;
    let letters = match frame.dress {
        Dress::Screen => 14,
        Dress::Paper(_) => 11,
    };
    svg.inside("g", &[], |svg| {
        let planned = match key.planned {
            Some(_) => "",
            None => ", not planned",
        };
        svg.element(
            "title",
            &[],
            &format!("{}, {}{planned}", key.label, key.algorithm),
        );
        words(
            svg,
            "key",
            (MARGIN, band.lane(0) + 140),
            &shortened(&key.label, letters),
        );
        if key.lanes.len() > 1 {
            words(
                svg,
                "algorithm",
                (MARGIN, band.lane(1) + 130),
                &shortened(&key.algorithm.to_string(), 16),
            );
        }
    });
    for (place, lane) in key.lanes.iter().enumerate() {
        let y = band.lane(place);
        words(svg, "lane", (frame.left - 100, y + 138), lane.kind.name());
        svg.inside("g", &[("class", class(lane.kind))], |svg| {
            draw_lane(svg, frame, chart, (key, lane), y);
        });
    }
}

fn class(kind: LaneKind) -> &'static str {
    match kind {
        LaneKind::Dnskey => "dnskey",
        LaneKind::Ds => "ds",
        LaneKind::DnskeyRrsig => "dnskey-rrsig",
        LaneKind::ZoneRrsig => "zone-rrsig",
    }
}

fn draw_lane(svg: &mut Markup, frame: &Frame, chart: &Chart<'_>, (key, lane): (&KeyRows, &LaneRow), y: i64) {
    let whole = (frame.left, frame.right());
    let place = |height: i64| (y + (LANE - height) / 2, height);
    match &lane.happened {
        None => {
            for stretch in &lane.planned {
                draw_stretch(svg, frame, (key, lane.kind), stretch, whole, place(BAR), "");
            }
        }
        Some(happened) => {
            let now = frame.x(chart.now);
            let (past, future) = ((whole.0, now), (now, whole.1));
            for stretch in &lane.planned {
                draw_outline(svg, frame, (key, lane.kind), stretch, past, place(PLANNED));
                draw_stretch(svg, frame, (key, lane.kind), stretch, future, place(BAR), "");
            }
            for stretch in happened {
                draw_stretch(
                    svg,
                    frame,
                    (key, lane.kind),
                    stretch,
                    past,
                    place(HAPPENED),
                    ", as it happened",
                );
            }
        }
    }
    if let (LaneKind::Dnskey, Some(revoked)) = (lane.kind, key.revoked)
        && frame.axis.has(revoked)
    {
        let x = frame.x(revoked);
        svg.inside("g", &[], |svg| {
            svg.element(
                "title",
                &[],
                &format!("{} has the REVOKE bit from {revoked}", key.label),
            );
            rect(svg, "revoked", [x - 60, y + 30, 120, LANE - 60], &[("rx", "2")]);
            words(svg, "letter", (x, y + 130), "R");
        });
    }
}

/// From where to where a stretch is drawn, of what is between two places.
fn extent(frame: &Frame, stretch: &Stretch, (least, most): (i64, i64)) -> Option<(i64, i64)> {
    let from = frame.x(stretch.from).max(least);
    let until = stretch
        .until
        .map_or(frame.right(), |until| frame.x(until))
        .min(most);
    (from < most && until >= least && until >= from).then(|| (from, (until - from).max(LEAST)))
}

type Of<'r> = (&'r KeyRows, LaneKind);

fn draw_stretch(
    svg: &mut Markup,
    frame: &Frame,
    of: Of<'_>,
    stretch: &Stretch,
    between: (i64, i64),
    (y, height): (i64, i64),
    how: &str,
) {
    let Some((x, width)) = extent(frame, stretch, between) else {
        return;
    };
    svg.inside("g", &[], |svg| {
        svg.element("title", &[], &format!("{}{how}", tell(of, stretch)));
        filled(svg, frame, stretch.shade, [x, y, width, height]);
    });
}

fn draw_outline(
    svg: &mut Markup,
    frame: &Frame,
    of: Of<'_>,
    stretch: &Stretch,
    between: (i64, i64),
    (y, height): (i64, i64),
) {
    if let Some((x, width)) = extent(frame, stretch, between) {
        svg.inside("g", &[], |svg| {
            svg.element("title", &[], &format!("{}, as it was planned", tell(of, stretch)));
            rect(svg, "planned", [x, y, width, height], &[]);
        });
    }
}

/// What a stretch is, in words.
fn tell((key, kind): Of<'_>, stretch: &Stretch) -> String {
    let until = stretch
        .until
        .map_or_else(|| "on".to_owned(), |until| format!("until {until}"));
    format!(
        "{} of {}, {}: from {} {until} ({})",
        kind.name(),
        key.label,
        stretch.shade.name(),
        stretch.from,
        stretch.shade.meaning()
    )
}

/// A bar in the colour of its lane, and what is laid over it.
pub(super) fn filled(svg: &mut Markup, frame: &Frame, shade: Shade, places: [i64; 4]) {
    let fill = match shade {
        Shade::Omnipresent => None,
        Shade::Rumoured | Shade::Unretentive | Shade::Uncertain => {
            Some(format!("url(#{})", id(frame, shade)))
        }
    };
    rect(svg, "bar", places, &[]);
    if let Some(fill) = fill {
        rect(svg, shade.name(), places, &[("fill", &fill)]);
    }
}

/// The lanes that a cause changes together.
pub(super) struct Link<'c> {
    at: Time,
    cause: &'c str,
    x: i64,
    lanes: Vec<i64>,
}

/// A link for each cause that changes more than one lane.
pub(super) fn links<'c>(frame: &Frame, chart: &'c Chart<'_>, layout: &Layout<'_>) -> Vec<Link<'c>> {
    let since = match chart.happened {
        Some(_) => chart.now,
        None => chart.from,
    };
    let mut places: BTreeMap<(Time, CauseIndex), Vec<i64>> = BTreeMap::new();
    for band in &layout.keys {
        let Some(key) = band.key.planned.and_then(|key| chart.schedule.keys.get(key.0)) else {
            continue;
        };
        for (place, lane) in band.key.lanes.iter().enumerate() {
            let presences = lane.kind.of(key).0.iter();
            for event in presences
                .flat_map(|presence| [Some(presence.begins), presence.ends])
                .flatten()
            {
                // What was there when the record begins did not come together.
                if event.from > chart.schedule.since.max(since) && frame.axis.has(event.from) {
                    let y = band.lane(place) + LANE / 2;
                    places.entry((event.from, event.cause)).or_default().push(y);
                }
            }
        }
    }
    let link = |((at, cause), mut lanes): ((Time, CauseIndex), Vec<i64>)| {
        lanes.sort_unstable();
        lanes.dedup();
        Link {
            at,
            cause: chart.schedule.cause_name(cause),
            x: frame.x(at),
            lanes,
        }
    };
    let mut links: Vec<_> = places.into_iter().map(link).collect();
    links.retain(|link| link.lanes.len() > 1);
    links
}

/// The lines of links, which pass behind the bars of other lanes.
pub(super) fn draw_links(svg: &mut Markup, links: &[Link<'_>]) {
    for link in links {
        if let [first, .., last] = link.lanes.as_slice() {
            line(svg, "link", [link.x, *first, link.x, *last]);
        }
    }
}

/// Their ends, on the lanes that change.
pub(super) fn draw_ends(svg: &mut Markup, links: &[Link<'_>]) {
    for link in links {
        svg.inside("g", &[("class", "link")], |svg| {
            svg.element("title", &[], &format!("{}: {}", link.at, link.cause));
            for y in &link.lanes {
                svg.empty("circle", &[("cx", &*px(link.x)), ("cy", &*px(*y)), ("r", "2.4")]);
            }
        });
    }
}
