//! The canonical form of RDATA (RFC 4034 6.2, RFC 6840 5.1).

use std::borrow::Cow;
use std::ops::Range;

use domain::base::iana::Rtype;

/// RDATA with the names in it in lower case, for the types whose names are: no later type's.
pub fn canonical_rdata(rtype: Rtype, rdata: &[u8]) -> Cow<'_, [u8]> {
    let range = names(rtype, rdata);
    if !rdata[range.clone()].iter().any(u8::is_ascii_uppercase) {
        return Cow::Borrowed(rdata);
    }
    let mut canonical = rdata.to_vec();
    // No octet that says how long a label is has the value of a letter: they are below 64.
    canonical[range].make_ascii_lowercase();
    Cow::Owned(canonical)
}

/// Where the names are. A number beside one of them is outside.
fn names(rtype: Rtype, rdata: &[u8]) -> Range<usize> {
    let end = rdata.len();
    match rtype {
        Rtype::NS
        | Rtype::MD
        | Rtype::MF
        | Rtype::CNAME
        | Rtype::MB
        | Rtype::MG
        | Rtype::MR
        | Rtype::PTR
        | Rtype::MINFO
        | Rtype::RP
        | Rtype::DNAME => 0..end,
        // Five numbers of four octets behind both names.
        Rtype::SOA => 0..end.saturating_sub(20),
        Rtype::MX | Rtype::AFSDB | Rtype::RT | Rtype::KX | Rtype::PX => 2.min(end)..end,
        Rtype::SRV => 6.min(end)..end,
        Rtype::NAPTR => behind_strings(rdata, 4, 3)..end,
        Rtype::RRSIG | Rtype::SIG => {
            let signer = rdata.get(18..).map_or(0, name_length);
            18.min(end)..(18 + signer).min(end)
        }
        _ => 0..0,
    }
}

/// Where it goes on behind so many character strings.
fn behind_strings(rdata: &[u8], from: usize, count: usize) -> usize {
    let behind = (0..count).fold(from, |at, _| {
        at + 1 + rdata.get(at).map_or(0, |length| usize::from(*length))
    });
    behind.min(rdata.len())
}

fn name_length(octets: &[u8]) -> usize {
    crate::WireName::first_of(octets).map_or(0, |name| name.octets().len())
}
