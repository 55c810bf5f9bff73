//! One custodian more, or another recipient of one, in the text of `site.yaml`, which people write: nothing else of the text is touched.

use std::path::PathBuf;

use saphyr_parser::{Event, Parser, Span};

use crate::advice::Advice;
use crate::site::{Site, SiteError, SiteWord};
use crate::store::StoreError;
use crate::tpm_setup::Recipient;
use crate::yaml::skip;

/// What is changed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    /// A custodian who is not there yet.
    Add,
    /// Another recipient for one who is.
    Replace,
}

/// Why the custodians of a site are as they were.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CustodianError {
    /// The name is taken.
    #[error("the site has a custodian '{name}' already")]
    Present {
        /// The name.
        name: SiteWord,
    },
    /// Nobody has the name.
    #[error("the site has no custodian '{name}'; there is {known}")]
    Absent {
        /// The name.
        name: SiteWord,
        /// The names that there are.
        known: String,
    },
    /// Written in a way that is not changed here, as `{ana: age1...}` or with an alias.
    #[error("the custodians in {} are written in a way that only people change", path.display())]
    Unusual {
        /// The file.
        path: PathBuf,
        /// The line to be in it.
        line: String,
    },
    /// The file.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Advice for CustodianError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Present { .. } => Some("replace the recipient, or give another name".to_owned()),
            Self::Absent { .. } => None,
            Self::Unusual { path, line } => Some(format!(
                "edit {} by hand; under 'custodians:' it is to have the line '  {line}'",
                path.display()
            )),
            Self::Store(source) => source.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}

/// Why a text was not changed.
#[derive(Debug)]
pub(crate) enum EditError {
    /// See [`CustodianError::Present`].
    Present,
    /// See [`CustodianError::Absent`].
    Absent { known: String },
    /// See [`CustodianError::Unusual`].
    Unusual,
    /// It was no site before.
    Site(SiteError),
}

/// The text with that change, and the site that it is. It was read again: it says what the old one said, and the change.
pub(crate) fn edit(
    text: &str,
    change: Change,
    name: &SiteWord,
    recipient: &Recipient,
) -> Result<(String, Site), EditError> {
    let mut wanted = Site::from_yaml(text).map_err(EditError::Site)?;
    let before = wanted.custodians.insert(name.clone(), recipient.clone());
    let edited = match (change, before) {
        (Change::Add, Some(_)) => return Err(EditError::Present),
        (Change::Replace, None) => {
            let others = wanted.custodians.keys().filter(|other| *other != name);
            let known: Vec<String> = others.map(ToString::to_string).collect();
            let known = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            };
            return Err(EditError::Absent { known });
        }
        (Change::Add, None) => added(text, name, recipient),
        (Change::Replace, Some(_)) => replaced(text, name, recipient),
    };
    let edited = edited.ok_or(EditError::Unusual)?;
    match Site::from_yaml(&edited) {
        Ok(site) if site == wanted => Ok((edited, site)),
        Ok(_) | Err(_) => Err(EditError::Unusual),
    }
}

/// The line of a custodian, without indentation.
pub(crate) fn line(name: &SiteWord, recipient: &Recipient) -> String {
    format!(
        "{}: {}",
        scalar(&name.to_string()),
        scalar(&recipient.to_string())
    )
}

fn added(text: &str, name: &SiteWord, recipient: &Recipient) -> Option<String> {
    let new = line(name, recipient);
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let close = |text: &str| if text.ends_with('\n') { "" } else { end };
    let Some(entries) = entries(text)? else {
        return Some(format!("{text}{}custodians:{end}  {new}{end}", close(text)));
    };
    let last = entries.last()?;
    if entries.iter().any(|entry| entry.key.1 != last.key.1) {
        return None;
    }
    let indent = lines(text).nth(last.key.0)?.get(..last.key.1)?;
    let indented = indent.bytes().all(|byte| byte == b' ');
    let at: usize = lines(text).take(last.value.0 + 1).map(str::len).sum();
    let (before, after) = text.split_at_checked(at)?;
    indented.then(|| format!("{before}{}{indent}{new}{end}{after}", close(before)))
}

fn replaced(text: &str, name: &SiteWord, recipient: &Recipient) -> Option<String> {
    let entries = entries(text)??;
    let name = name.to_string();
    let mut of_name = entries.iter().filter(|entry| entry.name == name);
    let (entry, None) = (of_name.next()?, of_name.next()) else {
        return None;
    };
    let (number, column) = entry.value;
    let start: usize = lines(text).take(number).map(str::len).sum();
    let within: usize = lines(text)
        .nth(number)?
        .chars()
        .take(column)
        .map(char::len_utf8)
        .sum();
    let (before, rest) = text.split_at_checked(start + within)?;
    let value = entry.text.as_str();
    let quoted = [
        value.to_owned(),
        format!("'{}'", value.replace('\'', "''")),
        format!("\"{value}\""),
    ];
    let after = quoted
        .iter()
        .find_map(|quoted| rest.strip_prefix(quoted.as_str()))?;
    Some(format!("{before}{}{after}", scalar(&recipient.to_string())))
}

/// A custodian in the text; places are line and column, both from 0.
struct Entry {
    name: String,
    text: String,
    key: (usize, usize),
    value: (usize, usize),
}

/// What is under `custodians`; `Some(None)` if there is no such field, `None` if it is not a map of plain texts.
fn entries(text: &str) -> Option<Option<Vec<Entry>>> {
    let mut events = Parser::new_from_str(text)
        .map_while(Result::ok)
        .filter(|(event, _)| {
            !matches!(
                event,
                Event::StreamStart | Event::DocumentStart(_) | Event::Nothing
            )
        });
    let (Event::MappingStart(..), _) = events.next()? else {
        return None;
    };
    loop {
        match events.next()? {
            (Event::MappingEnd, _) => return Some(None),
            (Event::Scalar(field, ..), _) if field == "custodians" => break,
            (key, _) => {
                skip(&key, &mut events);
                let (value, _) = events.next()?;
                skip(&value, &mut events);
            }
        }
    }
    let (Event::MappingStart(0, None), _) = events.next()? else {
        return None;
    };
    let mut entries = Vec::new();
    loop {
        let (name, key) = match events.next()? {
            (Event::MappingEnd, _) => return Some(Some(entries)),
            (Event::Scalar(name, _, 0, None), span) => (name.into_owned(), place(&span)?),
            _ => return None,
        };
        let (Event::Scalar(text, _, 0, None), value) = events.next()? else {
            return None;
        };
        entries.push(Entry {
            name,
            text: text.into_owned(),
            key,
            value: place(&value)?,
        });
    }
}

fn place(span: &Span) -> Option<(usize, usize)> {
    Some((span.start.line().checked_sub(1)?, span.start.col()))
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive('\n')
}

/// A text as YAML takes it for a text: as it is where nothing in it could be anything else, or in quotes.
fn scalar(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || " @._/+=-".contains(letter);
    // Words that some reader of YAML takes for a truth value or for nothing.
    let words = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let is_word = words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if text.starts_with(|letter: char| letter.is_ascii_alphabetic()) && text.chars().all(plain) && !is_word {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}
