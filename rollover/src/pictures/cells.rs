//! A lane as cells of a terminal.

use crate::pictures::axis::Axis;
use crate::pictures::shades::{Shade, Stretch};

/// What is in a cell.
pub type Cell = Option<Shade>;

/// Each cell has the shade that takes most of its time. One in which there is anything at all is not empty: what lasts an hour is seen in a
/// chart of two years.
pub fn cells(axis: &Axis, width: usize, stretches: &[Stretch]) -> Vec<Cell> {
    let mut cells = Vec::with_capacity(width);
    for column in 0..width as i64 {
        let begins = axis.second(column, width as i64);
        let ends = axis.second(column + 1, width as i64).max(begins + 1);
        let covered = |shade: Shade| -> i64 {
            let of_shade = stretches.iter().filter(|stretch| stretch.shade == shade);
            of_shade
                .map(|stretch| {
                    let until = stretch.until.map_or(ends, |until| until.unix_seconds().min(ends));
                    (until - stretch.from.unix_seconds().max(begins)).max(0)
                })
                .sum()
        };
        let most = Shade::ALL.into_iter().map(|shade| (covered(shade), shade)).max();
        cells.push(most.filter(|(seconds, _)| *seconds > 0).map(|(_, shade)| shade));
    }
    cells
}
