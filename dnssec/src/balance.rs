//! Parentheses and quotes that do not end: found before the zone file is read, with the line where they begin.
//!
//! domain 0.12.3 finds them at the end of the file, if it does not index past its buffer there.

/// What does not end, and the line (from 1) where it begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) what: &'static str,
    pub(crate) line: usize,
}

/// Looks for the first parenthesis or quote without its other half (RFC 1035 5.1).
pub(crate) fn unbalanced(text: &[u8]) -> Option<Open> {
    let (mut line, mut depth, mut opened, mut quoted) = (1, 0usize, 1, None);
    let (mut escaped, mut comment) = (false, false);
    for byte in text {
        match byte {
            b'\n' => {
                if let Some(line) = quoted {
                    return Some(Open {
                        what: "a quoted text that does not end",
                        line,
                    });
                }
                (line, comment, escaped) = (line + 1, false, false);
            }
            _ if comment => {}
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = if quoted.is_some() { None } else { Some(line) },
            _ if quoted.is_some() => {}
            b';' => comment = true,
            b'(' => {
                if depth == 0 {
                    opened = line;
                }
                depth += 1;
            }
            b')' if depth == 0 => {
                return Some(Open {
                    what: "a closing parenthesis without an opening one",
                    line,
                });
            }
            b')' => depth -= 1,
            _ => {}
        }
    }
    match (quoted, depth) {
        (Some(line), _) => Some(Open {
            what: "a quoted text that does not end",
            line,
        }),
        (None, 0) => None,
        (None, _) => Some(Open {
            what: "a parenthesis that is not closed",
            line: opened,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_end_is_found_where_it_begins() {
        let line = |text: &str| unbalanced(text.as_bytes()).map(|open| open.line);
        for good in [
            "",
            "a TXT \"(\"\n",
            "a ( b\nc )",
            "; (\"\na",
            "a\\(b",
            "a TXT \"\\\"\"",
            "a \"x;y\" ; \"\n",
        ] {
            assert_eq!(line(good), None, "{good}");
        }
        assert_eq!(line("a\nb ( c\nd\n"), Some(2));
        assert_eq!(line("a\nb )\n"), Some(2));
        assert_eq!(line("a\nb \"c\nd\"\n"), Some(2));
        assert_eq!(line("a \"c"), Some(1));
    }
}
