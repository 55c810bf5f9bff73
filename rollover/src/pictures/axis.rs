//! The time axis of a chart: places of times, and marks at round times of the calendar in UTC.

use chrono::{DateTime, Datelike, Utc};
use key_metadata::Time;

/// A stretch of time that is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    from: i64,
    until: i64,
}

/// The marks of an axis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ticks {
    /// The larger units, such as years, and their names; the first one may be before the axis begins.
    pub large: Vec<Tick>,
    /// The smaller ones, such as months.
    pub small: Vec<Tick>,
}

/// A mark of an axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// Its time, in seconds since 1970.
    pub at: i64,
    /// What stands at it.
    pub label: String,
}

/// From one small mark to the next.
#[derive(Clone, Copy)]
enum Unit {
    Seconds(i64),
    Months(i64),
}

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 86_400;
/// 1970 began on a Thursday.
const MONDAY: i64 = 4 * DAY;

const UNITS: [Unit; 27] = [
    Unit::Seconds(1),
    Unit::Seconds(10),
    Unit::Seconds(MINUTE),
    Unit::Seconds(5 * MINUTE),
    Unit::Seconds(15 * MINUTE),
    Unit::Seconds(30 * MINUTE),
    Unit::Seconds(HOUR),
    Unit::Seconds(3 * HOUR),
    Unit::Seconds(6 * HOUR),
    Unit::Seconds(12 * HOUR),
    Unit::Seconds(DAY),
    Unit::Seconds(2 * DAY),
    Unit::Seconds(7 * DAY),
    Unit::Months(1),
    Unit::Months(2),
    Unit::Months(3),
    Unit::Months(6),
    Unit::Months(12),
    Unit::Months(2 * 12),
    Unit::Months(5 * 12),
    Unit::Months(10 * 12),
    Unit::Months(50 * 12),
    Unit::Months(100 * 12),
    Unit::Months(1000 * 12),
    Unit::Months(10_000 * 12),
    Unit::Months(100_000 * 12),
    Unit::Months(1_000_000 * 12),
];

impl Unit {
    fn seconds(self) -> i64 {
        match self {
            Self::Seconds(seconds) => seconds,
            Self::Months(months) => months * 30 * DAY,
        }
    }

    /// Every round time of that unit from the last one that is not after `from`, until `until`.
    fn times(self, from: i64, until: i64) -> Vec<DateTime<Utc>> {
        let mut times = Vec::new();
        match self {
            Self::Seconds(step) => {
                let offset = if step % (7 * DAY) == 0 { MONDAY } else { 0 };
                let mut at = (from - offset).div_euclid(step) * step + offset;
                while at <= until {
                    times.extend(DateTime::from_timestamp(at, 0));
                    at += step;
                }
            }
            Self::Months(step) => {
                let Some(first) = DateTime::from_timestamp(from, 0) else {
                    return times;
                };
                let months = i64::from(first.year()) * 12 + i64::from(first.month0());
                let mut at = months.div_euclid(step) * step;
                while let Some(time) = month(at).filter(|time| time.timestamp() <= until) {
                    times.push(time);
                    at += step;
                }
            }
        }
        times
    }

    fn label(self, time: DateTime<Utc>) -> String {
        let form = match self {
            Self::Seconds(step) if step < MINUTE => "%H:%M:%S",
            Self::Seconds(step) if step < DAY => "%H:%M",
            Self::Seconds(_) => "%d",
            Self::Months(step) if step < 12 => "%b",
            Self::Months(_) => "%Y",
        };
        time.format(form).to_string()
    }

    /// The larger unit that its marks are read with.
    fn large(self) -> Option<(Self, &'static str)> {
        match self {
            Self::Seconds(step) if step < DAY => Some((Self::Seconds(DAY), "%Y-%m-%d")),
            Self::Seconds(_) => Some((Self::Months(1), "%Y-%m")),
            Self::Months(step) if step < 12 => Some((Self::Months(12), "%Y")),
            Self::Months(_) => None,
        }
    }
}

/// The beginning of a month, counted from year 0.
fn month(months: i64) -> Option<DateTime<Utc>> {
    let year = i32::try_from(months.div_euclid(12)).ok()?;
    let month = u32::try_from(months.rem_euclid(12)).ok()? + 1;
    let day = chrono::NaiveDate::from_ymd_opt(year, month, 1)?;
    Some(day.and_hms_opt(0, 0, 0)?.and_utc())
}

