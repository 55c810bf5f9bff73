//! Spans of time, and which of them meet: what ends never has no end.

use key_metadata::Time;

/// From when, until when; for ever, where there is nothing.
pub type Lasts = (Time, Option<Time>);

/// When both are.
pub fn overlap((from, until): Lasts, (other_from, other_until): Lasts) -> Option<Lasts> {
    let from = from.max(other_from);
    let until = [until, other_until].into_iter().flatten().min();
    until.is_none_or(|until| from < until).then_some((from, until))
}

/// Spans that may overlap, in the order of their beginnings, each of something.
pub struct Spans<T> {
    spans: Vec<(Time, T)>,
    /// For each of them the latest end of it and of all before; nothing, where one of them has none.
    ends: Vec<Option<Time>>,
}

impl<T: Copy> Spans<T> {
    /// Those of an iterator that has them in that order.
    pub fn of(spans: impl Iterator<Item = (Lasts, T)>) -> Self {
        let (mut ends, mut begins) = (Vec::new(), Vec::new());
        for ((from, until), of) in spans {
            let end = match ends.last() {
                Some(end) => Option::zip(*end, until).map(|(end, until): (Time, Time)| end.max(until)),
                None => until,
            };
            ends.push(end);
            begins.push((from, of));
        }
        Self { spans: begins, ends }
    }

    /// The first of those that are at some instant of a span.
    pub fn first_in(&self, (from, until): Lasts) -> Option<T> {
        // What stands before it has ended. What comes after it does not begin before it.
        let (begins, of) = self.first_not_over(from)?;
        until
            .is_none_or(|until| from < until && begins < until)
            .then_some(of)
    }

    /// Whether any is there at that time.
    pub fn is_at(&self, at: Time) -> bool {
        self.first_not_over(at).is_some_and(|(from, _)| from <= at)
    }

    fn first_not_over(&self, at: Time) -> Option<(Time, T)> {
        let place = self.ends.partition_point(|end| end.is_some_and(|end| end <= at));
        self.spans.get(place).copied()
    }
}

/// Those of two lists that are at the same time, and when. In each list they are in the order of time and do not overlap.
pub fn pairs<T: Copy>(
    ones: impl Iterator<Item = (Lasts, T)>,
    others: impl Iterator<Item = (Lasts, T)>,
) -> Vec<(Lasts, T, T)> {
    let (mut ones, mut others) = (ones.peekable(), others.peekable());
    let mut pairs = Vec::new();
    while let (Some((one, of_one)), Some((other, of_other))) = (ones.peek(), others.peek()) {
        pairs.extend(overlap(*one, *other).map(|both| (both, *of_one, *of_other)));
        // The one that ends first meets nothing more.
        let one_ends = match (one.1, other.1) {
            (Some(one), Some(other)) => one <= other,
            (Some(_), None) => true,
            (None, _) => false,
        };
        match one_ends {
            true => drop(ones.next()),
            false => drop(others.next()),
        }
    }
    pairs
}
