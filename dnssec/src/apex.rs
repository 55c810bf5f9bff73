//! What signing puts at the apex: the new serial, DNSKEY, CDS and CDNSKEY.

use domain::base::iana::Class;
use domain::base::{Record, Serial, Ttl};
use domain::rdata::{Soa, ZoneRecordData};
use key_metadata::ZoneName;
use key_metadata::key_record::asks_for_no_ds;
use key_metadata::policy::ParentSignal;

use crate::key_records::{DsDigest, KeyRecords};
use crate::sign::{SignError, SignPlan};
use crate::signing_key::ZoneKey;
use crate::zone::{Zone, ZoneRecord};

/// Sets the SOA serial.
pub(crate) fn set_serial(zone: &mut Zone, serial: u32) {
    for record in &mut zone.records {
        if let ZoneRecordData::Soa(soa) = record.data() {
            let soa = Soa::new(
                soa.mname().clone(),
                soa.rname().clone(),
                Serial::from(serial),
                soa.refresh(),
                soa.retry(),
                soa.expire(),
                soa.minimum(),
            );
            *record = Record::new(record.owner().clone(), record.class(), record.ttl(), soa.into());
            return;
        }
    }
}

/// The DNSKEY of every key that is in the zone, and CDS and CDNSKEY of those that the parent's DS must name, or those that ask for none (RFC 8078
/// section 4).
pub(crate) fn key_records(
    zone: &Zone,
    name: &ZoneName,
    keys: &[ZoneKey],
    plan: &SignPlan,
) -> Result<Vec<ZoneRecord>, SignError> {
    let mut records = Vec::new();
    let mut add = |data: ZoneRecordData<_, _>| {
        records.push(Record::new(
            zone.apex.clone(),
            Class::IN,
            Ttl::from_secs(plan.dnskey_ttl),
            data,
        ));
    };
    for key in keys {
        let made = KeyRecords::new(name, &key.record).ok_or_else(|| SignError::key(&key.record))?;
        if key.record.state.in_zone() {
            add(made.dnskey_data().into());
        }
        let signal = match plan.parent_signal {
            ParentSignal::None => false,
            ParentSignal::Cds => key.record.wants_ds(),
        };
        if signal {
            add(made
                .cds_data(DsDigest::Sha256)
                .ok_or_else(|| SignError::key(&key.record))?
                .into());
            add(made
                .cdnskey_data()
                .ok_or_else(|| SignError::key(&key.record))?
                .into());
        }
    }
    let asks_for_none = match plan.parent_signal {
        ParentSignal::None => false,
        ParentSignal::Cds => asks_for_no_ds(keys.iter().map(|key| &key.record)),
    };
    if asks_for_none {
        let (cds, cdnskey) = KeyRecords::delete_data().ok_or_else(|| SignError::Records {
            what: "the records that ask for no DS".to_owned(),
            reason: "they cannot be written".to_owned(),
        })?;
        add(cds.into());
        add(cdnskey.into());
    }
    Ok(records)
}
