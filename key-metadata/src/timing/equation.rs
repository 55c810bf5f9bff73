//! The equations by name.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An equation that says how long to wait, or how long something must last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Equation {
    /// A ZSK's publication interval.
    Z1,
    /// When a ZSK's successor is published at the latest, and when the ZSK retires.
    Z2,
    /// A ZSK's retire interval.
    Z3,
    /// The retire interval of a ZSK that is rolled by double signatures.
    Z4,
    /// A KSK's publication interval, and its activation.
    K1,
    /// When a KSK's successor is published at the latest.
    K2,
    /// A KSK's retire interval.
    K3,
    /// The publication interval of a DS that precedes its DNSKEY.
    D1,
    /// When such a DS is submitted at the latest.
    D2,
    /// The retire interval of a KSK whose successor's DS came first.
    D3,
    /// The publication interval of a KSK whose DNSKEY and DS come together.
    R1,
    /// A CSK's retire interval.
    C1,
    /// When a zone's first DS may be submitted.
    F1,
    /// An algorithm rollover's first wait: the new signatures are in every cache.
    A1,
    /// Its second: so are the new DNSKEYs.
    A2,
    /// Its third: the old DS is in none.
    A3,
    /// Its fourth: nor are the old DNSKEYs.
    A4,
    /// Its end: no server has the old signatures.
    A5,
    /// The add hold-down time of a trust anchor.
    T1,
    /// How often validators look for new trust anchors.
    T2,
    /// How long a new trust anchor's publisher waits.
    T3,
    /// How long a revoked trust anchor stays published.
    T4,
    /// How long a zone that becomes insecure stays signed.
    U1,
    /// How early signatures are renewed.
    S1,
    /// How far the signatures of a signed key response overlap.
    S2,
    /// How long a secondary server may serve a zone without its primary.
    S3,
    /// How long a key must live at least.
    X1,
}

impl Equation {
    /// The RFC and section that it is of.
    pub const fn source(self) -> &'static str {
        match self {
            Self::Z1 | Self::Z2 | Self::Z3 => "RFC 7583 3.2.1",
            Self::Z4 => "RFC 7583 3.2.2",
            Self::K1 | Self::K2 | Self::K3 => "RFC 7583 3.3.1",
            Self::D1 | Self::D2 | Self::D3 => "RFC 7583 3.3.2",
            Self::R1 => "RFC 7583 3.3.3",
            Self::C1 => "RFC 6781 4.1.3, RFC 7583 3.2.1, 3.3.1",
            Self::F1 => "RFC 7583 3.3.5",
            Self::A1 | Self::A2 | Self::A3 | Self::A4 | Self::A5 => "RFC 6781 4.1.4",
            Self::T1 => "RFC 5011 2.4.1",
            Self::T2 => "RFC 5011 2.3",
            Self::T3 => "draft-ietf-dnsop-rfc5011-security-considerations",
            Self::T4 => "RFC 5011 2.4.2",
            Self::U1 => "RFC 8078 4, RFC 7583 3.3.1",
            Self::S1 | Self::S3 => "RFC 6781 4.4.1",
            Self::S2 => "RFC 7583 3.3.1, for each bundle",
            Self::X1 => "RFC 7583 3.2.1, 3.3.1",
        }
    }
}

impl fmt::Display for Equation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
