//! A plan as pictures: a chart for a terminal and as SVG, a calendar, a sheet of paper.
//!
//! Each is a function of what it is given, so that the same inputs give the same bytes.

mod axis;
mod calendar;
mod cells;
mod chart;
mod content_lines;
mod glyphs;
mod placing;
mod rows;
mod screen;
mod shades;
mod sheet;
mod svg;
mod terminal;

pub use calendar::ics;
pub use chart::{Chart, Mark, MarkKind, Shown};
pub use glyphs::Glyphs;
pub use sheet::{json, sheet};
pub use svg::svg;
pub use terminal::{coloured, terminal};
