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
    /// In use before its DNSKEY is in the zone: a ZSK or CSK signs the zone (RFC 6781 4.1.4), the DS of a KSK is at the parent (RFC 7583
    /// 3.3.2).
    PreActive,
    /// In the zone, but not yet in every cache. It signs the zone if it was pre-active, or its signatures came with it.
    Published,
    /// Known to every validator that holds the zone's keys.
    Ready,
    /// Signing.
    Active,
    /// Signing on, while its DS is to leave the parent: in an algorithm rollover, and in a zone that becomes insecure.
    RetireActive,
    /// Not signing any more, but its signatures are in caches.
    Retired,
    /// In use after its DNSKEY left the zone: a ZSK or CSK signs the zone on (RFC 6781 4.1.4), the DS of a KSK stays at the parent (RFC 7583
    /// 3.3.2).
    PostActive,
    /// Its signatures have left every cache.
    Dead,
    /// Out of the zone.
    Removed,
    /// Published with the REVOKE bit (RFC 5011).
    Revoked,
    /// Out of the zone, and its private part destroyed in its token.
    Destroyed,
}

/// The times of RFC 7583 section 3.2.1: Tgen, Tpub, Trdy, Tact, Tsbm, Tret, Tdea, Trem, and Trev; what was seen of its DS; and when it was
/// destroyed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct KeyTimes {
    /// When it was made.
    pub generated: Time,
    /// When it came into use without its DNSKEY or, where its signatures came with that, with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_active: Option<Time>,
    /// When its DNSKEY was first in the zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Time>,
    /// When its DNSKEY, or for double-DS its DS, was in every cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Time>,
    /// When its DS was given to the parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted: Option<Time>,
    /// When its DS was seen at every server of the parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered: Option<Time>,
    /// When it began to sign; for a KSK, when its DS was at the parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<Time>,
    /// When its DS was no longer wanted at the parent, while it signed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retire_active: Option<Time>,
    /// When the zone was to have no DS any more, and this key no successor (RFC 8078 section 4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insecure: Option<Time>,
    /// When its successor took over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<Time>,
    /// When its DS was seen gone from every server of the parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deregistered: Option<Time>,
    /// When its DNSKEY left the zone, and its signatures or its DS did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_active: Option<Time>,
    /// When nothing that it signed, and no DS of it, was in a cache any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead: Option<Time>,
    /// When its DNSKEY left the zone, or what was left of it after that.
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
            pre_active: None,
            published: None,
            ready: None,
            submitted: None,
            registered: None,
            active: None,
            retire_active: None,
            insecure: None,
            retired: None,
            deregistered: None,
            post_active: None,
            dead: None,
            removed: None,
            revoked: None,
            destroyed: None,
        }
    }

    /// Since when it signs the zone, of a key that does: before it is active, where it was pre-active.
    pub const fn signing(&self) -> Option<Time> {
        match self.pre_active {
            Some(since) => Some(since),
            None => self.active,
        }
    }

    /// When the key entered `state`.
    pub const fn of(&self, state: KeyState) -> Option<Time> {
        match state {
            KeyState::Generated => Some(self.generated),
            KeyState::PreActive => self.pre_active,
            KeyState::Published => self.published,
            KeyState::Ready => self.ready,
            KeyState::Active => self.active,
            KeyState::RetireActive => self.retire_active,
            KeyState::Retired => self.retired,
            KeyState::PostActive => self.post_active,
            KeyState::Dead => self.dead,
            KeyState::Removed => self.removed,
            KeyState::Revoked => self.revoked,
            KeyState::Destroyed => self.destroyed,
        }
    }
}

impl KeyTimes {
    /// Enters when the key came to `state`.
    pub const fn set(&mut self, state: KeyState, at: Time) {
        let place = match state {
            KeyState::Generated => {
                self.generated = at;
                return;
            }
            KeyState::PreActive => &mut self.pre_active,
            KeyState::Published => &mut self.published,
            KeyState::Ready => &mut self.ready,
            KeyState::Active => &mut self.active,
            KeyState::RetireActive => &mut self.retire_active,
            KeyState::Retired => &mut self.retired,
            KeyState::PostActive => &mut self.post_active,
            KeyState::Dead => &mut self.dead,
            KeyState::Removed => &mut self.removed,
            KeyState::Revoked => &mut self.revoked,
            KeyState::Destroyed => &mut self.destroyed,
        };
        *place = Some(at);
    }
}

impl KeyState {
    /// Every state.
    pub const ALL: [Self; 12] = [
        Self::Generated,
        Self::PreActive,
        Self::Published,
        Self::Ready,
        Self::Active,
        Self::RetireActive,
        Self::Retired,
        Self::PostActive,
        Self::Dead,
        Self::Removed,
        Self::Revoked,
        Self::Destroyed,
    ];

    /// Whether a key in this state is in the zone's DNSKEY RRset.
    pub const fn in_zone(self) -> bool {
        match self {
            Self::Published
            | Self::Ready
            | Self::Active
            | Self::RetireActive
            | Self::Retired
            | Self::Dead
            | Self::Revoked => true,
            Self::Generated | Self::PreActive | Self::PostActive | Self::Removed | Self::Destroyed => false,
        }
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Generated => "generated",
            Self::PreActive => "pre-active",
            Self::Published => "published",
            Self::Ready => "ready",
            Self::Active => "active",
            Self::RetireActive => "retire-active",
            Self::Retired => "retired",
            Self::PostActive => "post-active",
            Self::Dead => "dead",
            Self::Removed => "removed",
            Self::Revoked => "revoked",
            Self::Destroyed => "destroyed",
        })
    }
}
