//! A key of a plan, one of the zone's or one that is to be made, and what is published of it.

use key_metadata::timing::Figures;
use key_metadata::{KeyId, KeySpec, Role, Time};

use serde::Serialize;

use crate::schedule::{AlgorithmNumber, CauseIndex, Event, KeyLanes, Lane, Presence};

/// What happens to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The pair is made.
    Generated,
    /// It signs the zone, and its DNSKEY is not published (RFC 6781 4.1.4).
    PreActive,
    /// Its DNSKEY comes.
    Published,
    /// Its DS is given to the parent.
    Submitted,
    /// Its DS is seen at every server of the parent.
    Registered,
    /// It takes over: it signs the zone, or the chain of trust goes through it.
    Active,
    /// Its successor took over.
    Retired,
    /// The parent is told to take its DS out.
    DsWithdrawn,
    /// Its DS is seen at no server of the parent.
    DsGone,
    /// Its DNSKEY goes, and its RRSIGs stay (RFC 6781 4.1.4).
    PostActive,
    /// It is published with the REVOKE bit.
    Revoked,
    /// Its DNSKEY goes, with its RRSIGs.
    Removed,
    /// Its private part is destroyed.
    Destroyed,
}

/// When something happened or is to happen, and what makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When the first command of its step was given, or is planned to be.
    pub from: Time,
    /// When the last one was: waits count from it.
    pub at: Time,
    /// When its effect was complete, where that is known better than by the figures.
    pub by: Option<Time>,
    /// What makes it.
    pub cause: CauseIndex,
}

/// A key of a plan.
#[derive(Clone, Debug)]
pub struct PlannedKey {
    /// What people call it.
    pub label: String,
    /// What it is for.
    pub role: Role,
    /// Its algorithm.
    pub algorithm: AlgorithmNumber,
    /// What it is to be made as, where it is not there yet and the policy says something else.
    pub spec: Option<KeySpec>,
    /// Its record's id, where it is there.
    pub id: Option<KeyId>,
    /// Its key tag, where it is there.
    pub tag: Option<u16>,
    stamps: [Option<Stamp>; STAGES],
}

const STAGES: usize = 13;

impl Stage {
    /// Each of them.
    pub const ALL: [Self; STAGES] = [
        Self::Generated,
        Self::PreActive,
        Self::Published,
        Self::Submitted,
        Self::Registered,
        Self::Active,
        Self::Retired,
        Self::DsWithdrawn,
        Self::DsGone,
        Self::PostActive,
        Self::Revoked,
        Self::Removed,
        Self::Destroyed,
    ];

    const fn place(self) -> usize {
        match self {
            Self::Generated => 0,
            Self::PreActive => 1,
            Self::Published => 2,
            Self::Submitted => 3,
            Self::Registered => 4,
            Self::Active => 5,
            Self::Retired => 6,
            Self::DsWithdrawn => 7,
            Self::DsGone => 8,
            Self::PostActive => 9,
            Self::Revoked => 10,
            Self::Removed => 11,
            Self::Destroyed => 12,
        }
    }

    /// Whether it is there when the zone is signed with it; otherwise it is the parent's affair, or nobody's.
    pub const fn is_of_zone(self) -> bool {
        match self {
            Self::PreActive
            | Self::Published
            | Self::Active
            | Self::Retired
            | Self::PostActive
            | Self::Revoked
            | Self::Removed => true,
            Self::Generated
            | Self::Submitted
            | Self::Registered
            | Self::DsWithdrawn
            | Self::DsGone
            | Self::Destroyed => false,
        }
    }

    /// Whether it is a change of the DNSKEY RRset.
    pub const fn is_of_dnskey(self) -> bool {
        match self {
            Self::Published | Self::PostActive | Self::Revoked | Self::Removed => true,
            Self::PreActive
            | Self::Active
            | Self::Retired
            | Self::Generated
            | Self::Submitted
            | Self::Registered
            | Self::DsWithdrawn
            | Self::DsGone
            | Self::Destroyed => false,
        }
    }

    /// When the zone is signed with a change of that time, if nothing is signed for longer than `Dsgn` allows; nothing, where it is.
    pub fn signed_late(self, at: Time, figures: &Figures, outages: &[(Time, Time)]) -> Option<Time> {
        let regular = at.after(figures.dsgn.span);
        let mut outages: Vec<_> = outages.iter().filter(|_| self.is_of_zone()).collect();
        outages.sort();
        let signed =
            outages
                .into_iter()
                .fold(regular, |by, (from, until)| match *from <= by && at <= *until {
                    true => by.max(*until),
                    false => by,
                });
        (signed > regular).then_some(signed)
    }

