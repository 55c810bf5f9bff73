//! When the signatures of a zone file run out.

use std::path::Path;

use domain::base::iana::Rtype;
use key_metadata::{Time, ZoneName};
use zone::{ReadError, Records, Rrsig};

/// When the first RRSIG of a signed zone expires; none, where it has none. All of it is read. `text` is the file's, `now` tells which 136 years the
/// dates are of (RFC 4034 3.1.5).
pub fn first_expiration(
    text: &[u8],
    file: &Path,
    zone: &ZoneName,
    now: Time,
) -> Result<Option<Time>, ReadError> {
    let records = Records::parse(text, file, zone)?;
    let rrsigs = records.iter().filter(|record| record.rtype() == Rtype::RRSIG);
    let read = rrsigs.filter_map(|record| Rrsig::new(record.rdata()));
    Ok(read.map(|rrsig| near(rrsig.expiration(), now)).min())
}

/// The time with these last 32 bits that is nearest to now: RRSIG times have no more (RFC 4034 3.1.5).
pub fn near(seconds: u32, now: Time) -> Time {
    let unix = now.unix_seconds();
    let ahead = seconds.wrapping_sub(unix.rem_euclid(1 << 32) as u32);
    let span = |seconds| key_metadata::Span::from_seconds(seconds);
    match ahead < 1 << 31 {
        true => now.after(span(ahead)),
        false => now.before(span(ahead.wrapping_neg())),
    }
}
