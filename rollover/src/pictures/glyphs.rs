//! The characters that a chart is drawn with in a terminal.

use crate::pictures::shades::Shade;

/// Which characters a terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyphs {
    /// Blocks and lines.
    Unicode,
    /// ASCII alone.
    Ascii,
}

impl Glyphs {
    pub(super) const fn shade(self, shade: Shade) -> char {
        match (self, shade) {
            (Self::Unicode, Shade::Omnipresent) => '\u{2586}',
            (Self::Unicode, Shade::Rumoured) => '\u{2592}',
            (Self::Unicode, Shade::Unretentive) => '\u{2591}',
            (Self::Unicode, Shade::Uncertain) => '?',
            (Self::Ascii, Shade::Omnipresent) => '#',
            (Self::Ascii, Shade::Rumoured) => '+',
            (Self::Ascii, Shade::Unretentive) => '.',
            (Self::Ascii, Shade::Uncertain) => '?',
        }
    }

    pub(super) const fn now(self) -> char {
        match self {
            Self::Unicode => '\u{2502}',
            Self::Ascii => '|',
        }
    }

    /// Where the line of now leaves the axis.
    pub(super) const fn here(self) -> &'static str {
        match self {
            Self::Unicode => "\u{25bc}",
            Self::Ascii => "V",
        }
    }

    pub(super) const fn axis(self) -> char {
        match self {
            Self::Unicode => '\u{2500}',
            Self::Ascii => '-',
        }
    }

    pub(super) const fn tick(self) -> &'static str {
        match self {
            Self::Unicode => "\u{252c}",
            Self::Ascii => "+",
        }
    }

    /// A mark without a number.
    pub(super) const fn mark(self) -> &'static str {
        match self {
            Self::Unicode => "\u{2022}",
            Self::Ascii => "*",
        }
    }

    pub(super) const fn silence(self) -> char {
        match self {
            Self::Unicode => '\u{d7}',
            Self::Ascii => 'x',
        }
    }
}
