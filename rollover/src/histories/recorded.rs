//! A history of RRsets that somebody wrote down: an outage, or what was seen of a zone (docs/formats/history-of-rrsets.md).

use std::collections::BTreeSet;

use key_metadata::version::Version1;
use key_metadata::yaml::{self, YamlError};
use key_metadata::{KeyAlgorithm, Role, Span, Time, ZoneName};
use serde::{Deserialize, Serialize};

use super::Sets;
use crate::schedule::{
    AlgorithmNumber, Caching, CauseIndex, Event, KeyIndex, KeyLanes, Propagation, Schedule, Signatures,
    Silence, Silenced,
};

/// A history, as its file has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct History {
    /// Always 1.
    pub version: Version1,
    /// The zone.
    pub zone: ZoneName,
    /// When it begins: what is there then was in every cache.
    pub since: Time,
    /// How long answers are kept.
    pub ttls: Ttls,
    /// Until the servers have what the first one has.
    pub propagation: Delays,
    /// What the RRSIGs have left at least, when they are served.
    pub signatures: Remaining,
    /// The keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Key>,
    /// What is there when it begins.
    #[serde(default, skip_serializing_if = "RrsetKeys::is_empty")]
    pub there: RrsetKeys,
    /// What changes, in the order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Change>,
    /// When nothing is signed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silences: Vec<Gap>,
}

/// TTLs: each one, or a list of those that counted from a time on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Ttls {
    /// Of the DNSKEY RRset.
    pub dnskey: Ttl,
    /// Of the DS RRset, and of its absence.
    pub ds: Ttl,
    /// The largest of all others in the zone, that of negative answers included.
    pub zone: Ttl,
}

/// A TTL, or several one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a span of time such as 1h, or a list of 'from' and 'ttl'"
)]
pub enum Ttl {
    /// It never changes.
    Always(Span),
    /// It does. The first one counts from ever.
    Changing(Vec<TtlFrom>),
}

/// A TTL and from when on it counts; the first one of a list counts from ever.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TtlFrom {
    /// From when on.
    pub from: Time,
    /// How long.
    pub ttl: Span,
}

/// Until the servers have what the first one has.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Delays {
    /// Those of the zone (Dprp).
    pub zone: Span,
    /// Those of its parent (DprpP).
    pub parent: Span,
}

/// What RRSIGs have left.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Remaining {
    /// Those of the zone.
    pub zone: Span,
    /// Those of the DNSKEY RRset.
    pub dnskey: Span,
}

/// A key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Key {
    /// What it is called here.
    pub label: String,
    /// What it is for.
    pub role: Role,
    /// Its algorithm, by mnemonic or number.
    #[serde(with = "algorithm")]
    pub algorithm: KeyAlgorithm,
}

/// Which keys are in each RRset, or signed it, by their labels. What is not named is as it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RrsetKeys {
    /// Whose DS is at the parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ds: Option<Vec<String>>,
    /// Whose DNSKEY is in the zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dnskey: Option<Vec<String>>,
    /// Who signed the DNSKEY RRset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dnskey_signed_by: Option<Vec<String>>,
    /// Who signed all else in the zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone_signed_by: Option<Vec<String>>,
    /// Whose DNSKEY has the REVOKE bit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Vec<String>>,
}

/// A change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Change {
    /// When, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    /// Otherwise the earliest time at which the first server can have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Time>,
    /// And the time at which it has it for sure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Time>,
    /// What makes it: a step that could have been made later.
    pub cause: String,
    /// What is there from then on.
    pub then: RrsetKeys,
}

/// A time in which nothing is signed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Gap {
    /// From when.
    pub from: Time,
    /// Until when everything is signed again; never, where there is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// What is not signed; everything, where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Unsigned>,
    /// Why.
    pub cause: String,
}

/// What is not signed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unsigned {
    /// The DNSKEY RRset.
    Dnskey,
    /// All else.
    Zone,
}

