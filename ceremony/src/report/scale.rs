//! The time axis of the picture. A long time in which nothing was written is drawn shorter than it was.

use key_metadata::Time;

/// A gap that is longer, in seconds, is drawn as if it had been this long.
const LONGEST_GAP: i64 = 30 * 60;
/// At most so many marks are on the axis.
const MOST_TICKS: i64 = 10;
/// Seconds between marks.
const UNITS: [i64; 16] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400,
];

/// From times to places, in tenths of a pixel.
pub(super) struct Scale {
    /// Each time at which something was written, with its place in seconds that are drawn.
    knots: Vec<(i64, i64)>,
    drawn: i64,
    left: i64,
    width: i64,
}

/// A mark on the axis.
pub(super) struct Tick {
    /// Its place.
    pub x: i64,
    /// The time of day.
    pub label: String,
    /// The day, at the first mark of it.
    pub day: Option<String>,
}

/// A time that is drawn shorter.
pub(super) struct Fold {
    /// Where it begins.
    pub from: i64,
    /// Where it ends.
    pub to: i64,
    /// How long it was.
    pub seconds: i64,
}

impl Scale {
    /// The axis for these times, from `left` on, `width` wide.
    pub fn new(times: impl Iterator<Item = Time>, left: i64, width: i64) -> Self {
        let mut times: Vec<i64> = times.map(Time::unix_seconds).collect();
        times.sort_unstable();
        times.dedup();
        let mut knots: Vec<(i64, i64)> = Vec::with_capacity(times.len());
        for time in times {
            let place = knots
                .last()
                .map_or(0, |(before, place)| place + (time - before).min(LONGEST_GAP));
            knots.push((time, place));
        }
        Self {
            drawn: knots.last().map_or(1, |(_, place)| (*place).max(1)),
            knots,
            left,
            width,
        }
    }

    /// The place of a time.
    pub fn x(&self, time: Time) -> i64 {
        self.of_seconds(time.unix_seconds())
    }

    fn of_seconds(&self, time: i64) -> i64 {
        let after = self.knots.partition_point(|(knot, _)| *knot <= time);
        let before = after.checked_sub(1).and_then(|at| self.knots.get(at));
        let place = match (before, self.knots.get(after)) {
            (None, _) => 0,
            (Some((_, place)), None) => *place,
            (Some((from, place)), Some((to, end))) => place + (time - from) * (end - place) / (to - from),
        };
        self.left + place * self.width / self.drawn
    }

    /// The marks.
    pub fn ticks(&self) -> Vec<Tick> {
        let unit = UNITS
            .into_iter()
            .find(|unit| self.drawn / unit <= MOST_TICKS)
            .map_or(86400, |unit| unit);
        let mut ticks = Vec::new();
        let mut last_day = String::new();
        for (from, to) in self.stretches() {
            let mut at = from.div_euclid(unit) * unit;
            while at <= to {
                if let Some(time) = time(at).filter(|_| at >= from) {
                    let text = time.to_string();
                    let (day, hour) = text.split_once('T').map_or((&*text, ""), |parts| parts);
                    let length = if unit < 60 { 8 } else { 5 };
                    ticks.push(Tick {
                        x: self.of_seconds(at),
                        label: hour.chars().take(length).collect(),
                        day: (day != last_day).then(|| day.to_owned()),
                    });
                    day.clone_into(&mut last_day);
                }
                at += unit;
            }
        }
        ticks
    }

    /// The times that are drawn as long as they were.
    fn stretches(&self) -> Vec<(i64, i64)> {
        let mut stretches: Vec<(i64, i64)> = Vec::new();
        for (time, _) in &self.knots {
            match stretches.last_mut() {
                Some((_, end)) if *time - *end <= LONGEST_GAP => *end = *time,
                Some(_) | None => stretches.push((*time, *time)),
            }
        }
        stretches
    }

    /// The times that are not.
    pub fn folds(&self) -> Vec<Fold> {
        let pairs = self.knots.iter().zip(self.knots.iter().skip(1));
        let long = pairs.filter(|((from, _), (to, _))| to - from > LONGEST_GAP);
        long.map(|((from, _), (to, _))| Fold {
            from: self.of_seconds(*from),
            to: self.of_seconds(*to),
            seconds: to - from,
        })
        .collect()
    }
}

fn time(seconds: i64) -> Option<Time> {
    chrono::DateTime::from_timestamp(seconds, 0).map(Time::from)
}

/// Seconds in words.
pub(super) fn duration(seconds: i64) -> String {
    match (seconds / 3600, seconds % 3600 / 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, 0, _) => format!("{hours} h"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[test]
    fn a_long_gap_is_folded_and_the_order_kept() {
        let times = [
            "2026-11-23T10:00:00Z",
            "2026-11-23T10:20:00Z",
            "2026-11-24T09:00:00Z",
            "2026-11-24T09:10:00Z",
        ];
        let scale = Scale::new(times.into_iter().map(at), 100, 6000);
        let places: Vec<i64> = times.into_iter().map(|time| scale.x(at(time))).collect();
        assert_eq!(places, [100, 2100, 5100, 6100]);
        assert_eq!(scale.folds().len(), 1);
        assert_eq!(duration(scale.folds()[0].seconds), "22 h 40 min");
        let ticks = scale.ticks();
        let days: Vec<_> = ticks.iter().filter_map(|tick| tick.day.clone()).collect();
        assert_eq!(days, ["2026-11-23", "2026-11-24"]);
        assert!(ticks.len() <= 12 && ticks.iter().all(|tick| tick.label.len() == 5));
    }

    #[test]
    fn one_moment_and_none() {
        let scale = Scale::new([at("2026-11-23T10:00:00Z")].into_iter(), 0, 100);
        assert_eq!(scale.x(at("2026-11-23T10:00:00Z")), 0);
        assert!(Scale::new(std::iter::empty(), 0, 100).ticks().is_empty());
    }
}
