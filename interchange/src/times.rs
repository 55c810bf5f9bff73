//! When what happened to a foreign key, or is to happen.

use std::collections::BTreeMap;
use std::collections::btree_map;

use chrono::{DateTime, NaiveDateTime};
use key_metadata::Time;

use crate::error::FieldError;
use crate::quote::Quote;

/// What can happen to a key. The words are RFC 7583's where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Event {
    /// The pair was made: Created and Generated of BIND, created of Knot, creation of dnst.
    Generated,
    /// It began to sign before its DNSKEY was there, in an algorithm rollover: pre-active of Knot.
    PreActive,
    /// Its DNSKEY came into the zone: Publish and Published of BIND, publish of Knot, published of dnst.
    Published,
    /// Its DNSKEY was on every server: visible of dnst. Caches can still lack it.
    Visible,
    /// Its CDS came into the zone: SyncPublish and PublishCDS of BIND.
    CdsPublished,
    /// Its DNSKEY was in every cache: ready of Knot.
    Ready,
    /// Its DS was seen at the parent: DSPublish of BIND, ds_visible of dnst.
    DsSeen,
    /// It began to sign: Activate and Active of BIND, active of Knot.
    Active,
    /// Its signatures were on every server: rrsig_visible of dnst.
    SignaturesVisible,
    /// It still signed, but another key was active too, and its DS was to go: retire-active of Knot.
    RetireActive,
    /// It stopped signing: Inactive and Retired of BIND, retire of Knot.
    Retired,
    /// Its DNSKEY was gone but it still signed, in an algorithm rollover: post-active of Knot.
    PostActive,
    /// Its CDS left the zone: SyncDelete and DeleteCDS of BIND.
    CdsRemoved,
    /// Its DS was gone from the parent: DSRemoved of BIND.
    DsGone,
    /// It was published with the REVOKE bit: Revoke and Revoked of BIND, revoke of Knot.
    Revoked,
    /// Its DNSKEY left the zone: Delete and Removed of BIND, remove of Knot, withdrawn of dnst.
    Removed,
}

impl Event {
    /// A word for it, as reports have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generated => "generated",
            Self::PreActive => "pre-active",
            Self::Published => "published",
            Self::Visible => "visible",
            Self::CdsPublished => "CDS published",
            Self::Ready => "ready",
            Self::DsSeen => "DS seen",
            Self::Active => "active",
            Self::SignaturesVisible => "signatures visible",
            Self::RetireActive => "retire-active",
            Self::Retired => "retired",
            Self::PostActive => "post-active",
            Self::CdsRemoved => "CDS removed",
            Self::DsGone => "DS gone",
            Self::Revoked => "revoked",
            Self::Removed => "removed",
        }
    }
}

/// The times of a foreign key, past and to come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times(BTreeMap<Event, Time>);

impl Times {
    /// When that happened, or is to happen.
    pub fn get(&self, event: Event) -> Option<Time> {
        self.0.get(&event).copied()
    }

    /// Sets a time and gives the one that it had.
    pub fn set(&mut self, event: Event, time: Time) -> Option<Time> {
        self.0.insert(event, time)
    }

    /// Forgets a time.
    pub fn unset(&mut self, event: Event) -> Option<Time> {
        self.0.remove(&event)
    }

    /// All that are set, in the order of a key's life.
    pub fn iter(&self) -> btree_map::Iter<'_, Event, Time> {
        self.0.iter()
    }
}

impl FromIterator<(Event, Time)> for Times {
    fn from_iter<I: IntoIterator<Item = (Event, Time)>>(times: I) -> Self {
        Self(times.into_iter().collect())
    }
}

/// The last second that fourteen digits can tell.
const LAST_SECOND: i64 = 253_402_300_799;

/// Seconds since 1970, up to the end of the year 9999.
pub(crate) fn from_epoch(seconds: i64) -> Option<Time> {
    if !(0..=LAST_SECOND).contains(&seconds) {
        return None;
    }
    DateTime::from_timestamp(seconds, 0).map(Time::from)
}

/// `YYYYMMDDHHMMSS`, as BIND has it.
pub(crate) fn from_digits(text: &str, quote: Quote) -> Result<Time, FieldError> {
    let time = NaiveDateTime::parse_from_str(text, "%Y%m%d%H%M%S").ok();
    let time = time.and_then(|time| from_epoch(time.and_utc().timestamp()));
    // Signs, blanks and leap seconds would be read, too, and come out otherwise.
    time.filter(|time| to_digits(*time) == text)
        .ok_or(FieldError::Time(quote, "YYYYMMDDHHMMSS"))
}

/// The same.
pub(crate) fn to_digits(time: Time) -> String {
    time.to_utc().format("%Y%m%d%H%M%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fourteen_digits_are_a_time() {
        let read = |text: &str| from_digits(text, Quote::of(text));
        assert_eq!(
            read("20261123183501").unwrap().to_string(),
            "2026-11-23T18:35:01Z"
        );
        assert_eq!(to_digits(read("99991231235959").unwrap()), "99991231235959");
        for bad in [
            "",
            "2026112318350",
            "20261323183501",
            "+2026112318350",
            "20261123183560",
            "19691231235959",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(from_epoch(-1).is_none() && from_epoch(i64::MAX).is_none());
    }
}
