//! The commands of a script, with the values that the log has for their variables.

use crate::script::{Script, Variables, names_in};

/// What stands for a value that the log does not have, such as the folder of the site. No line of a log has this character.
const ANYTHING: char = '\0';

/// The values of variables, as far as the log has them.
pub(super) struct Values(Variables);

impl Values {
    pub(super) fn of(script: &Script) -> Self {
        let mut values = Variables::default();
        for (name, value) in &script.variables {
            values.set(name.clone(), value.clone());
        }
        Self(values)
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        if let Ok(name) = name.parse() {
            self.0.set(name, value.to_owned());
        }
    }

    /// The text with its variables; `None` where one has no value.
    pub(super) fn fill(&self, text: &str) -> Option<String> {
        self.0.fill(text).ok()
    }

    fn fill_as_far_as_known(&self, text: &str) -> Option<String> {
        let mut known = self.0.clone();
        for name in names_in(text).ok()? {
            if known.get(name).is_none() {
                known.set(name.parse().ok()?, ANYTHING.to_string());
            }
        }
        known.fill(text).ok()
    }
}

/// Whether a command is that of the script, whatever the values are that the log does not have.
pub(super) fn is_like(script: &[String], ran: &[String], values: &Values) -> bool {
    let like = |(script, ran): (&String, &String)| {
        values
            .fill_as_far_as_known(script)
            .is_some_and(|pattern| matches(&pattern, ran))
    };
    script.len() == ran.len() && script.iter().zip(ran).all(like)
}

fn matches(pattern: &str, text: &str) -> bool {
    match (pattern.split_once(ANYTHING), pattern.rsplit_once(ANYTHING)) {
        (Some((start, _)), Some((_, end))) => {
            text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end)
        }
        (_, _) => pattern == text,
    }
}