impl Axis {
    /// From one time to a later one; where it is not later, a second.
    pub fn new(from: Time, until: Time) -> Self {
        let (from, until) = (from.unix_seconds(), until.unix_seconds());
        Self {
            from,
            until: until.max(from + 1),
        }
    }

    /// Whether a time is on it, its end included.
    pub fn has(&self, time: Time) -> bool {
        (self.from..=self.until).contains(&time.unix_seconds())
    }

    /// The place of a time on an axis that is `width` wide: 0 for all that is before it, `width` for all that is after it.
    pub fn place(&self, time: Time, width: i64) -> i64 {
        self.place_of(time.unix_seconds(), width)
    }

    /// The same for seconds since 1970.
    pub fn place_of(&self, seconds: i64, width: i64) -> i64 {
        // 2^44 seconds are more than the calendar has, and no chart is 2^18 wide.
        (seconds.clamp(self.from, self.until) - self.from) * width / (self.until - self.from)
    }

    /// The first second of a column, of `columns` together.
    pub fn second(&self, column: i64, columns: i64) -> i64 {
        self.from + (self.until - self.from) * column / columns.max(1)
    }

    /// Marks at round times, at most `most` small ones.
    pub fn ticks(&self, most: i64) -> Ticks {
        let span = self.until - self.from;
        let fits = |unit: &Unit| span / unit.seconds() < most.max(1);
        let Some(unit) = UNITS.into_iter().find(fits) else {
            return Ticks::default();
        };
        let tick = |time: DateTime<Utc>, label: String| Tick {
            at: time.timestamp(),
            label,
        };
        let small = unit
            .times(self.from, self.until)
            .into_iter()
            .filter(|time| time.timestamp() >= self.from);
        let large = unit.large().map(|(large, form)| {
            let times = large.times(self.from, self.until).into_iter();
            times
                .map(|time| tick(time, time.format(form).to_string()))
                .collect()
        });
        Ticks {
            large: large.map_or_else(Vec::new, |large| large),
            small: small.map(|time| tick(time, unit.label(time))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn axis(from: &str, until: &str) -> Axis {
        Axis::new(from.parse().unwrap(), until.parse().unwrap())
    }

    fn labels(ticks: &[Tick]) -> String {
        let labels: Vec<_> = ticks.iter().map(|tick| &*tick.label).collect();
        labels.join(" ")
    }

    #[test]
    fn marks_are_at_round_times() {
        for (from, until, large, small) in [
            (
                "2026-01-15T00:00:00Z",
                "2028-01-15T00:00:00Z",
                "2026 2027 2028",
                "Apr Jul Oct Jan Apr Jul Oct Jan",
            ),
            (
                "2026-01-28T12:00:00Z",
                "2026-03-10T00:00:00Z",
                "2026-01 2026-02 2026-03",
                "02 09 16 23 02 09",
            ),
            (
                "2026-01-28T12:00:00Z",
                "2026-01-29T18:00:00Z",
                "2026-01-28 2026-01-29",
                "12:00 18:00 00:00 06:00 12:00 18:00",
            ),
            (
                "2026-01-28T12:00:00Z",
                "2076-01-29T18:00:00Z",
                "",
                "2030 2040 2050 2060 2070",
            ),
        ] {
            let ticks = axis(from, until).ticks(10);
            assert_eq!((&*labels(&ticks.large), &*labels(&ticks.small)), (large, small));
        }
    }

    #[test]
    fn a_week_begins_on_monday() {
        let ticks = axis("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z").ticks(6);
        assert_eq!(labels(&ticks.small), "05 12 19 26");
    }

    proptest! {
        #[test]
        fn places_are_on_the_axis(from: i32, until: i32, time: i32, most in 1_i64..40) {
            let time_of = |seconds: i32| Time::from(DateTime::from_timestamp(i64::from(seconds) * 3000, 0).unwrap());
            let axis = Axis::new(time_of(from), time_of(until));
            let place = axis.place(time_of(time), 1000);
            prop_assert!((0..=1000).contains(&place));
            prop_assert_eq!(axis.place_of(axis.second(0, 7), 1000), 0);
            prop_assert!(axis.second(7, 7) > axis.second(0, 7));
            let ticks = axis.ticks(most);
            prop_assert!(ticks.small.len() as i64 <= most + 1);
            prop_assert!(ticks.small.iter().all(|tick| axis.place_of(tick.at, 1000) >= 0));
        }
    }
}
