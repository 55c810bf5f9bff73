//! When the signatures of a zone file run out.

use std::path::Path;

use domain::rdata::ZoneRecordData;
use key_metadata::{Time, ZoneName};

use crate::zone::{ZoneError, apex_name, unreadable};
use crate::zone_reader::ZoneReader;

/// When the first RRSIG of a signed zone expires; none, where it has none. All of it is read. `text` is the file's, `now` tells which 136 years the
/// dates are of (RFC 4034 3.1.5).
pub fn first_expiration(
    text: &[u8],
    file: &Path,
    zone: &ZoneName,
    now: Time,
) -> Result<Option<Time>, ZoneError> {
    let origin = apex_name(zone, file)?;
    let failed = |error| unreadable(file, error);
    let mut reader = ZoneReader::new(text, &origin).map_err(failed)?;
    let mut first: Option<Time> = None;
    while let Some((record, _)) = reader.next_record().map_err(failed)? {
        if let ZoneRecordData::Rrsig(data) = record.data() {
            let expires = near(data.expiration().into_int(), now);
            first = Some(first.map_or(expires, |known| known.min(expires)));
        }
    }
    Ok(first)
}

/// The time with these last 32 bits that is nearest to now.
fn near(seconds: u32, now: Time) -> Time {
    let unix = now.unix_seconds();
    let ahead = seconds.wrapping_sub(unix.rem_euclid(1 << 32) as u32);
    let span = |seconds| key_metadata::Span::from_seconds(seconds);
    match ahead < 1 << 31 {
        true => now.after(span(ahead)),
        false => now.before(span(ahead.wrapping_neg())),
    }
}