mod algorithm {
    use key_metadata::KeyAlgorithm;
    use serde::{Deserialize, Deserializer, Serializer, de};

    #[derive(Deserialize)]
    #[serde(untagged, expecting = "an algorithm, by mnemonic or number")]
    enum Word {
        Number(u8),
        Text(String),
    }

    pub fn serialize<S: Serializer>(algorithm: &KeyAlgorithm, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(algorithm)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KeyAlgorithm, D::Error> {
        let text = match Word::deserialize(deserializer)? {
            Word::Number(number) => number.to_string(),
            Word::Text(text) => text,
        };
        text.parse().map_err(de::Error::custom)
    }
}

/// Something that is well written and makes no sense: where, and why.
struct Nonsense {
    path: Vec<String>,
    reason: String,
}

type Sense<T> = Result<T, Nonsense>;

fn nonsense<T>(path: &[&str], reason: impl Into<String>) -> Sense<T> {
    Err(Nonsense {
        path: path.iter().map(|&part| part.to_owned()).collect(),
        reason: reason.into(),
    })
}

impl History {
    /// Reads the text of a history.
    pub fn from_yaml(text: &str) -> Result<Self, YamlError> {
        let history: Self = yaml::parse(text)?;
        match history.build() {
            Ok(_) => Ok(history),
            Err(Nonsense { path, reason }) => {
                let place = yaml::place_of(text, &path);
                Err(YamlError {
                    line: place.map(|(line, _)| line),
                    column: place.map(|(_, column)| column),
                    path: dotted(&path),
                    reason,
                })
            }
        }
    }

    /// The schedule that it is.
    pub fn schedule(&self) -> Result<Schedule, YamlError> {
        self.build().map_err(|Nonsense { path, reason }| YamlError {
            line: None,
            column: None,
            path: dotted(&path),
            reason,
        })
    }

    fn build(&self) -> Sense<Schedule> {
        self.check_labels()?;
        let mut schedule = Schedule {
            zone: self.zone.clone(),
            since: self.since,
            keys: self
                .keys
                .iter()
                .map(|key| {
                    KeyLanes::new(
                        key.label.clone(),
                        key.role,
                        AlgorithmNumber(key.algorithm.number()),
                    )
                })
                .collect(),
            causes: Vec::new(),
            caching: Caching {
                dnskey: self.ttls.dnskey.list("dnskey", self.since)?,
                ds: self.ttls.ds.list("ds", self.since)?,
                zone: self.ttls.zone.list("zone", self.since)?,
            },
            propagation: Propagation {
                zone: self.propagation.zone,
                parent: self.propagation.parent,
            },
            signatures: Signatures {
                zone: self.signatures.zone,
                dnskey: self.signatures.dnskey,
            },
            silences: Vec::new(),
        };
        let beginning = schedule.cause("the beginning");
        let there = self.sets(&["there"], &self.there)?;
        there.from_then_on(&mut schedule, Event::at(self.since, beginning));
        let mut last = self.since;
        for (place, change) in self.events.iter().enumerate() {
            let place = place.to_string();
            let (from, by) = change.window(&place)?;
            if from < last {
                return nonsense(
                    &["events", &place],
                    format!("it comes at {from}, and what stands before it at {last}"),
                );
            }
            last = from;
            let sets = self.sets(&["events", &place, "then"], &change.then)?;
            if change.then.is_empty() {
                return nonsense(&["events", &place, "then"], "nothing changes");
            }
            let cause = cause(&mut schedule, &["events", &place], &change.cause)?;
            sets.from_then_on(&mut schedule, Event { from, by, cause });
        }
        for (place, gap) in self.silences.iter().enumerate() {
            let place = place.to_string();
            if gap.until.is_some_and(|until| until <= gap.from) {
                return nonsense(&["silences", &place, "until"], "it ends before it begins");
            }
            let cause = cause(&mut schedule, &["silences", &place], &gap.cause)?;
            schedule.silences.push(Silence {
                from: gap.from,
                until: gap.until,
                of: match gap.of {
                    None => Silenced::All,
                    Some(Unsigned::Dnskey) => Silenced::Dnskey,
                    Some(Unsigned::Zone) => Silenced::Zone,
                },
                cause,
            });
        }
        Ok(schedule)
    }

