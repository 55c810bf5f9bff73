//! Values that match a pattern, for what people will read from bags and labels on the day.

use std::io;

use regex::Regex;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::draw::{below, one_of};

/// How often it is tried: anchors in the middle of a pattern can refuse what is made of its parts. Our choice.
const TRIES: usize = 100;
/// What a repetition without an upper bound adds to its lower one at most; our choice.
const MORE: u32 = 4;
/// The longest value, in bytes; our choice.
const LONGEST: usize = 1000;

/// Why no value was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// It is no regular expression.
    #[error("'{pattern}' is no regular expression")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// The cause.
        source: Box<regex_syntax::Error>,
    },
    /// Nothing that was made of its parts matches it as a whole.
    #[error("no value was found that matches '{pattern}'")]
    NoneFound {
        /// The pattern.
        pattern: String,
    },
    /// The system's generator.
    #[error("drawing a value")]
    Random(#[from] io::Error),
}

/// A line of printable ASCII that the pattern matches as a whole, drawn at random.
pub fn matching(pattern: &str) -> Result<String, ValueError> {
    let none_found = || ValueError::NoneFound {
        pattern: pattern.to_owned(),
    };
    let hir = regex_syntax::parse(pattern).map_err(|source| ValueError::Pattern {
        pattern: pattern.to_owned(),
        source: Box::new(source),
    })?;
    let whole = whole(pattern).ok_or_else(none_found)?;
    for _ in 0..TRIES {
        let mut value = String::new();
        append(&hir, &mut value)?;
        let printable = value.chars().all(|c| matches!(c, ' '..='~'));
        if printable && value.len() <= LONGEST && whole.is_match(&value) {
            return Ok(value);
        }
    }
    Err(none_found())
}

/// Whether the pattern matches the value as a whole.
pub fn matches(pattern: &str, value: &str) -> bool {
    whole(pattern).is_some_and(|whole| whole.is_match(value))
}

fn whole(pattern: &str) -> Option<Regex> {
    Regex::new(&format!("^(?:{pattern})$")).ok()
}

fn append(hir: &Hir, value: &mut String) -> io::Result<()> {
    if value.len() > LONGEST {
        return Ok(());
    }
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => value.push_str(&String::from_utf8_lossy(&literal.0)),
        HirKind::Class(class) => value.extend(one_of(&printable(class))?),
        HirKind::Repetition(repetition) => {
            let least = repetition.min;
            let most = repetition.max.map_or(least.saturating_add(MORE), |most| most);
            let more = below((most - least) as usize + 1)?;
            for _ in 0..(least as usize + more).min(LONGEST) {
                append(&repetition.sub, value)?;
            }
        }
        HirKind::Capture(capture) => append(&capture.sub, value)?,
        HirKind::Concat(parts) => {
            for part in parts {
                append(part, value)?;
            }
        }
        HirKind::Alternation(ways) => {
            if let Some(way) = one_of(ways)? {
                append(way, value)?;
            }
        }
    }
    Ok(())
}

/// The printable characters of a class; a blank only where there is no other.
fn printable(class: &Class) -> Vec<char> {
    let within = |c: char| match class {
        Class::Unicode(class) => class
            .iter()
            .any(|range| (range.start()..=range.end()).contains(&c)),
        Class::Bytes(class) => class
            .iter()
            .any(|range| (range.start()..=range.end()).contains(&(c as u8))),
    };
    let seen: Vec<char> = ('!'..='~').filter(|c| within(*c)).collect();
    if seen.is_empty() && within(' ') {
        return vec![' '];
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_matches_its_pattern() {
        for pattern in [
            "[A-Z]{2}[0-9]{6,8}",
            "[0-9]{1,5}",
            "(yes|no)",
            "A[0-9]+-[a-f0-9]*x?",
            "[^ ]{3}",
            ".+",
            "^[0-9a-f]{64}$",
            "",
            "(a|b(c|d){2}){3}",
        ] {
            for _ in 0..50 {
                let value = matching(pattern).unwrap();
                assert!(matches(pattern, &value), "{pattern}: {value}");
            }
        }
    }

    #[test]
    fn patterns_without_a_value_are_told() {
        assert!(matches!(matching("["), Err(ValueError::Pattern { .. })));
        for none in ["a^b", "[^\\x00-\\x{10FFFF}]", "\u{e9}"] {
            assert!(
                matches!(matching(none), Err(ValueError::NoneFound { .. })),
                "{none}"
            );
        }
        // Longer than any line that people type.
        assert!(matches!(matching("a{2000}"), Err(ValueError::NoneFound { .. })));
    }
}
