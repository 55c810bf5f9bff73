//! What is published of every key of a zone, and when: what a plan, a history or the timings of another signer come to.
//!
//! The keys' lanes are the ones of a rollover chart: DNSKEY, DS, RRSIG of the DNSKEY RRset, RRSIG of the zone. What validators can hold of it at
//! any time follows by [`crate::rrsets`]; whether that is safe, by [`mod@crate::prove`].

use std::fmt;

use key_metadata::{KeyAlgorithm, Role, Span, Time, ZoneName};
use serde::{Deserialize, Serialize};

/// A zone's keys and what is published of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Schedule {
    /// The zone.
    pub zone: ZoneName,
    /// When it begins: what was published then was in every cache, as far as this schedule knows.
    pub since: Time,
    /// The keys, in the order of their lanes on a chart.
    pub keys: Vec<KeyLanes>,
    /// What makes the changes: the steps of a plan, the entries of a history. An [`Event`] names one by its place.
    pub causes: Vec<String>,
    /// How long answers are kept.
    pub caching: Caching,
    /// Until the servers have what the first one has.
    pub propagation: Propagation,
    /// How the RRSIGs are renewed.
    pub signatures: Signatures,
    /// When nothing is signed: an outage of the signer, or its end.
    pub silences: Vec<Silence>,
}

/// The place of a key in a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeyIndex(pub usize);

/// The place of a cause in a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CauseIndex(pub usize);

/// The number of a DNSSEC algorithm, known to us or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AlgorithmNumber(pub u8);

/// A key and what is published of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeyLanes {
    /// What people call it, such as `KSK 2371`, or `ZSK new 3` before it is made.
    pub label: String,
    /// What it is for.
    pub role: Role,
    /// Its algorithm.
    pub algorithm: AlgorithmNumber,
    /// When its DNSKEY is in the zone.
    pub dnskey: Lane,
    /// When its DS is at the parent.
    pub ds: Lane,
    /// When it signs the DNSKEY RRset.
    pub dnskey_rrsig: Lane,
    /// When it signs all other RRsets of the zone.
    pub zone_rrsig: Lane,
    /// From when its DNSKEY has the REVOKE bit (RFC 5011).
    pub revoked: Option<Event>,
}

/// When something is published: spans that do not overlap, in the order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lane(pub Vec<Presence>);

/// From when until when something is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Presence {
    /// When it comes.
    pub begins: Event,
    /// When it goes; never, as far as is known, where there is nothing.
    pub ends: Option<Event>,
}

/// A change of what is published, as far as its time is known. Changes of one RRset with the same cause are one change of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Event {
    /// Before this the first server does not have it.
    pub from: Time,
    /// From this on the first server has it for sure; not before `from`.
    pub by: Time,
    /// What makes it.
    pub cause: CauseIndex,
}

/// How long answers are kept. Each is a list: the TTL that counts from a time on, the first from ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Caching {
    /// TTLkey, of the DNSKEY RRset.
    pub dnskey: Vec<(Time, Span)>,
    /// TTLds, of the DS RRset, or of the parent's denial where there is none.
    pub ds: Vec<(Time, Span)>,
    /// TTLsig, the largest in the zone, that of negative answers included.
    pub zone: Vec<(Time, Span)>,
}

/// Until every server has what the first one has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Propagation {
    /// Dprp, of the zone.
    pub zone: Span,
    /// DprpP, of its parent.
    pub parent: Span,
}

/// How the RRSIGs are renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Signatures {
    /// What an RRSIG of the zone that the first server gives has left at least, as long as the signer runs.
    pub zone: Span,
    /// The same of the RRSIGs of the DNSKEY RRset.
    pub dnskey: Span,
}

/// A time without a signer. What was signed before is served on, and expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Silence {
    /// From when.
    pub from: Time,
    /// Until when everything is signed again; never, where there is nothing.
    pub until: Option<Time>,
    /// What is not signed.
    pub of: Silenced,
    /// What makes it.
    pub cause: CauseIndex,
}

/// What is not signed in a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Silenced {
    /// Everything: the signer is down.
    All,
    /// The DNSKEY RRset: the KSK is lost.
    Dnskey,
    /// All else: the ZSK is lost.
    Zone,
}

impl Event {
    /// A change whose time is known to the second.
    pub const fn at(time: Time, cause: CauseIndex) -> Self {
        Self {
            from: time,
            by: time,
            cause,
        }
    }
}

