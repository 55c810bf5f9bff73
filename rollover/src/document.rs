//! The text of a file that the user names, or of standard input.

use std::io::{self, Read};
use std::path::Path;

use cli::{Exit, Failure, Outcome};
use key_metadata::store::{LARGEST_FILE, read_text};

/// A text, and what it is called.
pub struct Document {
    /// As the user knows it.
    pub name: String,
    /// What is in it.
    pub text: String,
}

impl Document {
    /// Reads the file, or standard input where it is `-`; never more than a file of a site may have.
    pub fn read(path: &Path) -> Outcome<Self> {
        if path != Path::new("-") {
            let name = path.display().to_string();
            return Ok(Self {
                name,
                text: read_text(path)?,
            });
        }
        let name = "standard input".to_owned();
        let attempt = || {
            let mut text = String::new();
            let length = io::stdin()
                .lock()
                .take(LARGEST_FILE + 1)
                .read_to_string(&mut text)?;
            match length as u64 > LARGEST_FILE {
                true => Err(io::Error::other(format!(
                    "it is larger than {LARGEST_FILE} bytes"
                ))),
                false => Ok(text),
            }
        };
        match attempt() {
            Ok(text) => Ok(Self { name, text }),
            Err(error) => Err(Failure::of(Exit::Failed, &error)
                .within(format!("cannot read {name}"))
                .hint("is it the file that was meant?".to_owned())),
        }
    }
}
