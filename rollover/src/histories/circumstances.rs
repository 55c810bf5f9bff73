//! The figures that the files of keys do not tell.

use key_metadata::{Policy, Span, Time};

use crate::schedule::{Caching, Propagation, Signatures};

/// What is around the keys: how long everything takes that is not the signer's own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// TTLkey, the longest that the DNSKEY RRset had in that time.
    pub ttl_dnskey: Span,
    /// TTLds, of the DS RRset at the parent and of its absence.
    pub ttl_ds: Span,
    /// TTLsig, the largest in the zone, that of negative answers included.
    pub ttl_zone: Span,
    /// Until every server has what the first one has.
    pub propagation: Propagation,
    /// What the RRSIGs have left at least.
    pub signatures: Signatures,
    /// Dsgn: until a key that takes over has signed what another one signed.
    pub dsgn: Span,
    /// Dreg: from telling the parent of a change of the DS until the parent has it.
    pub registration_delay: Span,
}

/// Whose keys they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Software {
    /// named, or the `dnssec-*` tools.
    Bind,
    /// Knot DNS.
    Knot,
    /// OpenDNSSEC.
    OpenDnssec,
    /// dnst, or Cascade.
    Dnst,
}

const DAY: u32 = 86_400;

impl Software {
    /// What an RRSIG has left when it is renewed, by the defaults of that software; nothing, where it has none of its own.
    pub const fn refresh(self) -> Option<(Span, &'static str)> {
        Some(match self {
            Self::Bind => (Span::from_seconds(5 * DAY), "BIND 9.18's signatures-refresh"),
            // 0.1 * rrsig-lifetime + propagation-delay + zone-max-ttl, of 14 d, 1 h and 1 d.
            Self::Knot => (
                Span::from_seconds(14 * DAY / 10 + 3600 + DAY),
                "Knot DNS 3.2's rrsig-refresh, of 14d, 1h and 1d",
            ),
            Self::OpenDnssec => (Span::from_seconds(3 * DAY), "OpenDNSSEC 2.1's Refresh"),
            Self::Dnst => return None,
        })
    }

    /// How long that software takes to replace the signatures of one key by another's, where it renews each of them when it is due.
    pub const fn dsgn(self, validity: Span, refresh: Span) -> Option<(Span, &'static str)> {
        Some(match self {
            Self::Bind | Self::OpenDnssec => (
                Span::from_seconds(validity.seconds().saturating_sub(refresh.seconds())),
                "validity - refresh: each signature is replaced when it is due",
            ),
            Self::Knot => (
                Span::from_seconds(0),
                "Knot DNS signs the whole zone in one change",
            ),
            Self::Dnst => return None,
        })
    }
}

impl Circumstances {
    /// What a policy says, of a zone that is signed as Keyrite does: all of it, within `signatures.resign`.
    pub fn of_policy(policy: &Policy) -> Self {
        Self {
            ttl_dnskey: policy.dnskey_ttl,
            ttl_ds: policy.parent.ds_ttl,
            ttl_zone: policy.zone.max_ttl,
            propagation: Propagation {
                zone: policy.zone.propagation_delay,
                parent: policy.parent.propagation_delay,
            },
            signatures: Signatures {
                zone: policy.least_remaining(),
                dnskey: policy.least_dnskey_remaining(),
            },
            dsgn: policy.signatures.resign,
            registration_delay: policy.parent.registration_delay,
        }
    }

    /// The TTLs, none of which changes.
    pub(super) fn caching(&self, since: Time) -> Caching {
        Caching {
            dnskey: vec![(since, self.ttl_dnskey)],
            ds: vec![(since, self.ttl_ds)],
            zone: vec![(since, self.ttl_zone)],
        }
    }
}
