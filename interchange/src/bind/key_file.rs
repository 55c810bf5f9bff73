//! `K*.key`: the DNSKEY record, and the times as comments.

use std::fmt;
use std::path::Path;

use key_metadata::{KeyId, Role, Time};

use super::LARGEST_KEY_FILE;
use super::metadata::TIMES;
use crate::error::{Place, ReadError};
use crate::files::within;
use crate::key::Revocation;
use crate::quote::Quote;
use crate::records::{Comment, Dnskey, parse};
use crate::report::{Losses, Lost, Reason};
use crate::times::{self, Event, Times};

/// A `.key` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    /// The record.
    pub dnskey: Dnskey,
    /// The times in the comments: those of BIND's that have a name there.
    pub times: Times,
    /// The id that Keyrite gave to the key: a comment that other programs pass over.
    pub id: Option<KeyId>,
    /// The lines of those times, for whoever finds another time elsewhere.
    pub(super) lines: Vec<(Event, usize)>,
}

impl KeyFile {
    /// A key with these times; the ones that a `.key` file has no name for are left out.
    pub fn new(dnskey: Dnskey, times: &Times) -> Self {
        let named = TIMES.iter().filter(|name| name.in_key.is_some());
        Self {
            dnskey,
            times: named
                .filter_map(|name| Some((name.event, times.get(name.event)?)))
                .collect(),
            id: None,
            lines: Vec::new(),
        }
    }

    /// Reads the text of a `.key` file.
    pub fn parse(file: &Path, text: &str) -> Result<(Self, Vec<Lost>), ReadError> {
        within(file, text, LARGEST_KEY_FILE)?;
        let mut losses = Losses::of(file);
        let parsed = parse(file, text, &mut losses)?;
        let place = |line, field: &str| Place::at(file, line, field);
        let mut keys = parsed.keys.into_iter();
        let Some((line, dnskey)) = keys.next() else {
            return Err(ReadError::Missing {
                place: place(None, "DNSKEY"),
            });
        };
        if let Some((second, _)) = keys.next() {
            return Err(ReadError::Twice {
                place: place(Some(second), "DNSKEY"),
            });
        }
        let mut times = Times::default();
        let (mut lines, mut id) = (Vec::new(), None);
        for comment in &parsed.comments {
            match Meaning::of(comment, &dnskey) {
                Meaning::Time(name, event, Ok(time)) => {
                    if times.set(event, time).is_some() {
                        return Err(ReadError::Twice {
                            place: place(Some(comment.line), name),
                        });
                    }
                    lines.push((event, comment.line));
                }
                Meaning::Time(name, _, Err(value)) => {
                    losses.add(Some(comment.line), name, Quote::of(value), Reason::Unknown)?;
                }
                Meaning::Id(found) => {
                    if id.replace(found).is_some() {
                        return Err(ReadError::Twice {
                            place: place(Some(comment.line), ID),
                        });
                    }
                }
                Meaning::Title { tag } if tag == dnskey.key_tag() => {}
                Meaning::Title { tag } => {
                    return Err(ReadError::Contradiction {
                        place: place(Some(comment.line), "keyid"),
                        written: Quote::of(&tag.to_string()),
                        by: "the DNSKEY record",
                        computed: dnskey.key_tag().to_string(),
                    });
                }
                Meaning::Other => {
                    losses.add(
                        Some(comment.line),
                        "comment",
                        Quote::of(comment.text),
                        Reason::Comment,
                    )?;
                }
            }
        }
        if let Some(ttl) = dnskey.ttl.filter(|ttl| *ttl == 0) {
            // BIND writes no TTL of zero; it takes it for none.
            losses.add(Some(line), "TTL", Quote::of(&ttl.to_string()), Reason::NoPlace)?;
        }
        let dnskey = Dnskey {
            ttl: dnskey.ttl.filter(|ttl| *ttl > 0),
            ..dnskey
        };
        let file = Self {
            dnskey,
            times,
            id,
            lines,
        };
        Ok((file, losses.lost))
    }
}

/// The name of the comment with Keyrite's id.
const ID: &str = "Keyrite-Id";

enum Meaning<'a> {
    Time(&'static str, Event, Result<Time, &'a str>),
    Title { tag: u16 },
    Id(KeyId),
    Other,
}

impl<'a> Meaning<'a> {
    fn of(comment: &Comment<'a>, key: &Dnskey) -> Self {
        if let Some(rest) = comment.text.strip_prefix("This is a ") {
            // '[revoked ]key-signing key, keyid 19644, for example.com.'
            let tag = rest
                .split_once("keyid ")
                .and_then(|(_, rest)| rest.split_once(','));
            let whole = tag.filter(|(_, zone)| {
                let zone = zone.trim().strip_prefix("for ").map_or("", str::trim);
                zone.parse()
                    .is_ok_and(|zone: key_metadata::ZoneName| zone == key.zone)
            });
            return match whole.map(|(tag, _)| tag.parse()) {
                Some(Ok(tag)) => Self::Title { tag },
                Some(Err(_)) | None => Self::Other,
            };
        }
        let Some((name, value)) = comment.text.split_once(':') else {
            return Self::Other;
        };
        if name.trim() == ID
            && let Ok(id) = value.trim().parse()
        {
            return Self::Id(id);
        }
        let known = TIMES
            .iter()
            .filter_map(|time| Some((time.in_key?, time.event)))
            .find(|(known, _)| known.eq_ignore_ascii_case(name.trim()));
        let Some((name, event)) = known else {
            return Self::Other;
        };
        let digits = value.split_whitespace().next().map_or("", |digits| digits);
        let time = times::from_digits(digits, Quote::withheld());
        Self::Time(name, event, time.map_err(|_| value.trim()))
    }
}

/// A time as BIND writes it where people look: digits, and `ctime`'s form in parentheses.
pub(super) fn readable(time: Time) -> String {
    format!(
        "{} ({})",
        times::to_digits(time),
        time.to_utc().format("%a %b %e %H:%M:%S %Y")
    )
}

/// Base64 in pieces of 56 characters, as BIND writes keys.
fn in_pieces(record: &str) -> String {
    let (head, key) = record.rsplit_once(' ').map_or((record, ""), |parts| parts);
    let mut text = head.to_owned();
    for piece in key.as_bytes().chunks(56) {
        text.push(' ');
        text.extend(piece.iter().copied().map(char::from));
    }
    text
}

impl fmt::Display for KeyFile {
    /// The file, as BIND writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.dnskey;
        let revoked = match key.revocation {
            Revocation::NotRevoked => "",
            Revocation::Revoked => "revoked ",
        };
        let kind = match key.role {
            Role::Ksk | Role::Csk => "key",
            Role::Zsk => "zone",
        };
        writeln!(
            f,
            "; This is a {revoked}{kind}-signing key, keyid {}, for {}",
            key.key_tag(),
            key.zone.with_final_dot()
        )?;
        for name in &TIMES {
            if let (Some(label), Some(time)) = (name.in_key, self.times.get(name.event)) {
                writeln!(f, "; {label}: {}", readable(time))?;
            }
        }
        if let Some(id) = self.id {
            writeln!(f, "; {ID}: {id}")?;
        }
        writeln!(f, "{}", in_pieces(&key.to_string()))
    }
}
