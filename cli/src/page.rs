//! A page for people: one file of HTML that needs nothing else, and is well-formed XML too.
//!
//! Text gets into [`Markup`] only escaped, and an element that was opened is closed: no name, no output of a tool and no answer of a token
//! is ever markup.

use crate::shown::{is_hidden, number};

/// The style of every page; a page adds its own after it.
pub const STYLE: &str = "\
:root{--ink:#1c2733;--soft:#5a6673;--line:#d5dce3;--pale:#f4f6f8;--good:#0a6b4b;--bad:#b3261e;--warn:#8a5a00;--link:#0b559f}
*{box-sizing:border-box}
body{font:16px/1.5 \"Liberation Sans\",Arial,Helvetica,sans-serif;max-width:72em;margin:0 auto;padding:1.5em 1.5em 4em;color:var(--ink);\
background:#fff}
h1{font-size:1.7em;line-height:1.2;margin:.2em 0 .4em}
h2{font-size:1.2em;margin:2em 0 .4em;padding-bottom:.25em;border-bottom:2px solid var(--ink)}
h3{font-size:1em;margin:1.4em 0 .3em}
p{margin:.5em 0}
a{color:var(--link)}
table{border-collapse:collapse;width:100%;margin:.8em 0;font-size:.9em}
th,td{text-align:left;vertical-align:top;padding:.4em .7em .4em 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
th{font-weight:600;color:var(--soft);border-bottom:1px solid var(--soft);white-space:nowrap}
code{font:.88em/1.45 \"Liberation Mono\",Menlo,Consolas,monospace}
.pass{color:var(--good)}.warn,.not-checked{color:var(--warn)}.fail,.unknown{color:var(--bad);font-weight:bold}
.soft{color:var(--soft)}
tr.changed td{background:#fff7dc}
@media print{body{margin:0;padding:0;max-width:none;font-size:10pt}h2,h3{break-after:avoid}tr{break-inside:avoid}}
";

/// An attribute: its name and its value.
pub type Attribute<'a> = (&'static str, &'a str);

/// A piece of HTML.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Markup(String);

impl Markup {
    /// A whole page: its title, the style that it adds to [`STYLE`], and what it shows.
    pub fn page(title: &str, style: &'static str, fill: impl FnOnce(&mut Self)) -> String {
        let mut page = Self("<!DOCTYPE html>\n".to_owned());
        let html = [("xmlns", "http://www.w3.org/1999/xhtml"), ("lang", "en")];
        page.inside("html", &html, |html| {
            html.inside("head", &[], |head| {
                head.empty("meta", &[("charset", "utf-8")]);
                let width = [("name", "viewport"), ("content", "width=device-width")];
                head.empty("meta", &width);
                head.element("title", &[], title);
                head.style(&[STYLE, style]);
            });
            html.inside("body", &[], fill);
        });
        page.0
    }

    /// Adds text. A line's end in it breaks the line.
    pub fn text(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            match character {
                '\n' => self.0.push_str("<br/>"),
                other => escape(other, &mut self.0),
            }
        }
        self
    }

    /// Adds an element that has text.
    pub fn element(&mut self, name: &'static str, attributes: &[Attribute<'_>], text: &str) -> &mut Self {
        self.inside(name, attributes, |within| {
            within.text(text);
        })
    }

    /// Adds an element that has nothing, such as `br`.
    pub fn empty(&mut self, name: &'static str, attributes: &[Attribute<'_>]) -> &mut Self {
        self.start(name, attributes);
        self.0.push_str("/>");
        self.line_end(name);
        self
    }

    /// Adds an element, and fills it.
    pub fn inside(
        &mut self,
        name: &'static str,
        attributes: &[Attribute<'_>],
        fill: impl FnOnce(&mut Self),
    ) -> &mut Self {
        self.start(name, attributes);
        self.0.push('>');
        fill(self);
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
        self.line_end(name);
        self
    }

    /// Adds a style sheet in pieces. It is not escaped, so that only texts of ours can be one: they have neither `<` nor `&`.
    pub fn style(&mut self, pieces: &[&'static str]) -> &mut Self {
        self.0.push_str("<style>\n");
        pieces.iter().for_each(|piece| self.0.push_str(piece));
        self.0.push_str("</style>\n");
        self
    }

    /// Adds a row of a table with that heading over each column.
    pub fn heading_row(&mut self, names: &[&str]) -> &mut Self {
        self.inside("tr", &[], |row| {
            for name in names {
                row.element("th", &[], name);
            }
        })
    }

    /// The markup.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn start(&mut self, name: &'static str, attributes: &[Attribute<'_>]) {
        self.0.push('<');
        self.0.push_str(name);
        for (name, value) in attributes {
            self.0.push(' ');
            self.0.push_str(name);
            self.0.push_str("=\"");
            value.chars().for_each(|character| match character {
                '\n' => self.0.push_str("&#10;"),
                other => escape(other, &mut self.0),
            });
            self.0.push('"');
        }
    }

    /// Lines for those who read the file itself, where a blank changes nothing.
    fn line_end(&mut self, name: &str) {
        let within_a_line = [
            "a", "b", "br", "code", "em", "span", "strong", "td", "th", "tspan",
        ];
        if !within_a_line.contains(&name) {
            self.0.push('\n');
        }
    }
}

/// A character as text has it. One that shows nothing or turns the text around, or that XML has not, is told by its number.
fn escape(character: char, out: &mut String) {
    match character {
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '&' => out.push_str("&amp;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        hidden if is_hidden(hidden) => out.push_str(&number(hidden)),
        other => out.push(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_never_markup() {
        let mut markup = Markup::default();
        let hostile = "<b> & \"x\" '\n\u{0}\u{202e}\u{1f511}";
        markup.element("a", &[("title", hostile)], hostile);
        assert_eq!(
            markup.as_str(),
            "<a title=\"&lt;b&gt; &amp; &quot;x&quot; &#39;&#10;\u{27e8}U+0000\u{27e9}\u{27e8}U+202E\u{27e9}\u{1f511}\">\
             &lt;b&gt; &amp; &quot;x&quot; &#39;<br/>\u{27e8}U+0000\u{27e9}\u{27e8}U+202E\u{27e9}\u{1f511}</a>"
        );
    }

    #[test]
    fn the_style_needs_no_escape() {
        assert!(!STYLE.contains(['<', '&']));
    }
}
