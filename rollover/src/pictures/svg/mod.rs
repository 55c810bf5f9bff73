//! A chart as SVG: one file that needs nothing else, for light and dark screens and for paper.

mod bars;
mod draw;
mod frame;
mod layout;
mod marks;
mod notes;
mod style;

use cli::page::Markup;

use crate::pictures::chart::Chart;

use frame::Dress;
pub(super) use frame::Legend;

/// The chart as a file of SVG, 1200 pixels wide.
pub fn svg(chart: &Chart<'_>) -> String {
    let mut markup = Markup::default();
    draw::draw(&mut markup, chart, Dress::Screen);
    markup.as_str().to_owned()
}

/// The chart within a page.
pub(super) fn within(page: &mut Markup, chart: &Chart<'_>, legend: Legend) {
    draw::draw(page, chart, Dress::Paper(legend));
}
