//! The figures of one signing.

use std::sync::Arc;

use key_metadata::policy::{Denial, ParentSignal, Zonemd};
use key_metadata::{Policy, Time};

use crate::kept::{Covered, Kept};
use crate::signed_keys::SignedKeys;

/// When a signature is valid, in seconds since 1970 modulo 2^32 (RFC 4034 3.1.5).
#[derive(Clone, Copy, Debug)]
pub struct Valid {
    /// From when.
    pub inception: u32,
    /// Until when.
    pub expiration: u32,
}

/// When signatures are made again that are still good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// What has so much left or less is, in seconds.
    pub refresh: u32,
    /// By how much new expirations are strewn, at most, in seconds.
    pub jitter: u32,
}

/// The figures of one signing.
#[derive(Clone, Debug)]
pub struct SignPlan {
    /// When it is, in seconds modulo 2^32.
    pub now: u32,
    /// When signatures of DNSKEY, CDS and CDNSKEY are renewed; each time, where there is nothing.
    pub dnskey_renewal: Option<Renewal>,
    /// When all others are.
    pub renewal: Option<Renewal>,
    /// The serial that the signed zone has, where anything is signed.
    pub serial: u32,
    /// The serial that it has where nothing else would be signed than the SOA; the same as the other, where nothing is kept.
    pub last_serial: Option<u32>,
    /// When the signatures of DNSKEY, CDS and CDNSKEY are valid.
    pub dnskey_signatures: Valid,
    /// When all others are.
    pub signatures: Valid,
    /// The TTL of DNSKEY, CDS and CDNSKEY, in seconds.
    pub dnskey_ttl: u32,
    /// How absence is proved.
    pub denial: Denial,
    /// Whether the zone has a digest.
    pub zonemd: Zonemd,
    /// What the parent is told.
    pub parent_signal: ParentSignal,
    /// The DNSKEY RRset with CDS and CDNSKEY and all their signatures, where a KSK that is kept apart made them.
    pub signed_keys: Option<Arc<SignedKeys>>,
}

impl SignPlan {
    /// The figures that a policy gives for a signing at `now`.
    pub fn new(policy: &Policy, serial: u32, now: Time) -> Self {
        let now = now.unix_seconds() as u32;
        let refresh = policy.signatures.refresh.map(|refresh| refresh.seconds());
        let own_refresh = policy.dnskey_signatures.as_ref().map(|own| own.refresh.seconds());
        Self {
            now,
            // Strewn they are at the cost of what they have left, which only the zone's reckon with.
            dnskey_renewal: own_refresh
                .or(refresh)
                .map(|refresh| Renewal { refresh, jitter: 0 }),
            renewal: refresh.map(|refresh| Renewal {
                refresh,
                jitter: policy.signatures.jitter.seconds(),
            }),
            serial,
            last_serial: None,
            dnskey_signatures: Valid {
                inception: now.wrapping_sub(policy.dnskey_inception_offset().seconds()),
                expiration: now.wrapping_add(policy.dnskey_validity().seconds()),
            },
            signatures: Valid {
                inception: now.wrapping_sub(policy.signatures.inception_offset.seconds()),
                expiration: now.wrapping_add(policy.signatures.validity.seconds()),
            },
            dnskey_ttl: policy.dnskey_ttl.seconds(),
            denial: policy.denial,
            zonemd: policy.zonemd,
            parent_signal: policy.parent_signal,
            signed_keys: None,
        }
    }
}

impl Renewal {
    /// Whether a signature is left as it is: valid, and for longer than the refresh (RFC 1982 arithmetic).
    pub(crate) fn keeps(self, kept: &Kept<'_>, now: u32) -> bool {
        let age = now.wrapping_sub(kept.inception);
        let left = kept.expiration.wrapping_sub(now);
        age < 1 << 31 && left < 1 << 31 && left > self.refresh
    }

    /// When a new signature is valid: what is signed together does not all expire together.
    pub(crate) fn strewn(self, valid: Valid, covered: &Covered) -> Valid {
        let chance = u32::from_be_bytes([covered[0], covered[1], covered[2], covered[3]]);
        let early = u64::from(chance) % (u64::from(self.jitter) + 1);
        Valid {
            // At most the jitter, which is 32 bits.
            expiration: valid.expiration.wrapping_sub(early as u32),
            ..valid
        }
    }
}
