//! The script as people hold it on paper: what is said and done, by whom, with places for initials and times. Same script, same bytes.

mod paper;
mod style;
mod text;
mod web;
mod wrap;

use key_metadata::Digest;
use key_metadata::yaml::YamlError;

use crate::script::Script;

pub use text::LINES_OF_A_PAGE;

/// How many empty exception sheets there are.
pub const EXCEPTION_SHEETS: usize = 3;

/// The form of a printed script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One HTML file that needs nothing else, to be printed from a browser.
    Html,
    /// Plain text: 80 columns, pages that end with a form feed.
    Text,
}

/// The text of that script's file on paper. The SHA-256 of the file's bytes is on each page.
pub fn print(script: &str, form: Form) -> Result<String, YamlError> {
    let digest = Digest::of(script.as_bytes());
    let script = Script::from_yaml(script)?;
    Ok(match form {
        Form::Html => web::html(&script, digest),
        Form::Text => text::text(&script, digest),
    })
}
