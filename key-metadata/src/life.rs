//! Where a key is in its life, and when it got there (RFC 7583).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Time;

/// The states of a key (RFC 7583 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// Made, and nowhere published.
    Generated,
    /// In the zone, but not yet in every cache.
    Published,
    /// Known to every validator that holds the zone's keys.
    Ready,
    /// Signing.
    Active,
    /// Not signing any more, but its signatures are in caches.
    Retired,
    /// Its signatures have left every cache.
    Dead,
    /// Out of the zone.
    Removed,
    /// Published with the REVOKE bit (RFC 5011).
    Revoked,
    /// Out of the zone, and its private part destroyed in its token.
    Destroyed,
}

/// The times of RFC 7583 section 3.2.1: Tgen, Tpub, Trdy, Tact, Tsbm, Tret, Tdea, Trem, and Trev; and when it was destroyed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct KeyTimes {
    /// When it was made.
    pub generated: Time,
    /// When its DNSKEY was first in the zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Time>,
    /// When its DNSKEY, or for double-DS its DS, was in every cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Time>,
    /// When its DS was given to the parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted: Option<Time>,
    /// When it began to sign; for a KSK, when its DS was at the parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<Time>,
    /// When its successor took over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<Time>,
    /// When nothing that it signed, and no DS of it, was in a cache any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead: Option<Time>,
    /// When its DNSKEY left the zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Time>,
    /// When it was published with the REVOKE bit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Time>,
    /// When its private part was destroyed in its token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destroyed: Option<Time>,
}

impl KeyTimes {
    /// The times of a key that was just made.
    pub const fn generated(at: Time) -> Self {
        Self {
            generated: at,
            published: None,
            ready: None,
            submitted: None,
            active: None,
            retired: None,
            dead: None,
            removed: None,
            revoked: None,
            destroyed: None,
        }
    }

    /// When the key entered `state`.
    pub const fn of(&self, state: KeyState) -> Option<Time> {
        match state {
            KeyState::Generated => Some(self.generated),
            KeyState::Published => self.published,
            KeyState::Ready => self.ready,
            KeyState::Active => self.active,
            KeyState::Retired => self.retired,
            KeyState::Dead => self.dead,
            KeyState::Removed => self.removed,
            KeyState::Revoked => self.revoked,
            KeyState::Destroyed => self.destroyed,
        }
    }
}

impl KeyState {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Generated,
        Self::Published,
        Self::Ready,
        Self::Active,
        Self::Retired,
        Self::Dead,
        Self::Removed,
        Self::Revoked,
        Self::Destroyed,
    ];

    /// Whether a key in this state is in the zone's DNSKEY RRset.
    pub const fn in_zone(self) -> bool {
        match self {
            Self::Published | Self::Ready | Self::Active | Self::Retired | Self::Dead | Self::Revoked => true,
            Self::Generated | Self::Removed | Self::Destroyed => false,
        }
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Generated => "generated",
            Self::Published => "published",
            Self::Ready => "ready",
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Dead => "dead",
            Self::Removed => "removed",
            Self::Revoked => "revoked",
            Self::Destroyed => "destroyed",
        })
    }
}