impl Lane {
    /// Something that comes. What was there before must have ended.
    pub fn begin(&mut self, event: Event) {
        self.0.push(Presence {
            begins: event,
            ends: None,
        });
    }

    /// What is there goes; nothing, where nothing is.
    pub fn end(&mut self, event: Event) {
        if let Some(last @ Presence { ends: None, .. }) = self.0.last_mut() {
            last.ends = Some(event);
        }
    }

    /// Whether something is there that does not end.
    pub fn is_open(&self) -> bool {
        self.0.last().is_some_and(|last| last.ends.is_none())
    }
}

impl KeyLanes {
    /// A key of which nothing is published yet.
    pub fn new(label: impl Into<String>, role: Role, algorithm: AlgorithmNumber) -> Self {
        Self {
            label: label.into(),
            role,
            algorithm,
            dnskey: Lane::default(),
            ds: Lane::default(),
            dnskey_rrsig: Lane::default(),
            zone_rrsig: Lane::default(),
            revoked: None,
        }
    }

    /// Every change of it, in no order.
    pub fn events(&self) -> impl Iterator<Item = Event> + '_ {
        [&self.dnskey, &self.ds, &self.dnskey_rrsig, &self.zone_rrsig]
            .into_iter()
            .flat_map(|lane| lane.0.iter())
            .flat_map(|presence| [Some(presence.begins), presence.ends])
            .chain([self.revoked])
            .flatten()
    }
}

impl Schedule {
    /// From when until when nothing of that is signed. Silences that overlap or follow each other at once are one: nobody signs between them.
    pub fn unsigned(&self, of: Silenced) -> Vec<(Time, Option<Time>)> {
        let silences = self.silences.iter();
        let silences = silences.filter(|silence| silence.of == Silenced::All || silence.of == of);
        let mut silences: Vec<_> = silences.map(|silence| (silence.from, silence.until)).collect();
        silences.sort();
        let mut merged: Vec<(Time, Option<Time>)> = Vec::new();
        for (from, until) in silences {
            match merged.last_mut() {
                Some((_, last)) if last.is_none_or(|last| from <= last) => {
                    *last = last.zip(until).map(|(last, until)| last.max(until));
                }
                Some(_) | None => merged.push((from, until)),
            }
        }
        merged
    }

    /// Names a cause.
    pub fn cause(&mut self, what: impl Into<String>) -> CauseIndex {
        self.causes.push(what.into());
        CauseIndex(self.causes.len() - 1)
    }

    /// Adds a key.
    pub fn add(&mut self, key: KeyLanes) -> KeyIndex {
        self.keys.push(key);
        KeyIndex(self.keys.len() - 1)
    }

    /// What a cause is called.
    pub fn cause_name(&self, cause: CauseIndex) -> &str {
        self.causes.get(cause.0).map_or("", String::as_str)
    }

    /// What a key is called.
    pub fn key_label(&self, key: KeyIndex) -> &str {
        self.keys.get(key.0).map_or("", |key| &key.label)
    }

    /// The same schedule with all changes of one cause that much earlier.
    pub fn earlier(&self, cause: CauseIndex, span: Span) -> Self {
        let mut moved = self.clone();
        moved.each_event(|event| {
            if event.cause == cause {
                event.from = event.from.before(span);
                event.by = event.by.before(span);
            }
        });
        moved
    }

    /// The same schedule with no change of one cause before that time.
    pub fn not_before(&self, cause: CauseIndex, time: Time) -> Self {
        let mut moved = self.clone();
        moved.each_event(|event| {
            if event.cause == cause {
                event.from = event.from.max(time);
                event.by = event.by.max(time);
            }
        });
        moved
    }

    /// Changes every event, in no order.
    pub fn each_event(&mut self, mut change: impl FnMut(&mut Event)) {
        for key in &mut self.keys {
            for lane in [
                &mut key.dnskey,
                &mut key.ds,
                &mut key.dnskey_rrsig,
                &mut key.zone_rrsig,
            ] {
                for presence in &mut lane.0 {
                    change(&mut presence.begins);
                    if let Some(ends) = &mut presence.ends {
                        change(ends);
                    }
                }
            }
            if let Some(revoked) = &mut key.revoked {
                change(revoked);
            }
        }
    }
}

impl fmt::Display for AlgorithmNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.to_string().parse::<KeyAlgorithm>() {
            Ok(known) => known.fmt(f),
            Err(_) => write!(f, "algorithm {}", self.0),
        }
    }
}
