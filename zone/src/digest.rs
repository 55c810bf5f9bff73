//! The digest of a zone (RFC 8976).

use domain::base::iana::Rtype;
use key_metadata::policy::Zonemd;
use ring::digest::{Algorithm, Context, Digest, SHA384, SHA512};

use crate::records::Records;
use crate::rrsig::Rrsig;

/// SIMPLE, the only scheme there is.
pub(crate) const SIMPLE: u8 = 1;

/// A hash algorithm by its number (RFC 8976 5.3).
pub(crate) fn algorithm(number: u8) -> Option<&'static Algorithm> {
    match number {
        1 => Some(&SHA384),
        2 => Some(&SHA512),
        _ => None,
    }
}

const fn number(zonemd: Zonemd) -> Option<u8> {
    match zonemd {
        Zonemd::None => None,
        Zonemd::Sha384 => Some(1),
        Zonemd::Sha512 => Some(2),
    }
}

impl Records {
    /// Adds a ZONEMD record, where one is wanted, whose digest is not known yet: NSEC and NSEC3 tell of it. It is seen after [`Self::settle`].
    pub fn push_zonemd(&mut self, zonemd: Zonemd) {
        let Some((number, soa)) = number(zonemd).zip(self.soa()) else {
            return;
        };
        let length = algorithm(number).map_or(0, Algorithm::output_len);
        let mut rdata = vec![0, 0, 0, 0, SIMPLE, number];
        rdata.resize(6 + length, 0);
        let ttl = self.at(soa).ttl();
        self.push_at(soa, Rtype::ZONEMD, ttl, &rdata);
    }

    /// The place of the ZONEMD record, where there is one.
    pub fn zonemd(&self) -> Option<usize> {
        self.at_apex(Rtype::ZONEMD)
    }

    /// Puts serial and digest into the ZONEMD record, where there is one.
    pub fn digest(&mut self) {
        let Some((place, serial)) = self.zonemd().zip(self.serial()) else {
            return;
        };
        let Some(algorithm) = self
            .at(place)
            .rdata()
            .get(5)
            .and_then(|number| algorithm(*number))
        else {
            return;
        };
        let digest = zone_digest(self, algorithm);
        if let Some(rdata) = self.rdata_mut(place) {
            rdata[..4].copy_from_slice(&serial.to_be_bytes());
            rdata[6..].copy_from_slice(digest.as_ref());
        }
    }
}

/// The digest of all records but the ZONEMD RRset and its RRSIG (RFC 8976 3.3).
pub(crate) fn zone_digest(records: &Records, algorithm: &'static Algorithm) -> Digest {
    let mut context = Context::new(algorithm);
    let mut data = Vec::new();
    for record in records.iter().filter(|record| record.is_in_zone()) {
        let covered = match record.rtype() {
            Rtype::RRSIG => Rrsig::new(record.rdata()).map_or(Rtype::RRSIG, Rrsig::covered),
            rtype => rtype,
        };
        if covered == Rtype::ZONEMD && record.owner() == records.apex() {
            continue;
        }
        data.clear();
        record.write_canonical(record.ttl(), &mut data);
        context.update(&data);
    }
    context.finish()
}
