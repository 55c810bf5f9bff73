//! How a key is replaced by its successor.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::role::Role;

/// A method of rolling a key over (RFC 7583 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RolloverMethod {
    /// A ZSK's or CSK's DNSKEY is published before the key signs (RFC 7583 3.2.1).
    PrePublication,
    /// Old and new ZSK sign the whole zone (RFC 7583 3.2.2).
    DoubleSignature,
    /// The new KSK signs the DNSKEY RRset beside the old one, then the DS is swapped (RFC 7583 3.3.1).
    DoubleKsk,
    /// The DS of the new KSK stands beside the old one's, then the KSK is swapped (RFC 7583 3.3.2).
    DoubleDs,
    /// DNSKEY and DS of the new KSK come together, and those of the old one go together (RFC 7583 3.3.3).
    DoubleRrset,
}

impl RolloverMethod {
    /// The methods by which a key of that role can be rolled, the usual one first.
    pub const fn of(role: Role) -> &'static [Self] {
        match role {
            Role::Ksk => &[Self::DoubleKsk, Self::DoubleDs, Self::DoubleRrset],
            Role::Zsk => &[Self::PrePublication, Self::DoubleSignature],
            Role::Csk => &[Self::PrePublication],
        }
    }

    /// The usual method for a key of that role.
    pub const fn usual(role: Role) -> Self {
        match role {
            Role::Ksk => Self::DoubleKsk,
            Role::Zsk | Role::Csk => Self::PrePublication,
        }
    }
}

impl fmt::Display for RolloverMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PrePublication => "pre-publication",
            Self::DoubleSignature => "double-signature",
            Self::DoubleKsk => "double-ksk",
            Self::DoubleDs => "double-ds",
            Self::DoubleRrset => "double-rrset",
        })
    }
}
