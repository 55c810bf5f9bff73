//! What a zone file still says of a key.

use std::fmt;
use std::path::Path;

use domain::base::iana::Rtype;
use key_metadata::{KeyRecord, ZoneName};
use zone::{ReadError, Records, Rrsig, WireName};

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
    ) -> Result<Self, ReadError> {
        let tags = [key.key_tag(), key.revoked_key_tag()];
        let algorithm = key.algorithm().number();
        let is_it = |tag: u16, number: u8| usize::from(tags.contains(&tag) && number == algorithm);
        let has_it = |public_key: &[u8]| usize::from(public_key == key.public_key.as_dnskey());
        let mut mentions = Self::default();
        let records = Records::parse(text, file, of)?;
        let apex = zone.wire();
        let apex = WireName::new(&apex);
        for record in records.iter() {
            let (rdata, at_apex) = (record.rdata(), Some(record.owner()) == apex);
            match record.rtype() {
                // Flags, protocol and algorithm come before the key; the tag and the algorithm before a digest.
                Rtype::DNSKEY | Rtype::CDNSKEY if at_apex => {
                    mentions.keys += rdata.get(4..).map_or(0, has_it);
                }
                Rtype::DS | Rtype::CDS if at_apex => {
                    if let [high, low, number, ..] = rdata {
                        mentions.digests += is_it(u16::from_be_bytes([*high, *low]), *number);
                    }
                }
                Rtype::RRSIG => {
                    if let Some(rrsig) = Rrsig::new(rdata).filter(|rrsig| Some(rrsig.signer) == apex) {
                        mentions.signatures += is_it(rrsig.key_tag(), rrsig.algorithm());
                    }
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
