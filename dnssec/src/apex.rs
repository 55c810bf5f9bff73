//! What signing puts at the apex: DNSKEY, CDS and CDNSKEY.

use domain::base::iana::Rtype;
use domain::base::rdata::ComposeRecordData;
use key_metadata::ZoneName;
use key_metadata::key_record::asks_for_no_ds;
use key_metadata::policy::ParentSignal;
use zone::Records;

use crate::key_records::{DsDigest, KeyRecords};
use crate::sign_error::SignError;
use crate::sign_plan::SignPlan;
use crate::signing_key::ZoneKey;

/// Adds the DNSKEY of every key that is in the zone, and CDS and CDNSKEY of those that the parent's DS must name, or those that ask for none
/// (RFC 8078 section 4); or what came signed.
pub(crate) fn add_key_records(
    records: &mut Records,
    name: &ZoneName,
    keys: &[ZoneKey],
    plan: &SignPlan,
) -> Result<(), SignError> {
    if let Some(signed) = &plan.signed_keys {
        for record in signed.records.iter() {
            records.push_at(0, record.rtype(), record.ttl(), record.rdata());
        }
        return Ok(());
    }
    // The apex is the first name of all.
    let mut add = |rtype, data: &dyn Fn(&mut Vec<u8>)| {
        let mut rdata = Vec::new();
        data(&mut rdata);
        records.push_at(0, rtype, plan.dnskey_ttl, &rdata);
    };
    for key in keys {
        let unfit = || SignError::key(&key.record);
        let made = KeyRecords::new(name, &key.record).ok_or_else(unfit)?;
        if key.record.state.in_zone() {
            add(Rtype::DNSKEY, &|rdata| composed(made.dnskey_data(), rdata));
        }
        let signal = match plan.parent_signal {
            ParentSignal::None => false,
            ParentSignal::Cds => key.record.wants_ds(),
        };
        if signal {
            let cds = made.cds_data(DsDigest::Sha256).ok_or_else(unfit)?;
            let cdnskey = made.cdnskey_data().ok_or_else(unfit)?;
            add(Rtype::CDS, &|rdata| composed(&cds, rdata));
            add(Rtype::CDNSKEY, &|rdata| composed(&cdnskey, rdata));
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
        add(Rtype::CDS, &|rdata| composed(&cds, rdata));
        add(Rtype::CDNSKEY, &|rdata| composed(&cdnskey, rdata));
    }
    Ok(())
}

fn composed(data: impl ComposeRecordData, rdata: &mut Vec<u8>) {
    // Appending to a Vec cannot fail.
    let _ = data.compose_rdata(rdata);
}
