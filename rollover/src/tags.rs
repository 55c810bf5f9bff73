//! DS and DNSKEY records, told by their tags.

use std::fmt;

use key_metadata::{ObservedDnskey, ObservedDs};

/// A DS as tag/algorithm/digest type, as `dig` has them in a row.
pub struct DsTag<'a>(pub &'a ObservedDs);

impl fmt::Display for DsTag<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ds = self.0;
        write!(f, "{}/{}/{}", ds.key_tag, ds.algorithm, ds.digest_type)
    }
}

/// A DNSKEY as tag and what its flags make it look like.
pub struct DnskeyTag<'a>(pub &'a ObservedDnskey);

impl fmt::Display for DnskeyTag<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dnskey = self.0;
        write!(f, "{} {}", dnskey.key_tag(), dnskey.looks_like())?;
        match dnskey.is_revoked() {
            true => f.write_str(" revoked"),
            false => Ok(()),
        }
    }
}
