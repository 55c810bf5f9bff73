//! What a zone file still says of a key.

use std::fmt;
use std::path::Path;

use domain::rdata::ZoneRecordData;
use key_metadata::{KeyRecord, ZoneName};

use crate::zone::{ZoneError, apex_name, unreadable};
use crate::zone_reader::ZoneReader;

/// How many records of a zone file are about a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// DNSKEY and CDNSKEY records with its public key, whatever their flags.
    pub keys: usize,
    /// DS and CDS records of its zone with its tag or revoked tag, and its algorithm.
    pub digests: usize,
    /// RRSIG records of its zone with its tag or revoked tag, and its algorithm.
    pub signatures: usize,
}

impl Mentions {
    /// Whether there are none.
    pub const fn is_none(self) -> bool {
        self.keys == 0 && self.digests == 0 && self.signatures == 0
    }

    /// Counts what the text of a zone file, signed or not, says of a key of `zone`: of that zone, or of one above it. All of it is read.
    pub fn count(
        text: &[u8],
        file: &Path,
        of: &ZoneName,
        zone: &ZoneName,
        key: &KeyRecord,
    ) -> Result<Self, ZoneError> {
        let (origin, apex) = (apex_name(of, file)?, apex_name(zone, file)?);
        let tags = [key.key_tag(), key.revoked_key_tag()];
        let algorithm = key.algorithm().number();
        let is_it = |tag: u16, number: u8| usize::from(tags.contains(&tag) && number == algorithm);
        let has_it = |public_key: &[u8]| usize::from(public_key == key.public_key.as_dnskey());
        let mut mentions = Self::default();
        let failed = |error| unreadable(file, error);
        let mut reader = ZoneReader::new(text, &origin).map_err(failed)?;
        while let Some((record, _)) = reader.next_record().map_err(failed)? {
            let at_apex = record.owner() == &apex;
            match record.data() {
                ZoneRecordData::Dnskey(data) if at_apex => mentions.keys += has_it(data.public_key()),
                ZoneRecordData::Cdnskey(data) if at_apex => mentions.keys += has_it(data.public_key()),
                ZoneRecordData::Ds(data) if at_apex => {
                    mentions.digests += is_it(data.key_tag(), data.algorithm().to_int());
                }
                ZoneRecordData::Cds(data) if at_apex => {
                    mentions.digests += is_it(data.key_tag(), data.algorithm().to_int());
                }
                ZoneRecordData::Rrsig(data) if data.signer_name() == &apex => {
                    mentions.signatures += is_it(data.key_tag(), data.algorithm().to_int());
                }
                _ => {}
            }
        }
        Ok(mentions)
    }
}

impl fmt::Display for Mentions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.keys, "DNSKEY or CDNSKEY"),
            (self.digests, "DS or CDS"),
            (self.signatures, "RRSIG"),
        ];
        let there: Vec<_> = parts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        f.write_str(&there.join(", "))
    }
}
