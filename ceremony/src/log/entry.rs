//! An entry and its line.

use std::io;

use key_metadata::{Digest, Time};
use serde::{Deserialize, Serialize};
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};
use serde_json::value::RawValue;

use super::body::Body;
use super::strict;
use crate::script::Seat;

/// The longest line, its end included, in bytes.
pub const LONGEST_LINE: usize = 64 * 1024;

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number, from 1.
    pub n: u64,
    /// The digest of the line before, its end included; zeros for the first.
    pub prev: Digest,
    /// When, in UTC.
    pub t: Time,
    /// Who acted.
    pub by: Vec<Seat>,
    /// What is said.
    pub body: Body,
}

/// Why a line is no entry.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// Too long to be read.
    #[error("it is longer than {LONGEST_LINE} bytes")]
    TooLong,
    /// A byte that no line has.
    #[error("byte {at} is {byte:#04x}; a line has 0x20 to 0x7e only")]
    Byte {
        /// Its place in the line, from 1.
        at: usize,
        /// The byte.
        byte: u8,
    },
    /// No JSON, a name twice in an object, or a number that is not whole.
    #[error("it is not the JSON that an entry has")]
    Json(#[source] serde_json::Error),
    /// The fields are others, or in another order, or there are blanks between them.
    #[error("its fields are not n, prev, t, type, by and body, in this order and without blanks")]
    Order,
    /// A type that there is not.
    #[error("'{0}' is no type of an entry")]
    Type(String),
    /// A body that is none of its type.
    #[error("body of a {type_name} entry")]
    Body {
        /// The type.
        type_name: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

#[derive(Serialize)]
struct Written<'e> {
    n: u64,
    prev: Digest,
    t: Time,
    r#type: &'e str,
    by: &'e [Seat],
    body: &'e Body,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Frame<'l> {
    n: u64,
    prev: Digest,
    t: Time,
    r#type: String,
    by: Vec<Seat>,
    #[serde(borrow)]
    body: &'l RawValue,
}

impl Entry {
    /// Its line, the end included.
    pub fn to_line(&self) -> Result<Vec<u8>, EntryError> {
        let mut line = Vec::new();
        let written = Written {
            n: self.n,
            prev: self.prev,
            t: self.t,
            r#type: self.body.type_name(),
            by: &self.by,
            body: &self.body,
        };
        let mut serializer = serde_json::Serializer::with_formatter(&mut line, Ascii);
        written.serialize(&mut serializer).map_err(EntryError::Json)?;
        line.push(b'\n');
        if line.len() > LONGEST_LINE {
            return Err(EntryError::TooLong);
        }
        Ok(line)
    }

    /// Reads a line without its end.
    pub fn from_line(line: &[u8]) -> Result<Self, EntryError> {
        if line.len() >= LONGEST_LINE {
            return Err(EntryError::TooLong);
        }
        let odd = line.iter().position(|byte| !matches!(byte, 0x20..=0x7e));
        if let Some((at, byte)) = odd.and_then(|at| Some((at + 1, *line.get(at)?))) {
            return Err(EntryError::Byte { at, byte });
        }
        let text = std::str::from_utf8(line).map_or("", |text| text);
        strict::check(text).map_err(EntryError::Json)?;
        let frame: Frame<'_> = serde_json::from_str(text).map_err(EntryError::Json)?;
        let body = match Body::read(&frame.r#type, frame.body.get()) {
            None => return Err(EntryError::Type(frame.r#type)),
            Some(Err(source)) => {
                let type_name = frame.r#type;
                return Err(EntryError::Body { type_name, source });
            }
            Some(Ok(body)) => body,
        };
        let entry = Self {
            n: frame.n,
            prev: frame.prev,
            t: frame.t,
            by: frame.by,
            body,
        };
        let by = serde_json::to_string(&entry.by).map_err(EntryError::Json)?;
        let head = format!(
            "{{\"n\":{},\"prev\":\"{}\",\"t\":\"{}\",\"type\":\"{}\",\"by\":{by},\"body\":{{",
            entry.n,
            entry.prev,
            entry.t,
            entry.body.type_name()
        );
        if !text.starts_with(&head) {
            return Err(EntryError::Order);
        }
        Ok(entry)
    }
}

/// JSON in which every character but 0x20 to 0x7e is escaped.
struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for character in fragment.chars() {
            if matches!(character, ' '..='~') {
                write!(writer, "{character}")?;
            } else {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }

    fn write_char_escape<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        CompactFormatter.write_char_escape(writer, escape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Skip, StepEntry};

    fn entry() -> Entry {
        Entry {
            n: 7,
            prev: Digest::ZERO,
            t: "2026-11-23T10:07:31Z".parse().unwrap(),
            by: vec!["officer-1".parse().unwrap(), "witness-2".parse().unwrap()],
            body: Body::Skip(Skip {
                step: "open-safe".parse().unwrap(),
                reason: "Señal \"rota\" \u{7f}\u{1f511}\n".to_owned(),
                exception: None,
            }),
        }
    }

    #[test]
    fn a_line_comes_back_and_is_ascii() {
        let line = entry().to_line().unwrap();
        let text = std::str::from_utf8(&line).unwrap();
        assert!(text.starts_with(
            "{\"n\":7,\"prev\":\"0000000000000000000000000000000000000000000000000000000000000000\",\
             \"t\":\"2026-11-23T10:07:31Z\",\"type\":\"skip\",\"by\":[\"officer-1\",\"witness-2\"],\"body\":{\"step\":"
        ));
        assert!(
            text.contains("Se\\u00f1al \\\"rota\\\" \\u007f\\ud83d\\udd11\\n"),
            "{text}"
        );
        assert!(
            line[..line.len() - 1]
                .iter()
                .all(|byte| matches!(byte, 0x20..=0x7e))
        );
        assert_eq!(Entry::from_line(&line[..line.len() - 1]).unwrap(), entry());
    }

    #[test]
    fn what_a_verifier_refuses() {
        let line = String::from_utf8(entry().to_line().unwrap()).unwrap();
        let line = line.trim_end();
        for (from, to) in [
            ("{\"n\":7", "{ \"n\":7"),
            ("\"n\":7,", ""),
            ("\"n\":7", "\"n\":7.0"),
            ("\"n\":7", "\"n\":7,\"n\":7"),
            ("\"skip\"", "\"slip\""),
            ("\"exception\":null", "\"exception\":null,\"exception\":null"),
            ("\"exception\":null", "\"exception\":1e3"),
            ("\"exception\":null", "\"exception\":null,\"more\":1"),
            ("officer-1", "officer-01"),
            ("Z\"", "+00:00\""),
            ("}}", "}}x"),
            ("00\",\"t\"", "0A\",\"t\""),
            ("open-safe", "open\tsafe"),
        ] {
            let bad = line.replacen(from, to, 1);
            assert_ne!(bad, line, "{from}");
            assert!(Entry::from_line(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_was_done_comes_back() {
        let body = Body::Step(StepEntry {
            step: "a".parse().unwrap(),
            did: crate::log::Did::Say {},
        });
        let line = Entry { body, ..entry() }.to_line().unwrap();
        assert!(
            std::str::from_utf8(&line)
                .unwrap()
                .contains("\"did\":{\"say\":{}}")
        );
        Entry::from_line(&line[..line.len() - 1]).unwrap();
    }
}
