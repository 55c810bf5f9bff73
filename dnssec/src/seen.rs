//! From the replies of a name server to what was seen there.

use bytes::Bytes;
use domain::base::Rtype;
use domain::base::cmp::CanonicalOrd;
use domain::base::iana::OptRcode;
use domain::base::name::ToName;
use domain::crypto::common::PublicKey as Verifier;
use domain::rdata::{Dnskey, Rrsig, ZoneRecordData};
use key_metadata::observed::{Denial, Signature};
use key_metadata::{
    ChildAnswer, DnskeyAnswer, DsAnswer, ObservedDnskey, ObservedDs, ObservedRrsig, SoaAnswer, Span, Time,
    WhyNot,
};

use crate::reply::{NotKnown, Reply};
use crate::signed_data::signed_data;
use crate::zone::{Owner, ZoneRecord};

/// How many signatures of one RRset are verified, and by how many keys of one tag each; a zone has a few. More are a trap (CVE-2023-50387).
const VERIFIED: usize = 16;
const KEYS_OF_A_TAG: usize = 4;

/// The DS RRset of `zone` by a server of its parent, which is `parent` where that is known.
pub(crate) fn ds(reply: &Reply, zone: &Owner, parent: Option<&Owner>) -> Result<DsAnswer, NotKnown> {
    reply.check()?;
    let mut seen = Vec::new();
    for record in reply.rrset(zone, Rtype::DS) {
        if let ZoneRecordData::Ds(ds) = record.data() {
            seen.push(ObservedDs {
                key_tag: ds.key_tag(),
                algorithm: ds.algorithm().to_int(),
                digest_type: ds.digest_type().to_int(),
                digest: ds.digest().to_vec(),
            });
        }
    }
    if seen.is_empty() {
        // A server of the zone that is none of the parent denies the DS too, for the zone itself (RFC 4035 3.1.4.1).
        let (ttl, denial) = denial(reply, |apex| match parent {
            Some(parent) => apex == parent,
            None => apex != zone && zone.ends_with(apex),
        })?;
        return Ok(DsAnswer {
            ttl,
            ds: seen,
            denial: Some(denial),
        });
    }
    Ok(DsAnswer {
        ttl: ttl(reply.rrset(zone, Rtype::DS)),
        ds: sorted(seen),
        denial: None,
    })
}

/// The DNSKEY RRset and the SOA of `zone` by one of its servers.
pub(crate) fn child(
    dnskey: &Reply,
    soa: Option<&Reply>,
    zone: &Owner,
    now: Time,
) -> Result<ChildAnswer, NotKnown> {
    dnskey.check()?;
    let keys: Vec<_> = dnskey
        .rrset(zone, Rtype::DNSKEY)
        .filter_map(|record| match record.data() {
            ZoneRecordData::Dnskey(key) => Some(key),
            _ => None,
        })
        .collect();
    let rrset = |reply, rtype| RrsetSeen {
        reply,
        zone,
        rtype,
        keys: &keys,
        now,
    };
    let answer = if keys.is_empty() {
        let (ttl, denial) = denial(dnskey, |apex| apex == zone)?;
        DnskeyAnswer {
            ttl,
            records: Vec::new(),
            rrsigs: Vec::new(),
            denial: Some(denial),
        }
    } else {
        DnskeyAnswer {
            ttl: ttl(dnskey.rrset(zone, Rtype::DNSKEY)),
            records: sorted(keys.iter().map(|key| observed(key)).collect()),
            rrsigs: rrset(dnskey, Rtype::DNSKEY).rrsigs(),
            denial: None,
        }
    };
    let soa = match soa {
        Some(soa) => Some(start_of_authority(&rrset(soa, Rtype::SOA))?),
        None => None,
    };
    Ok(ChildAnswer { dnskey: answer, soa })
}

fn start_of_authority(seen: &RrsetSeen<'_>) -> Result<SoaAnswer, NotKnown> {
    seen.reply.check()?;
    let mut records = seen.reply.rrset(seen.zone, Rtype::SOA);
    let found = records.find_map(|record| match record.data() {
        ZoneRecordData::Soa(soa) => Some((record, soa)),
        _ => None,
    });
    let Some((record, soa)) = found else {
        return Err(NotKnown::new(
            WhyNot::Lame,
            "it has no SOA of the zone in its answer",
        ));
    };
    Ok(SoaAnswer {
        serial: soa.serial().into_int(),
        expire: Span::from_seconds(soa.expire().as_secs()),
        minimum: Span::from_seconds(soa.minimum().as_secs()),
        ttl: Span::from_seconds(record.ttl().as_secs()),
        rrsigs: seen.rrsigs(),
    })
}

