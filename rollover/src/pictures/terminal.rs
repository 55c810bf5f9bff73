//! A chart for a terminal.

use key_metadata::Time;

use crate::pictures::axis::Axis;
use crate::pictures::cells::{Cell, cells};
use crate::pictures::chart::{Chart, Mark, MarkKind};
use crate::pictures::glyphs::Glyphs;
use crate::pictures::placing::{label, most_rows, place};
use crate::pictures::rows::{KeyRows, LaneRow, rows};
use crate::pictures::screen::{Screen, Tone};
use crate::pictures::shades::{LaneKind, Shade};

/// The names of the lanes stand here.
const LEFT: usize = 16;
/// A chart is drawn no narrower than this.
const NARROWEST: usize = 48;
/// Columns of an axis for each of its marks.
const ROOM: i64 = 7;

/// The chart in that many columns, as plain text; in fewer than 48, it is as wide as in 48.
pub fn terminal(chart: &Chart<'_>, columns: usize, glyphs: Glyphs) -> String {
    draw(chart, columns, glyphs).plain()
}

/// The same in colours, as ANSI escapes, for a terminal that shows them.
pub fn coloured(chart: &Chart<'_>, columns: usize, glyphs: Glyphs) -> String {
    draw(chart, columns, glyphs).coloured()
}

fn draw(chart: &Chart<'_>, columns: usize, glyphs: Glyphs) -> Screen {
    let columns = columns.max(NARROWEST);
    let width = columns - LEFT;
    let axis = Axis::new(chart.from, chart.until);
    let now = axis.has(chart.now).then(|| column(&axis, chart.now, width));
    let mut drawing = Drawing {
        chart,
        axis,
        columns,
        width,
        now,
        glyphs,
        seen: Vec::new(),
        screen: Screen::default(),
    };
    let (keys, is_told) = rows(chart);
    drawing.screen.text(Tone::Strong, &chart.title, columns, 0);
    drawing.axis();
    drawing.marks();
    for key in &keys {
        drawing.key(key);
    }
    drawing.silences();
    drawing.legend(is_told);
    drawing.told();
    drawing.screen
}

fn column(axis: &Axis, time: Time, width: usize) -> usize {
    let width = i64::try_from(width).map_or(i64::MAX, |width| width);
    let column = axis.place(time, width).min(width - 1);
    usize::try_from(column).map_or(0, |column| column)
}

struct Drawing<'c> {
    chart: &'c Chart<'c>,
    axis: Axis,
    columns: usize,
    width: usize,
    now: Option<usize>,
    glyphs: Glyphs,
    /// The shades that are on it.
    seen: Vec<Shade>,
    screen: Screen,
}