    fn check_labels(&self) -> Sense<()> {
        for (place, key) in self.keys.iter().enumerate() {
            let path = place.to_string();
            if !is_words(&key.label) {
                return nonsense(&["keys", &path, "label"], "a label is some words on one line");
            }
            if self.keys.iter().take(place).any(|other| other.label == key.label) {
                let reason = format!("'{}' is there twice", key.label);
                return nonsense(&["keys", &path, "label"], reason);
            }
        }
        Ok(())
    }

    fn sets(&self, path: &[&str], told: &RrsetKeys) -> Sense<Sets> {
        let set = |field: &str, labels: &Option<Vec<String>>| {
            let Some(labels) = labels else { return Ok(None) };
            let mut set = BTreeSet::new();
            for (place, label) in labels.iter().enumerate() {
                let place = place.to_string();
                let path = [path, &[field, &place]].concat();
                let Some(key) = self.keys.iter().position(|key| key.label == *label) else {
                    return nonsense(&path, format!("no key here is called '{label}'"));
                };
                if !set.insert(KeyIndex(key)) {
                    return nonsense(&path, format!("'{label}' is there twice"));
                }
            }
            Ok(Some(set))
        };
        Ok(Sets {
            ds: set("ds", &told.ds)?,
            dnskey: set("dnskey", &told.dnskey)?,
            dnskey_rrsig: set("dnskey-signed-by", &told.dnskey_signed_by)?,
            zone_rrsig: set("zone-signed-by", &told.zone_signed_by)?,
            revoked: set("revoked", &told.revoked)?,
        })
    }
}

/// `events[2].then.dnskey[0]`, as the parser has it.
fn dotted(path: &[String]) -> String {
    let mut text = String::new();
    for part in path {
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            text += &format!("[{part}]");
        } else {
            let dot = if text.is_empty() { "" } else { "." };
            text += &format!("{dot}{part}");
        }
    }
    text
}

/// Steps of the same words are one step.
fn cause(schedule: &mut Schedule, path: &[&str], words: &str) -> Sense<CauseIndex> {
    if !is_words(words) {
        return nonsense(&[path, &["cause"]].concat(), "a cause is some words on one line");
    }
    let known = schedule.causes.iter().position(|cause| cause == words);
    Ok(known.map_or_else(|| schedule.cause(words), CauseIndex))
}

fn is_words(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains(char::is_control)
}

impl RrsetKeys {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Change {
    fn window(&self, place: &str) -> Sense<(Time, Time)> {
        match (self.at, self.from, self.by) {
            (Some(at), None, None) => Ok((at, at)),
            (None, Some(from), Some(by)) if from <= by => Ok((from, by)),
            (None, Some(_), Some(_)) => nonsense(&["events", place, "by"], "it is before 'from'"),
            (_, _, _) => nonsense(&["events", place], "it has 'at', or 'from' and 'by'"),
        }
    }
}

impl Ttl {
    fn list(&self, field: &str, since: Time) -> Sense<Vec<(Time, Span)>> {
        match self {
            Self::Always(ttl) => Ok(vec![(since, *ttl)]),
            Self::Changing(list) if list.is_empty() => {
                nonsense(&["ttls", field], "a list of TTLs has one at least")
            }
            Self::Changing(list) if !list.is_sorted_by(|one, other| one.from < other.from) => {
                nonsense(&["ttls", field], "a list of TTLs is in the order of 'from'")
            }
            Self::Changing(list) => Ok(list.iter().map(|one| (one.from, one.ttl)).collect()),
        }
    }
}
