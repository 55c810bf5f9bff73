//! How far the caches know what is in a lane, and when.

use key_metadata::Time;

use crate::rrsets::{Rrset, Version, Versions};
use crate::schedule::{KeyIndex, KeyLanes, Lane, Presence, Schedule};

/// A lane of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LaneKind {
    /// Its DNSKEY.
    Dnskey,
    /// Its DS.
    Ds,
    /// Its signatures over the DNSKEY RRset.
    DnskeyRrsig,
    /// Its signatures over all other RRsets of the zone.
    ZoneRrsig,
}

/// How far the caches know something: the states of BIND's `dnssec-policy`, and what is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shade {
    /// It comes or goes in here; nobody knows when.
    Uncertain,
    /// Withdrawn; a cache may still hold it.
    Unretentive,
    /// Published; a cache may still hold an answer without it.
    Rumoured,
    /// Published; whoever asks gets it, and no cache holds an answer without it.
    Omnipresent,
}

/// A part of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// From when.
    pub from: Time,
    /// Until when; for ever, as far as is known, where there is nothing.
    pub until: Option<Time>,
    /// How it is drawn.
    pub shade: Shade,
}

impl LaneKind {
    /// All of them, in the order in which they are drawn.
    pub const ALL: [Self; 4] = [Self::Dnskey, Self::Ds, Self::DnskeyRrsig, Self::ZoneRrsig];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dnskey => "DNSKEY",
            Self::Ds => "DS",
            Self::DnskeyRrsig => "RRSIG(DNSKEY)",
            Self::ZoneRrsig => "RRSIG(zone)",
        }
    }

    /// That lane of a key.
    pub const fn of(self, key: &KeyLanes) -> &Lane {
        match self {
            Self::Dnskey => &key.dnskey,
            Self::Ds => &key.ds,
            Self::DnskeyRrsig => &key.dnskey_rrsig,
            Self::ZoneRrsig => &key.zone_rrsig,
        }
    }

    const fn rrset(self) -> Rrset {
        match self {
            Self::Dnskey | Self::DnskeyRrsig => Rrset::Dnskey,
            Self::Ds => Rrset::Ds,
            Self::ZoneRrsig => Rrset::Zone,
        }
    }

    /// Whether a version has that key in this lane.
    fn is_in(self, version: &Version, key: KeyIndex) -> bool {
        match self {
            Self::Dnskey | Self::Ds => version.keys.contains(&key),
            Self::DnskeyRrsig | Self::ZoneRrsig => version.signers.contains(&key),
        }
    }
}

impl Shade {
    /// All of them, first those of a thing's life in their order.
    pub const ALL: [Self; 4] = [
        Self::Rumoured,
        Self::Omnipresent,
        Self::Unretentive,
        Self::Uncertain,
    ];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uncertain => "uncertain",
            Self::Unretentive => "unretentive",
            Self::Rumoured => "rumoured",
            Self::Omnipresent => "omnipresent",
        }
    }

    /// What it means.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Uncertain => "comes or goes in here, the time is not known",
            Self::Unretentive => "withdrawn, caches may still hold it",
            Self::Rumoured => "published, caches may not have it yet",
            Self::Omnipresent => "published, and known to every cache",
        }
    }
}

/// The stretches of a lane, in the order of time. Without `versions` it is not told what caches hold: what is published is omnipresent, and
/// gone at once.
pub fn stretches(
    schedule: &Schedule,
    versions: Option<&Versions>,
    key: KeyIndex,
    kind: LaneKind,
) -> Vec<Stretch> {
    let Some(lanes) = schedule.keys.get(key.0) else {
        return Vec::new();
    };
    let versions = versions.map_or(&[][..], |versions| match kind.rrset() {
        Rrset::Ds => &versions.ds,
        Rrset::Dnskey => &versions.dnskey,
        Rrset::Zone => &versions.zone,
    });
    let mut stretches = Vec::new();
    for presence in &kind.of(lanes).0 {
        let caches = Caches::of(versions, presence, |version| kind.is_in(version, key));
        draw(presence, caches, &mut stretches);
    }
    stretches
}

/// Until when caches hold what is not so any more.
struct Caches {
    /// Answers without it, after it came.
    lack: Option<Time>,
    /// It itself, after it went.
    hold: Option<Time>,
}

impl Caches {
    fn of(versions: &[Version], presence: &Presence, has: impl Fn(&Version) -> bool) -> Self {
        let came = presence.begins.by.max(presence.begins.from);
        let ended = |version: &&Version, by: Time| version.until.is_some_and(|until| until <= by);
        let before = versions
            .iter()
            .filter(|version| !has(version) && ended(version, came));
        let during = presence.ends.map(|ends| {
            let gone = ends.by.max(ends.from);
            let mine = versions
                .iter()
                .filter(|version| has(version) && ended(version, gone));
            mine.filter_map(|version| version.held_until).max()
        });
        Self {
            lack: before.filter_map(|version| version.held_until).max(),
            hold: during.flatten(),
        }
    }
}

fn draw(presence: &Presence, caches: Caches, stretches: &mut Vec<Stretch>) {
    let mut add = |from: Time, until: Option<Time>, shade: Shade| {
        if until.is_none_or(|until| from < until) {
            stretches.push(Stretch { from, until, shade });
        }
    };
    let (first, came) = (presence.begins.from, presence.begins.by.max(presence.begins.from));
    let ends = presence.ends.map(|ends| (ends.from, ends.by.max(ends.from)));
    match ends {
        // It may be gone before it is sure to have come.
        Some((leaves, gone)) if leaves < came => add(first, Some(gone.max(came)), Shade::Uncertain),
        Some((leaves, gone)) => {
            let known = caches.lack.map_or(came, |lack| lack.clamp(came, leaves));
            add(first, Some(came), Shade::Uncertain);
            add(came, Some(known), Shade::Rumoured);
            add(known, Some(leaves), Shade::Omnipresent);
            add(leaves, Some(gone), Shade::Uncertain);
        }
        None => {
            let known = caches.lack.map_or(came, |lack| lack.max(came));
            add(first, Some(came), Shade::Uncertain);
            add(came, Some(known), Shade::Rumoured);
            add(known, None, Shade::Omnipresent);
        }
    }
    if let (Some((_, gone)), Some(hold)) = (ends, caches.hold) {
        add(gone.max(came), Some(hold), Shade::Unretentive);
    }
}
