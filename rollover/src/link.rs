//! From a DS to the signatures of a zone, as one server of each answered.

use key_metadata::observed::Signature;
use key_metadata::{ChildAnswer, ObservedDs, Time, ZoneName};

/// A DS RRset, and what a server of the zone answered.
pub(crate) struct Link<'a> {
    pub zone: &'a ZoneName,
    pub ds: &'a [ObservedDs],
    pub child: &'a ChildAnswer,
    pub at: Time,
}

/// Where something leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leads {
    There,
    NotChecked,
    Nowhere,
}

impl Link<'_> {
    /// Whether a DS leads to a DNSKEY that signs the DNSKEY RRset.
    pub fn leads(&self, ds: &ObservedDs) -> Leads {
        let records = self.child.dnskey.records.iter();
        let named: Vec<_> = records
            .filter(|dnskey| dnskey.is_zone_key() && ds.is_of_dnskey(self.zone, dnskey))
            .collect();
        if named
            .iter()
            .any(|dnskey| self.child.is_signed_by(dnskey, self.at))
        {
            return Leads::There;
        }
        let mut rrsigs = self.child.dnskey.rrsigs.iter();
        let unchecked = rrsigs.any(|rrsig| {
            rrsig.signature == Signature::NotChecked && named.iter().any(|dnskey| rrsig.is_of(dnskey))
        });
        match unchecked {
            true => Leads::NotChecked,
            false => Leads::Nowhere,
        }
    }

    /// Whether the DNSKEY RRset has a signature of that algorithm that holds, or may hold.
    pub fn is_signed_with(&self, algorithm: u8) -> bool {
        let mut rrsigs = self.child.dnskey.rrsigs.iter();
        rrsigs.any(|rrsig| {
            rrsig.algorithm == algorithm
                && (rrsig.holds_at(self.at) || rrsig.signature == Signature::NotChecked)
        })
    }

    /// Whether the SOA has a signature that holds.
    pub fn soa(&self) -> Leads {
        let Some(soa) = &self.child.soa else {
            return Leads::NotChecked;
        };
        let has = |signature| soa.rrsigs.iter().any(|rrsig| rrsig.signature == signature);
        if soa.rrsigs.iter().any(|rrsig| rrsig.holds_at(self.at)) {
            Leads::There
        } else if has(Signature::NotChecked) {
            Leads::NotChecked
        } else {
            Leads::Nowhere
        }
    }
}