    /// What happened then, as in "KSK 2371 was published".
    pub const fn happened(self) -> &'static str {
        match self {
            Self::Generated => "was made",
            Self::PreActive => "began to sign unpublished",
            Self::Published => "was published",
            Self::Submitted => "had its DS submitted",
            Self::Registered => "had its DS seen",
            Self::Active => "took over",
            Self::Retired => "retired",
            Self::DsWithdrawn => "had its DS asked out",
            Self::DsGone => "had its DS seen gone",
            Self::PostActive => "had its DNSKEY withdrawn",
            Self::Revoked => "was revoked",
            Self::Removed => "was removed",
            Self::Destroyed => "was destroyed",
        }
    }

    /// The verb of `keyrite-keyctl` that does it; none, where it is not done but seen, or by the parent.
    pub const fn verb(self) -> Option<&'static str> {
        match self {
            Self::Generated => Some("generate"),
            Self::PreActive => Some("pre-activate"),
            Self::Published => Some("publish"),
            Self::Submitted => Some("submit"),
            Self::Active => Some("activate"),
            Self::Retired => Some("retire"),
            Self::PostActive => Some("withdraw"),
            Self::Revoked => Some("revoke"),
            Self::Removed => Some("remove"),
            Self::Destroyed => Some("destroy"),
            Self::Registered | Self::DsWithdrawn | Self::DsGone => None,
        }
    }
}

impl Stamp {
    /// When its effect in the zone was complete, or is to be.
    pub fn by(self, figures: &Figures) -> Time {
        self.by.map_or(self.at.after(figures.dsgn.span), |by| by)
    }

    /// The same where nothing could be signed from one time until the other.
    #[must_use]
    pub fn unsigned(self, figures: &Figures, (from, until): (Time, Time)) -> Self {
        let by = self.by(figures);
        match from <= by && self.at <= until && by < until {
            true => Self {
                by: Some(until),
                ..self
            },
            false => self,
        }
    }
}

impl PlannedKey {
    /// A key that nothing happened to.
    pub const fn new(label: String, role: Role, algorithm: AlgorithmNumber) -> Self {
        Self {
            label,
            role,
            algorithm,
            spec: None,
            id: None,
            tag: None,
            stamps: [None; STAGES],
        }
    }

    /// When that happened to it, or is planned to.
    pub const fn stamp(&self, stage: Stage) -> Option<Stamp> {
        self.stamps[stage.place()]
    }

    /// When that had happened to it, or is planned to have.
    pub fn at(&self, stage: Stage) -> Option<Time> {
        self.stamp(stage).map(|stamp| stamp.at)
    }

    /// Whether that happened, or is planned.
    pub const fn is(&self, stage: Stage) -> bool {
        self.stamp(stage).is_some()
    }

    /// Lets it happen.
    pub const fn set(&mut self, stage: Stage, stamp: Stamp) {
        self.stamps[stage.place()] = Some(stamp);
    }

    /// Whether it takes part in the zone, or in what the parent says of it.
    pub const fn is_in_use(&self) -> bool {
        let came = self.is(Stage::Published) || self.is(Stage::Submitted) || self.is(Stage::PreActive);
        came && !self.is(Stage::Removed) && !self.is(Stage::Destroyed)
    }

    /// What is published of it. What changes in the zone is there `Dsgn` later at the latest, and what the parent is told `Dreg` later.
    pub fn lanes(&self, figures: &Figures) -> KeyLanes {
        let mut lanes = KeyLanes::new(self.label.clone(), self.role, self.algorithm);
        let in_zone = |stage| {
            self.stamp(stage).map(|stamp: Stamp| Event {
                from: stamp.from,
                by: stamp.by(figures),
                cause: stamp.cause,
            })
        };
        let at_parent = |stage, seen| {
            self.stamp(stage).map(|stamp: Stamp| Event {
                from: stamp.from,
                by: self.seen(stamp, seen, figures),
                cause: stamp.cause,
            })
        };
        let lane = |begins: Option<Event>, ends: Option<Event>| {
            Lane(
                begins
                    .map(|begins| Presence { begins, ends })
                    .into_iter()
                    .collect(),
            )
        };
        let leaves = in_zone(Stage::PostActive).or(in_zone(Stage::Removed));
        lanes.dnskey = lane(in_zone(Stage::Published), leaves);
        if self.role.signs_dnskey() {
            lanes.dnskey_rrsig = lanes.dnskey.clone();
            let ends = at_parent(Stage::DsWithdrawn, Stage::DsGone);
            lanes.ds = lane(at_parent(Stage::Submitted, Stage::Registered), ends);
            lanes.revoked = in_zone(Stage::Revoked);
        }
        if self.role.signs_zone() {
            let begins = in_zone(Stage::PreActive).or(in_zone(Stage::Active));
            let ends = match self.is(Stage::PostActive) {
                true => in_zone(Stage::Removed),
                false => in_zone(Stage::Retired).or(in_zone(Stage::Removed)),
            };
            lanes.zone_rrsig = lane(begins, ends);
        }
        lanes
    }

    /// When a change at the parent was complete: when that was seen, and `Dreg` after it was asked for where it was not. An observation that is
    /// planned says nothing that the figures do not.
    fn seen(&self, asked: Stamp, seen: Stage, figures: &Figures) -> Time {
        let figure = asked.at.after(figures.dreg.span);
        match (asked.by, self.stamp(seen)) {
            (Some(by), _) => by,
            (None, Some(seen)) => seen.at.max(asked.at),
            (None, None) => figure,
        }
    }
}
