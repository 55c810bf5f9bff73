//! JSON that must have the fields that it must have, and whose other fields are reported.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::error::{FieldError, Place, ReadError};
use crate::files::within;
use crate::quote::Quote;
use crate::report::{Losses, Reason};

/// What a format knows of a JSON value.
pub(crate) enum Shape {
    /// It is read whole.
    Read,
    /// It is known and passed over.
    Unused,
    List(&'static Shape),
    /// Any names, one kind of value.
    Map(&'static Shape),
    Object(&'static [(&'static str, Shape)]),
}

/// Reads a text; then lists what `shape` does not know of it.
pub(crate) fn read<T: DeserializeOwned>(
    file: &Path,
    text: &str,
    limit: usize,
    shape: &Shape,
    losses: &mut Losses,
) -> Result<T, ReadError> {
    within(file, text, limit)?;
    let refused = |line, field: String, error: String| ReadError::Field {
        place: match field.as_str() {
            "" => Place::at(file, line, "the text"),
            field => Place::at(file, line, short(field)),
        },
        source: FieldError::Json(short(&error)),
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let field = path_of(error.path());
        let error = error.into_inner();
        let text = error.to_string();
        let cause = text
            .rsplit_once(" at line ")
            .map_or(text.as_str(), |(cause, _)| cause);
        let cause = if cause.contains("://") {
            "a text stands where none can"
        } else {
            cause
        };
        refused(Some(error.line()), field, cause.to_owned())
    })?;
    deserializer.end().map_err(|error| {
        refused(
            Some(error.line()),
            String::new(),
            "something follows the JSON value".to_owned(),
        )
    })?;
    // It was JSON a moment ago.
    let whole: Value = serde_json::from_str(text)
        .map_err(|error| refused(Some(error.line()), String::new(), error.to_string()))?;
    unknown(&whole, shape, &mut String::new(), losses)?;
    Ok(value)
}

/// A path without the names that are URIs: they can have a password in them.
fn path_of(path: &serde_path_to_error::Path) -> String {
    let words = path.iter().map(|segment| match segment {
        Segment::Seq { index } => format!("[{index}]"),
        Segment::Map { key } if key.contains("://") => "[URI]".to_owned(),
        Segment::Map { key: name } | Segment::Enum { variant: name } => format!(".{name}"),
        Segment::Unknown => "[?]".to_owned(),
    });
    words.collect::<String>().trim_start_matches('.').to_owned()
}

fn short(text: &str) -> String {
    text.chars().take(160).flat_map(char::escape_debug).collect()
}

fn unknown(value: &Value, shape: &Shape, path: &mut String, losses: &mut Losses) -> Result<(), ReadError> {
    let length = path.len();
    match (shape, value) {
        (Shape::List(each), Value::Array(values)) => {
            for (index, value) in values.iter().enumerate() {
                path.push_str(&format!("[{index}]"));
                unknown(value, each, path, losses)?;
                path.truncate(length);
            }
        }
        (Shape::Map(each), Value::Object(values)) => {
            // The names can be URIs, and a URI can have a password in it.
            for (index, value) in values.values().enumerate() {
                path.push_str(&format!("[{index}]"));
                unknown(value, each, path, losses)?;
                path.truncate(length);
            }
        }
        (Shape::Object(known), Value::Object(values)) => {
            for (name, value) in values {
                path.push_str(&format!(".{}", short(name)));
                match known.iter().find(|(known, _)| known == name) {
                    Some((_, shape)) => unknown(value, shape, path, losses)?,
                    None => losses.add(
                        None,
                        path.trim_start_matches('.'),
                        summary(value),
                        Reason::Unknown,
                    )?,
                }
                path.truncate(length);
            }
        }
        (Shape::Unused, Value::Null) => {}
        (Shape::Unused, Value::Array(values)) if values.is_empty() => {}
        (Shape::Unused, Value::Object(values)) if values.is_empty() => {}
        (Shape::Unused, _) => losses.add(
            None,
            path.trim_start_matches('.'),
            summary(value),
            Reason::NoPlace,
        )?,
        (Shape::Read | Shape::List(_) | Shape::Map(_) | Shape::Object(_), _) => {}
    }
    Ok(())
}

fn summary(value: &Value) -> Quote {
    match value {
        Value::Array(values) => Quote::of(&format!("a list of {}", values.len())),
        Value::Object(values) => Quote::of(&format!("an object of {}", values.len())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Quote::of(&value.to_string()),
    }
}

/// A JSON object as a list of its entries, in order; a name that comes twice is refused.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entries<V>(pub(crate) Vec<(String, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Entries<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Object<V> {
            type Value = Entries<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut seen = std::collections::HashSet::new();
                let mut entries = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, V>()? {
                    if !seen.insert(name.clone()) {
                        return Err(A::Error::custom("a name is there twice"));
                    }
                    entries.push((name, value));
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Object(PhantomData))
    }
}
