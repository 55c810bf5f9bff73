//! The lines of an iCalendar file (RFC 5545 3.1): CRLF at their ends, and none longer than 75 octets.

/// The most octets of a line, its end not counted (RFC 5545 3.1).
const MOST: usize = 75;

/// A file of iCalendar, line by line.
#[derive(Clone, Debug, Default)]
pub struct ContentLines(String);

impl ContentLines {
    /// A property whose value is no text: a time, a span, a word of the standard.
    pub fn property(&mut self, name: &str, value: &str) -> &mut Self {
        self.fold(&format!("{name}:{value}"));
        self
    }

    /// A property that is text (3.3.11): what would end it is escaped, and what shows nothing is told by its number.
    pub fn text(&mut self, name: &str, value: &str) -> &mut Self {
        let mut line = format!("{name}:");
        let lines: Vec<String> = value.split('\n').map(cli::shown).collect();
        for letter in lines.join("\n").chars() {
            match letter {
                '\\' | ';' | ',' => line.extend(['\\', letter]),
                '\n' => line.push_str("\\n"),
                other => line.push(other),
            }
        }
        self.fold(&line);
        self
    }

    /// A component, and what is in it.
    pub fn component(&mut self, name: &str, fill: impl FnOnce(&mut Self)) -> &mut Self {
        self.property("BEGIN", name);
        fill(self);
        self.property("END", name)
    }

    /// The file.
    pub fn into_text(self) -> String {
        self.0
    }

    /// Adds a line, broken between letters where it is too long: the next piece begins with a blank.
    fn fold(&mut self, line: &str) {
        let mut octets = 0;
        for letter in line.chars() {
            if octets + letter.len_utf8() > MOST {
                self.0.push_str("\r\n ");
                octets = 1;
            }
            self.0.push(letter);
            octets += letter.len_utf8();
        }
        self.0.push_str("\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_folded_between_letters() {
        let mut lines = ContentLines::default();
        lines.text("SUMMARY", &"\u{f1}".repeat(60));
        let text = lines.into_text();
        assert!(text.lines().all(|line| line.len() <= MOST));
        assert_eq!(
            text.replace("\r\n ", ""),
            format!("SUMMARY:{}\r\n", "\u{f1}".repeat(60))
        );
    }

    #[test]
    fn text_ends_no_property() {
        let mut lines = ContentLines::default();
        lines.text("SUMMARY", "a\r\nEND:VEVENT\\;,\u{7f}");
        assert_eq!(
            lines.into_text(),
            "SUMMARY:a\u{27e8}U+000D\u{27e9}\\nEND:VEVENT\\\\\\;\\,\u{27e8}U+007F\u{27e9}\r\n"
        );
    }
}
