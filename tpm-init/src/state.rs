//! What a TPM was seen to be: the part of it that a plan rests on, and that a report keeps.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A TPM at one moment, without what changes by itself (counts of wrong tries, clocks).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TpmState {
    /// The manufacturer's id, such as `IFX`.
    pub manufacturer: String,
    /// The vendor's text.
    pub vendor: String,
    /// The firmware's version.
    pub firmware: String,
    /// The revision of the TPM 2.0 library specification, times 100.
    pub revision: u32,
    /// The owner hierarchy's auth value.
    pub owner_auth: AuthState,
    /// The endorsement hierarchy's.
    pub endorsement_auth: AuthState,
    /// The lockout hierarchy's.
    pub lockout_auth: AuthState,
    /// Whether the TPM is locked after too many wrong auth values.
    pub in_lockout: bool,
    /// Whether TPM2_Clear takes physical presence.
    pub clear_disabled: bool,
    /// The dictionary-attack protection.
    pub protection: Protection,
    /// What is at the storage root key's handle.
    pub storage_root_key: Place,
    /// What is at the attestation key's handle.
    pub attestation_key: Place,
    /// What is at the log's index.
    pub log_index: Place,
    /// What is at the log's counter.
    pub log_counter: Place,
    /// Every persistent object.
    pub persistent: Vec<Kept>,
    /// Every NV index.
    pub nv: Vec<Kept>,
}

/// Whether a hierarchy has an auth value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthState {
    /// It is empty: anybody commands the hierarchy.
    Empty,
    /// It has one.
    Set,
}

impl AuthState {
    /// By the bit of TPMA_PERMANENT.
    pub const fn of(set: &bool) -> Self {
        if *set { Self::Set } else { Self::Empty }
    }
}

impl fmt::Display for AuthState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty",
            Self::Set => "set",
        })
    }
}

/// The dictionary-attack protection; times in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Protection {
    /// The number of wrong auth values at which the TPM locks.
    pub tries: u32,
    /// The time after which one is forgiven.
    pub forgiven_after: u32,
    /// The time that a wrong lockout auth blocks its hierarchy.
    pub lockout_blocked_for: u32,
}

impl Protection {
    /// Keyrite's: 32 tries leave room for mistyped PINs and unclean stops; 2 h and 24 h make guessing hopeless. No standard gives figures.
    pub const OURS: Self = Self {
        tries: 32,
        forgiven_after: 7200,
        lockout_blocked_for: 86400,
    };
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            tries,
            forgiven_after,
            lockout_blocked_for,
        } = self;
        write!(
            f,
            "{tries} tries, one forgiven every {forgiven_after} s, a wrong lockout auth blocks for {lockout_blocked_for} s"
        )
    }
}

/// What is at a place that something of ours is to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Place {
    /// Nothing.
    Absent,
    /// What we put there.
    Ours {
        /// Its Name.
        name: String,
    },
    /// What looks like ours, which the owner auth would be needed to prove.
    Unproved {
        /// Its Name.
        name: String,
    },
    /// Something else.
    Foreign {
        /// Its Name.
        name: String,
    },
}

impl Place {
    /// The Name of what is there.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Absent => None,
            Self::Ours { name } | Self::Unproved { name } | Self::Foreign { name } => Some(name),
        }
    }
}

/// Something that a TPM keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Kept {
    /// Its handle or index, in hex.
    pub handle: String,
    /// Its Name.
    pub name: String,
    /// What it is: `a signing key`, `NV, 32 bytes, attributes 0x...`.
    pub what: String,
}
