//! The virtual clock of a simulation.

use std::ops::{Add, Sub};

use key_metadata::{Span, Time};

/// An instant of the virtual clock, in milliseconds since the simulation began. Plans are in seconds: there is an instant before each of theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Moment(pub i64);

/// From one moment to another, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lapse(pub i64);

/// What ties the virtual clock to the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    begin: Time,
}

impl Clock {
    /// A clock that begins then.
    pub const fn new(begin: Time) -> Self {
        Self { begin }
    }

    /// A second of the calendar.
    pub const fn moment(self, time: Time) -> Moment {
        let seconds = time.unix_seconds().saturating_sub(self.begin.unix_seconds());
        Moment(seconds.saturating_mul(1000))
    }

    /// The second in which a moment is. Before the beginning there is none.
    pub fn time(self, moment: Moment) -> Time {
        let seconds = moment.0.max(0) / 1000;
        self.begin.after(Span::from_seconds(
            u32::try_from(seconds).map_or(u32::MAX, |seconds| seconds),
        ))
    }
}

impl Moment {
    /// The last instant before this one.
    pub const fn just_before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl Lapse {
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// That many seconds.
    pub fn seconds(seconds: u32) -> Self {
        Self(i64::from(seconds) * 1000)
    }

    /// A part of it, in hundredths.
    pub const fn percent(self, hundredths: i64) -> Self {
        Self(self.0 / 100 * hundredths + self.0 % 100 * hundredths / 100)
    }

    /// As far as it is whole seconds, which is how DNS tells a TTL.
    pub const fn whole_seconds(self) -> Self {
        Self(self.0 - self.0.rem_euclid(1000))
    }

    /// Its whole seconds.
    pub fn span(self) -> Span {
        Span::from_seconds(u32::try_from(self.0.max(0) / 1000).map_or(u32::MAX, |seconds| seconds))
    }
}

impl From<Span> for Lapse {
    fn from(span: Span) -> Self {
        Self::seconds(span.seconds())
    }
}

impl Add<Lapse> for Moment {
    type Output = Self;

    fn add(self, lapse: Lapse) -> Self {
        Self(self.0.saturating_add(lapse.0))
    }
}

impl Sub<Lapse> for Moment {
    type Output = Self;

    fn sub(self, lapse: Lapse) -> Self {
        Self(self.0.saturating_sub(lapse.0))
    }
}

impl Sub for Moment {
    type Output = Lapse;

    fn sub(self, earlier: Self) -> Lapse {
        Lapse(self.0.saturating_sub(earlier.0))
    }
}

impl Add for Lapse {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}