impl Drawing<'_> {
    /// A row: a name at the left and cells.
    fn row(&mut self, tone: Tone, name: &str, cells: Vec<(Tone, char)>) {
        self.screen.row((tone, name, LEFT), cells);
    }

    /// Cells with nothing in them but the line of now.
    fn blank(&self) -> Vec<(Tone, char)> {
        (0..self.width)
            .map(|column| match self.now == Some(column) {
                true => (Tone::Now, self.glyphs.now()),
                false => (Tone::Plain, ' '),
            })
            .collect()
    }

    fn axis(&mut self) {
        let width = self.width as i64;
        let ticks = self.axis.ticks(width / ROOM);
        let place = |at: i64| self.axis.place_of(at, width);
        let blank = || vec![(Tone::Plain, ' '); self.width];
        let (mut large, mut small) = (blank(), blank());
        for (index, tick) in ticks.large.iter().enumerate() {
            let (start, length) = (place(tick.at), tick.label.chars().count() as i64);
            let next = ticks
                .large
                .get(index + 1)
                .map_or(width + 1, |next| place(next.at));
            // The unit in which the chart begins is named at its edge, where there is room.
            if start + length < next {
                write(&mut large, start, Tone::Strong, &tick.label);
            }
        }
        let mut line = vec![(Tone::Soft, self.glyphs.axis()); self.width];
        for tick in &ticks.small {
            let start = place(tick.at);
            write(&mut line, start, Tone::Soft, self.glyphs.tick());
            if start + tick.label.chars().count() as i64 <= width {
                write(&mut small, start, Tone::Plain, &tick.label);
            }
        }
        if let Some(now) = self.now {
            write(&mut line, now as i64, Tone::Now, self.glyphs.here());
        }
        if ticks.large.is_empty() {
            self.row(Tone::Soft, "UTC", small);
        } else {
            self.row(Tone::Soft, "UTC", large);
            self.row(Tone::Soft, "", small);
        }
        self.row(Tone::Plain, "", line);
    }

    fn marks(&mut self) {
        for kind in MarkKind::ALL {
            let marks = self.chart.marks_of(kind);
            let length = |marks: &[&Mark]| self.label(marks).chars().count();
            let (placed, rows) = place(
                &marks,
                most_rows(kind),
                |mark| {
                    let last = self.width.saturating_sub(length(&[mark]));
                    column(&self.axis, mark.at, self.width).min(last) as i64
                },
                |marks| length(marks) as i64 + 1,
            );
            for row in 0..rows {
                let mut cells = self.blank();
                for group in placed.iter().filter(|group| group.row == row) {
                    let label = self.label(&group.marks);
                    let last = self.width.saturating_sub(label.chars().count());
                    write(&mut cells, group.start.min(last as i64), tone(kind), &label);
                }
                let name = if row == 0 { kind.name() } else { "" };
                self.row(tone(kind), name, cells);
            }
        }
    }

    fn label(&self, marks: &[&Mark]) -> String {
        match label(marks) {
            none if none.is_empty() => self.glyphs.mark().to_owned(),
            label => label,
        }
    }

    fn key(&mut self, key: &KeyRows) {
        let heading = match key.planned {
            Some(_) => format!("{} {}", key.label, key.algorithm),
            None => format!("{} {}, not planned", key.label, key.algorithm),
        };
        let mut blank = self.blank();
        // A heading may be longer than the names of lanes.
        let rest: String = heading.chars().skip(LEFT).collect();
        write(&mut blank, 0, Tone::Strong, &rest);
        self.row(
            Tone::Strong,
            &heading.chars().take(LEFT).collect::<String>(),
            blank,
        );
        for lane in &key.lanes {
            self.lane(key, lane);
        }
    }

    fn lane(&mut self, key: &KeyRows, lane: &LaneRow) {
        let planned = cells(&self.axis, self.width, &lane.planned);
        let mut drawn = planned.clone();
        let mut differs = false;
        if let Some(happened) = &lane.happened {
            let happened = cells(&self.axis, self.width, happened);
            let past = match (self.now, self.chart.now < self.chart.from) {
                (Some(now), _) => now,
                (None, true) => 0,
                (None, false) => self.width,
            };
            differs = planned[..past] != happened[..past];
            drawn[..past].copy_from_slice(&happened[..past]);
        }
        let name = format!("  {}", lane.kind.name());
        let mut row = self.painted(&drawn, lane.kind);
        if let (LaneKind::Dnskey, Some(revoked)) = (lane.kind, key.revoked)
            && self.axis.has(revoked)
        {
            let at = column(&self.axis, revoked, self.width);
            write(&mut row, at as i64, Tone::Limit, "R");
        }
        self.row(Tone::Plain, &name, row);
        if differs {
            let row = self.painted(&planned, lane.kind);
            let row = row.into_iter().map(|(_, glyph)| (Tone::Soft, glyph)).collect();
            self.row(Tone::Soft, "    as planned", row);
        }
    }

    fn painted(&mut self, cells: &[Cell], kind: LaneKind) -> Vec<(Tone, char)> {
        let mut row = self.blank();
        for (column, (place, cell)) in row.iter_mut().zip(cells).enumerate() {
            if let Some(shade) = cell {
                let tone = if self.now == Some(column) {
                    Tone::Now
                } else {
                    Tone::Lane(kind)
                };
                *place = (tone, self.glyphs.shade(*shade));
                if !self.seen.contains(shade) {
                    self.seen.push(*shade);
                }
            }
        }
        row
    }

    /// When nothing is signed.
    fn silences(&mut self) {
        let mut row = self.blank();
        let mut is_any = false;
        for silence in &self.chart.schedule.silences {
            if silence.from > self.chart.until || silence.until.is_some_and(|until| until < self.chart.from) {
                continue;
            }
            is_any = true;
            let first = column(&self.axis, silence.from, self.width);
            let last = silence
                .until
                .map_or(self.width - 1, |until| column(&self.axis, until, self.width));
            for place in row.iter_mut().take(last + 1).skip(first) {
                *place = (Tone::Limit, self.glyphs.silence());
            }
        }
        if is_any {
            self.row(Tone::Limit, "nobody signs", row);
        }
    }

    fn legend(&mut self, is_told: bool) {
        self.screen.line();
        for shade in Shade::ALL {
            if self.seen.contains(&shade) {
                let glyph = self.glyphs.shade(shade);
                let text = format!("{glyph}{glyph}{glyph} {:<12} {}", shade.name(), shade.meaning());
                self.screen.text(Tone::Soft, &text, self.columns, 17);
            }
        }
        if self.now.is_some() {
            let text = format!(" {}  {:<12} {}", self.glyphs.now(), "now", self.chart.now);
            self.screen.text(Tone::Soft, &text, self.columns, 17);
        }
        if !is_told {
            let text = "What caches hold is not drawn: too many changes may come in any order.";
            self.screen.text(Tone::Limit, text, self.columns, 0);
        }
    }

    /// What people have to know.
    fn told(&mut self) {
        let told = self.chart.told();
        if !told.is_empty() {
            self.screen.line();
        }
        for mark in told {
            let number = mark
                .number
                .map_or_else(|| self.glyphs.mark().to_owned(), |number| number.to_string());
            let head = format!("{number:>3}  {}  {:<11}  ", mark.at, mark.kind.name());
            let text = format!("{head}{}", mark.label);
            self.screen
                .text(tone(mark.kind), &text, self.columns, head.chars().count());
        }
    }
}

fn tone(kind: MarkKind) -> Tone {
    match kind {
        MarkKind::Person => Tone::Person,
        MarkKind::Tool | MarkKind::Observation => Tone::Plain,
        MarkKind::NoReturn | MarkKind::Latest => Tone::Limit,
    }
}

/// Writes over cells; what would be beyond them is left out.
fn write(cells: &mut [(Tone, char)], start: i64, tone: Tone, text: &str) {
    let Ok(start) = usize::try_from(start) else {
        return;
    };
    for (cell, letter) in cells.iter_mut().skip(start).zip(cli::shown(text).chars()) {
        *cell = (tone, letter);
    }
}
