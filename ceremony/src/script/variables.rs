//! `${name}` in the texts of a script.

use std::collections::BTreeMap;

use super::name::Word;

/// Names that every ceremony has: its id, the digest of its script, its site's folder, and the digest of the last checkpoint of the
/// ceremony before (`none` for the first).
pub const BUILT_IN: [&str; 4] = ["ceremony", "script", "site", "previous-checkpoint"];

/// The values that the names have by now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<Word, String>);

/// A text with a `${` that names nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VariablesError {
    /// No variable has that name, or none has it yet.
    #[error("${{{name}}} has no value")]
    Unknown {
        /// The name.
        name: String,
    },
    /// The brace is not closed.
    #[error("'${{' without '}}' in '{text}'")]
    Open {
        /// The text.
        text: String,
    },
}

impl Variables {
    /// Gives a name its value.
    pub fn set(&mut self, name: Word, value: String) {
        self.0.insert(name, value);
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known.as_str() == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The text with every `${name}` replaced. A value is not looked through again.
    pub fn fill(&self, text: &str) -> Result<String, VariablesError> {
        let mut filled = String::with_capacity(text.len());
        for part in parts(text)? {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Name(name) => match self.get(name) {
                    Some(value) => filled.push_str(value),
                    None => {
                        return Err(VariablesError::Unknown {
                            name: name.to_owned(),
                        });
                    }
                },
            }
        }
        Ok(filled)
    }
}

/// The names in a text.
pub fn names_in(text: &str) -> Result<Vec<&str>, VariablesError> {
    let names = parts(text)?.into_iter().filter_map(|part| match part {
        Part::Name(name) => Some(name),
        Part::Text(_) => None,
    });
    Ok(names.collect())
}

enum Part<'t> {
    Text(&'t str),
    Name(&'t str),
}

fn parts(text: &str) -> Result<Vec<Part<'_>>, VariablesError> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else {
            return Err(VariablesError::Open {
                text: text.to_owned(),
            });
        };
        parts.extend([Part::Text(before), Part::Name(name)]);
        rest = after;
    }
    parts.push(Part::Text(rest));
    Ok(parts)
}

/// An argument as a reader can tell it from its neighbours; no shell reads this.
pub fn quoted(argument: &str) -> String {
    // A name that has no value yet stands for one word.
    let known = argument.replace("${", "").replace('}', "");
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !argument.is_empty() && known.chars().all(plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in_once() {
        let mut variables = Variables::default();
        variables.set("zone".parse().unwrap(), "${cr}".to_owned());
        assert_eq!(variables.fill("a ${zone} $ {b}").unwrap(), "a ${cr} $ {b}");
        assert!(matches!(
            variables.fill("${cr}"),
            Err(VariablesError::Unknown { .. })
        ));
        assert!(matches!(variables.fill("${cr"), Err(VariablesError::Open { .. })));
        assert_eq!(names_in("${a}${b}").unwrap(), ["a", "b"]);
    }
}
