//! What a key is for.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The role of a key in its zone (RFC 9499 section 10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Role {
    /// Key signing key: signs the DNSKEY RRset, and the DS at the parent names it.
    #[serde(rename = "KSK")]
    Ksk,
    /// Zone signing key: signs every other RRset.
    #[serde(rename = "ZSK")]
    Zsk,
    /// Combined signing key: both.
    #[serde(rename = "CSK")]
    Csk,
}

/// A text that names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no role; a key is a KSK, a ZSK or a CSK")]
pub struct RoleError(String);

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Ksk, Self::Zsk, Self::Csk];

    /// Its field in a policy, under `keys`.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Ksk => "ksk",
            Self::Zsk => "zsk",
            Self::Csk => "csk",
        }
    }

    /// The DNSKEY flags field (RFC 4034 2.1.1): 257 with the SEP bit, else 256.
    pub const fn flags(self) -> u16 {
        match self {
            Self::Ksk | Self::Csk => 257,
            Self::Zsk => 256,
        }
    }

    /// Whether such a key signs the DNSKEY, CDS and CDNSKEY RRsets.
    pub const fn signs_dnskey(self) -> bool {
        match self {
            Self::Ksk | Self::Csk => true,
            Self::Zsk => false,
        }
    }

    /// Whether such a key signs the RRsets of the zone other than those of [`Self::signs_dnskey`].
    pub const fn signs_zone(self) -> bool {
        match self {
            Self::Zsk | Self::Csk => true,
            Self::Ksk => false,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ksk => "KSK",
            Self::Zsk => "ZSK",
            Self::Csk => "CSK",
        })
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        Self::ALL
            .into_iter()
            .find(|role| role.to_string().eq_ignore_ascii_case(text))
            .ok_or_else(|| RoleError(text.to_owned()))
    }
}
