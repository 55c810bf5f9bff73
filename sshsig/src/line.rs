//! A line of `allowed_signers` (ssh-keygen(1), ALLOWED SIGNERS).

use key_metadata::{Advice, Time};

use crate::key::{KeyError, SignerKey};

/// Principals, options and key of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) principals: Vec<String>,
    pub(crate) options: Options,
    pub(crate) key: SignerKey,
}

/// What a key may sign, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) namespaces: Option<String>,
    pub(crate) valid_after: Option<Time>,
    pub(crate) valid_before: Option<Time>,
}

/// Why a file of allowed signers cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the allowed signers")]
pub struct AllowedSignersError {
    /// The line, from 1.
    pub line: u64,
    /// The cause.
    pub source: LineError,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// Not plain text.
    #[error("a character that is not printable ASCII")]
    Text,
    /// A principal that is a pattern, or none.
    #[error("'{principal}' names no one person: a principal is a name, without '*', '?', '!' and quotes")]
    Principal {
        /// What is there.
        principal: String,
    },
    /// No key follows.
    #[error("no key after the principals")]
    NoKey,
    /// `cert-authority`.
    #[error("a certificate authority: whom it lets sign, this file does not say")]
    CertificateAuthority,
    /// Another option.
    #[error("option '{option}' is not known here")]
    Option {
        /// The option.
        option: String,
    },
    /// An option without a value in quotes.
    #[error("option '{option}' needs a value in double quotes, without a backslash")]
    Value {
        /// The option.
        option: &'static str,
    },
    /// An option that is there twice.
    #[error("option '{option}' is there twice")]
    Twice {
        /// The option.
        option: &'static str,
    },
    /// A time that is none.
    #[error("'{value}' is no time in UTC, such as 20261123100731Z")]
    Time {
        /// What is there.
        value: String,
    },
    /// It ends before it begins.
    #[error("valid-before is not later than valid-after")]
    NeverValid,
    /// The key.
    #[error("{0}")]
    Key(KeyError),
}

impl Advice for AllowedSignersError {
    fn hint(&self) -> Option<String> {
        match &self.source {
            LineError::CertificateAuthority | LineError::Principal { .. } => {
                Some("give each person a line with their own name and key".to_owned())
            }
            LineError::Time { .. } => Some(
                "end it with a Z: without one it is local time, which is another on another machine"
                    .to_owned(),
            ),
            LineError::Key(KeyError::RsaSize { .. } | KeyError::Type { .. }) => {
                Some("ssh-keygen -t ed25519 makes a key that can".to_owned())
            }
            LineError::Text
            | LineError::NoKey
            | LineError::Option { .. }
            | LineError::Value { .. }
            | LineError::Twice { .. }
            | LineError::NeverValid
            | LineError::Key(KeyError::Damaged { .. }) => None,
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}

impl Line {
    /// Reads a line; `None` for an empty one and for a comment.
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<Self>, LineError> {
        let text = std::str::from_utf8(bytes).map_err(|_| LineError::Text)?;
        let text = text.trim_start_matches([' ', '\t']);
        if text.is_empty() || text.starts_with('#') {
            return Ok(None);
        }
        if !text
            .bytes()
            .all(|byte| byte == b'\t' || (0x20..0x7f).contains(&byte))
        {
            return Err(LineError::Text);
        }
        let (principals, rest) = split_word(text);
        let principals: Vec<String> = principals.split(',').map(str::to_owned).collect();
        if let Some(bad) = principals.iter().find(|name| !is_name(name)) {
            return Err(LineError::Principal {
                principal: bad.clone(),
            });
        }
        let (first, after) = split_word(rest);
        let (options, key) = if SignerKey::is_type(first) {
            (Options::default(), rest)
        } else if first.is_empty() {
            return Err(LineError::NoKey);
        } else if ["ssh-", "ecdsa-", "sk-"]
            .iter()
            .any(|start| first.starts_with(start))
        {
            return Err(LineError::Key(KeyError::Type {
                key_type: first.to_owned(),
            }));
        } else if after.is_empty() {
            return Err(LineError::NoKey);
        } else {
            (Options::read(first)?, after)
        };
        Ok(Some(Self {
            principals,
            options,
            key: key.parse().map_err(LineError::Key)?,
        }))
    }
}

/// A word up to a blank that is not in quotes, and what follows the blanks.
fn split_word(text: &str) -> (&str, &str) {
    let mut quoted = false;
    let end = text.find(|letter: char| {
        quoted ^= letter == '"';
        !quoted && matches!(letter, ' ' | '\t')
    });
    let (word, rest) = text.split_at(end.map_or(text.len(), |end| end));
    (word, rest.trim_start_matches([' ', '\t']))
}

/// OpenSSH compares no pattern that is longer.
const LONGEST_PATTERN: usize = 1023;

fn is_name(text: &str) -> bool {
    (1..=LONGEST_PATTERN).contains(&text.len()) && !text.contains(['*', '?', '!', '"', '\'', '\\'])
}

impl Options {
    fn read(text: &str) -> Result<Self, LineError> {
        let mut options = Self::default();
        let mut quoted = false;
        let parts = text.split(|letter: char| {
            quoted ^= letter == '"';
            !quoted && letter == ','
        });
        for part in parts {
            let (name, value) = part.split_once('=').map_or((part, ""), |split| split);
            match name.to_ascii_lowercase().as_str() {
                "cert-authority" => return Err(LineError::CertificateAuthority),
                "namespaces" => {
                    let value = unquoted("namespaces", value)?;
                    once("namespaces", &mut options.namespaces, value.to_owned())?;
                }
                "valid-after" => {
                    let time = time_of(unquoted("valid-after", value)?)?;
                    once("valid-after", &mut options.valid_after, time)?;
                }
                "valid-before" => {
                    let time = time_of(unquoted("valid-before", value)?)?;
                    once("valid-before", &mut options.valid_before, time)?;
                }
                _ => {
                    return Err(LineError::Option {
                        option: part.to_owned(),
                    });
                }
            }
        }
        match (options.valid_after, options.valid_before) {
            (Some(after), Some(before)) if before <= after => Err(LineError::NeverValid),
            (Some(_) | None, Some(_) | None) => Ok(options),
        }
    }
}

fn once<T>(option: &'static str, place: &mut Option<T>, value: T) -> Result<(), LineError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(LineError::Twice { option }),
    }
}

fn unquoted<'t>(option: &'static str, value: &'t str) -> Result<&'t str, LineError> {
    let within = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    let within =
        within.filter(|value| (1..=LONGEST_PATTERN).contains(&value.len()) && !value.contains(['"', '\\']));
    within.ok_or(LineError::Value { option })
}

/// `YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`, and `Z`.
fn time_of(value: &str) -> Result<Time, LineError> {
    let wrong = || LineError::Time {
        value: value.to_owned(),
    };
    let digits = value.strip_suffix('Z').ok_or_else(wrong)?;
    if !matches!(digits.len(), 8 | 12 | 14) || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(wrong());
    }
    let all = format!("{digits:0<14}");
    let [year, month, day, hour, minute, second] =
        [0..4, 4..6, 6..8, 8..10, 10..12, 12..14].map(|range| all.get(range).map_or("", |part| part));
    let text = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    text.parse().map_err(|_| wrong())
}
