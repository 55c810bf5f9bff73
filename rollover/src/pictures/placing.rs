//! Marks that would stand on each other are put below each other, and together where there is no room left.

use crate::pictures::chart::{Mark, MarkKind};

/// A mark, and others for which there was no room of their own.
#[derive(Clone, Debug)]
pub struct Placed<'m> {
    /// Where it begins.
    pub start: i64,
    /// In which row, from 0.
    pub row: usize,
    /// The marks; the first one is the one whose place it is.
    pub marks: Vec<&'m Mark>,
}

/// How many rows of marks of a kind there are at most. What people have to know of is shown one by one as long as there is room; the tool's
/// steps are in the plan, and make one row.
pub const fn most_rows(kind: MarkKind) -> usize {
    if kind.is_for_people() { 4 } else { 1 }
}

/// The marks, in the order of their places, in at most `most` rows, each in the first one that has room for it, and how many rows there are.
/// `start` is where some marks together begin, and `room` what they take, with the gap after them.
pub fn place<'m>(
    marks: &[&'m Mark],
    most: usize,
    start: impl Fn(&Mark) -> i64,
    room: impl Fn(&[&Mark]) -> i64,
) -> (Vec<Placed<'m>>, usize) {
    let last = most.max(1) - 1;
    let mut ends: Vec<i64> = Vec::new();
    let mut placed: Vec<Placed<'m>> = Vec::new();
    for mark in marks {
        let start = start(mark);
        let row = match ends.iter().position(|end| *end <= start) {
            Some(row) => row,
            None if ends.len() <= last => {
                ends.push(start);
                ends.len() - 1
            }
            None => {
                // All rows are full here: with the last mark of the last row.
                let before = placed.iter_mut().rev().find(|before| before.row == last);
                if let (Some(before), Some(end)) = (before, ends.get_mut(last)) {
                    before.marks.push(mark);
                    *end = before.start + room(&before.marks);
                }
                continue;
            }
        };
        if let Some(end) = ends.get_mut(row) {
            *end = start + room(&[mark]);
        }
        placed.push(Placed {
            start,
            row,
            marks: vec![mark],
        });
    }
    (placed, ends.len())
}

/// What stands for marks that are together: their numbers, or how many there are.
pub fn label(marks: &[&Mark]) -> String {
    let numbers: Vec<usize> = marks.iter().filter_map(|mark| mark.number).collect();
    let follow = numbers
        .iter()
        .zip(numbers.iter().skip(1))
        .all(|(one, next)| one + 1 == *next);
    match (marks, numbers.as_slice()) {
        ([] | [_], []) => String::new(),
        ([_], [number, ..]) => number.to_string(),
        (_, [first, .., last]) if follow && numbers.len() == marks.len() => format!("{first}-{last}"),
        _ => format!("+{}", marks.len()),
    }
}
