//! Reading and writing the site's YAML: strict, and with the place of every mistake.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use saphyr_parser::{Event, Parser, Span};
use serde::de::{self, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_path_to_error::{Path, Segment};

/// Why a text is not the YAML that a file must hold.
#[derive(Debug, thiserror::Error)]
#[error("{}{reason}", Place { line: *line, column: *column, path })]
pub struct YamlError {
    /// The line, from 1, where the parser knows it.
    pub line: Option<usize>,
    /// The column, from 1.
    pub column: Option<usize>,
    /// The field, such as `zones.cr.policy`; `.` for the whole document.
    pub path: String,
    /// What is wrong there.
    pub reason: String,
}

struct Place<'a> {
    line: Option<usize>,
    column: Option<usize>,
    path: &'a str,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, "line {line}, column {column}: ")?;
        }
        if self.path != "." && self.path != "?" {
            write!(f, "{}: ", self.path)?;
        }
        Ok(())
    }
}

/// Reads one document.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    serde_path_to_error::deserialize(serde_yaml::Deserializer::from_str(text)).map_err(|error| {
        let path = error.path().to_string();
        let value = locate(text, error.path());
        let inner = error.into_inner();
        let reason = reason(&inner.to_string(), &path);
        // The parser tells where a wrong name or the syntax ends; of a wrong value it tells only what it is in.
        let told = inner.location().map(|place| (place.line(), place.column()));
        let place = if reason.starts_with("unknown field") {
            told
        } else {
            told.max(value)
        };
        YamlError {
            line: place.map(|(line, _)| line),
            column: place.map(|(_, column)| column),
            reason,
            path,
        }
    })
}

/// Line and column, from 1, of the value at a path of names and of indices from 0, as far as the path can be followed.
pub fn place_of<S: AsRef<str>>(text: &str, path: &[S]) -> Option<(usize, usize)> {
    locate_along(
        text,
        path.iter().map(|part| {
            let part = part.as_ref();
            (Some(part.to_owned()), part.parse().ok())
        }),
    )
}

/// The same for the parser's path.
fn locate(text: &str, path: &Path) -> Option<(usize, usize)> {
    locate_along(
        text,
        path.iter().map(|segment| match segment {
            Segment::Map { key } => (Some(key.clone()), None),
            Segment::Seq { index } => (None, Some(*index)),
            _ => (None, None),
        }),
    )
}

/// Each part is the name that it has in a map, and the index that it has in a list.
fn locate_along(
    text: &str,
    path: impl Iterator<Item = (Option<String>, Option<usize>)>,
) -> Option<(usize, usize)> {
    let mut events = Parser::new_from_str(text)
        .map_while(Result::ok)
        .filter(|(event, _)| {
            !matches!(
                event,
                Event::StreamStart | Event::DocumentStart(_) | Event::Nothing
            )
        });
    let (mut event, mut span) = events.next()?;
    for (name, index) in path {
        match (name, index, &event) {
            (Some(key), _, Event::MappingStart(..)) => loop {
                let found = match events.next()? {
                    (Event::MappingEnd, _) => return Some(place(&span)),
                    (Event::Scalar(name, ..), _) => name == key.as_str(),
                    (start, _) => {
                        skip(&start, &mut events);
                        false
                    }
                };
                (event, span) = events.next()?;
                if found {
                    break;
                }
                skip(&event, &mut events);
            },
            (_, Some(index), Event::SequenceStart(..)) => {
                for _ in 0..index {
                    let (item, _) = events.next()?;
                    skip(&item, &mut events);
                }
                (event, span) = events.next()?;
            }
            _ => break,
        }
    }
    Some(place(&span))
}

fn place(span: &Span) -> (usize, usize) {
    (span.start.line(), span.start.col() + 1)
}

/// Passes over the rest of a value that began with `start`.
pub(crate) fn skip<'a>(start: &Event<'a>, events: &mut impl Iterator<Item = (Event<'a>, Span)>) {
    let nests = |event: &Event<'_>| matches!(event, Event::MappingStart(..) | Event::SequenceStart(..));
    let mut depth = usize::from(nests(start));
    while depth > 0 {
        match events.next() {
            Some((Event::MappingEnd | Event::SequenceEnd, _)) => depth -= 1,
            Some((event, _)) => depth += usize::from(nests(&event)),
            None => return,
        }
    }
}

/// The parser's message without the place, and without the path or the part of it that the parser puts in front.
fn reason(message: &str, path: &str) -> String {
    let message = message
        .rsplit_once(" at line ")
        .map_or(message, |(reason, _)| reason);
    match message.split_once(": ") {
        Some((front, rest))
            if path == front
                || path
                    .strip_prefix(front)
                    .is_some_and(|more| more.starts_with(['.', '['])) =>
        {
            rest.to_owned()
        }
        Some(_) | None => message.to_owned(),
    }
}

/// Writes one document.
pub fn render<T: Serialize>(value: &T) -> Result<String, serde_yaml::Error> {
    serde_yaml::to_string(value)
}

/// Reads a map, and refuses a key that is there twice (a plain map would keep the last one silently).
pub fn unique_map<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Ord + fmt::Display,
    V: Deserialize<'de>,
{
    struct Unique<K, V>(PhantomData<(K, V)>);

    impl<'de, K, V> Visitor<'de> for Unique<K, V>
    where
        K: Deserialize<'de> + Ord + fmt::Display,
        V: Deserialize<'de>,
    {
        type Value = BTreeMap<K, V>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
            let mut map = BTreeMap::new();
            while let Some(key) = access.next_key::<K>()? {
                if map.contains_key(&key) {
                    return Err(de::Error::custom(format_args!("'{key}' is there twice")));
                }
                let value = access.next_value()?;
                map.insert(key, value);
            }
            Ok(map)
        }
    }

    deserializer.deserialize_map(Unique(PhantomData))
}