/// How it is denied, by an SOA of the right zone, and how long that is kept (RFC 2308 section 5).
fn denial(reply: &Reply, is_apex: impl Fn(&Owner) -> bool) -> Result<(Span, Denial), NotKnown> {
    if !reply.answer.is_empty() {
        let detail = "its answer has other records than the ones asked for";
        return Err(NotKnown::new(WhyNot::Malformed, detail));
    }
    let Some((apex, ttl, soa)) = reply.soa_of_denial() else {
        return Err(NotKnown::new(
            WhyNot::Malformed,
            "it has neither the records nor an SOA by which it denies them",
        ));
    };
    if !is_apex(apex) {
        return Err(NotKnown::new(
            WhyNot::Lame,
            format!("it answers for the zone {apex}"),
        ));
    }
    let denial = match reply.rcode {
        OptRcode::NXDOMAIN => Denial::NxDomain,
        _ => Denial::NoData,
    };
    Ok((Span::from_seconds(ttl.min(soa.minimum().as_secs())), denial))
}

/// The largest TTL: all records of an RRset have one (RFC 2181 5.2), and where they do not the longest counts.
fn ttl<'a>(rrset: impl Iterator<Item = &'a ZoneRecord>) -> Span {
    let largest = rrset.map(|record| record.ttl().as_secs()).max();
    Span::from_seconds(largest.map_or(0, |largest| largest))
}

fn observed(key: &Dnskey<Bytes>) -> ObservedDnskey {
    ObservedDnskey {
        flags: key.flags(),
        protocol: key.protocol(),
        algorithm: key.algorithm().to_int(),
        public_key: key.public_key().to_vec(),
    }
}

fn sorted<T: Ord>(mut records: Vec<T>) -> Vec<T> {
    records.sort();
    records.dedup();
    records
}

/// An RRset at the apex of a zone, in the reply that has it, and the keys that the same server gave.
struct RrsetSeen<'a> {
    reply: &'a Reply,
    zone: &'a Owner,
    rtype: Rtype,
    keys: &'a [&'a Dnskey<Bytes>],
    now: Time,
}

impl RrsetSeen<'_> {
    fn rrsigs(&self) -> Vec<ObservedRrsig> {
        let mut records: Vec<_> = self.reply.rrset(self.zone, self.rtype).collect();
        records.sort_by(|a, b| a.data().canonical_cmp(b.data()));
        records.dedup_by(|a, b| a.data() == b.data());
        let of_rrset = self
            .reply
            .rrset(self.zone, Rtype::RRSIG)
            .filter_map(|record| match record.data() {
                ZoneRecordData::Rrsig(rrsig) if rrsig.type_covered() == self.rtype => Some(rrsig),
                _ => None,
            });
        let seen = of_rrset.enumerate().map(|(number, rrsig)| ObservedRrsig {
            key_tag: rrsig.key_tag(),
            algorithm: rrsig.algorithm().to_int(),
            inception: time(rrsig.inception().into_int(), self.now),
            expiration: time(rrsig.expiration().into_int(), self.now),
            original_ttl: Span::from_seconds(rrsig.original_ttl().as_secs()),
            signature: match number < VERIFIED {
                true => self.signature(rrsig, &records),
                false => Signature::NotChecked,
            },
        });
        sorted(seen.collect())
    }

    fn signature(&self, rrsig: &Rrsig<Bytes, Owner>, records: &[&ZoneRecord]) -> Signature {
        if self.keys.is_empty() {
            return Signature::NotChecked;
        }
        let is_of =
            |key: &&&Dnskey<Bytes>| key.key_tag() == rrsig.key_tag() && key.algorithm() == rrsig.algorithm();
        let mut keys = self.keys.iter().filter(is_of).take(KEYS_OF_A_TAG).peekable();
        if keys.peek().is_none() {
            return Signature::NoKey;
        }
        if rrsig.signer_name() != self.zone || rrsig.labels() != self.zone.rrsig_label_count() {
            return Signature::Bad;
        }
        let data = signed_data(rrsig, records.iter().copied());
        let mut verdict = Signature::NotChecked;
        for key in keys {
            if let Ok(verifier) = Verifier::from_dnskey(*key) {
                match verifier.verify(&data, rrsig.signature()) {
                    Ok(()) => return Signature::Good,
                    Err(_) => verdict = Signature::Bad,
                }
            }
        }
        verdict
    }
}

/// The time of an RRSIG that is nearest to `now`: it counts seconds modulo 2^32 (RFC 4034 3.1.5).
fn time(seconds: u32, now: Time) -> Time {
    let distance = seconds.wrapping_sub(now.unix_seconds() as u32) as i32;
    let span = Span::from_seconds(distance.unsigned_abs());
    match distance < 0 {
        true => now.before(span),
        false => now.after(span),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_signature_is_the_nearest() {
        let now: Time = "2106-02-07T06:28:00Z".parse().unwrap();
        // 2^32 is 2106-02-07T06:28:16Z.
        assert_eq!(time(4, now).to_string(), "2106-02-07T06:28:20Z");
        assert_eq!(time(u32::MAX, now).to_string(), "2106-02-07T06:28:15Z");
        assert_eq!(time(u32::MAX - 3600, now).to_string(), "2106-02-07T05:28:15Z");
    }
}
