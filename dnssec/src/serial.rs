//! The SOA serial of a signed zone.

use std::path::Path;

use domain::base::Serial;
use key_metadata::policy::SerialPolicy;
use key_metadata::{Advice, Time, ZoneName};

/// Why no serial can be given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SerialError {
    /// The serial that the policy gives does not rise, so secondaries would not fetch the zone.
    #[error("serial {next} is not later than {last}, which the last signed zone has (RFC 1982)")]
    NotLater {
        /// What the policy gives.
        next: u32,
        /// What was published.
        last: u32,
    },
}

impl Advice for SerialError {
    fn hint(&self) -> Option<String> {
        Some("raise the serial of the unsigned zone, or take another serial policy".to_owned())
    }

    fn is_credential(&self) -> bool {
        false
    }
}

/// The serial of the next signed zone; `last` is that of the last one, where there is one.
///
/// `date` and `unixtime` go on from `last` by one when the clock gives no later one. `keep` may repeat it: then nothing but the
/// signatures changed, and who keeps serials wants it so.
pub fn next_serial(
    policy: SerialPolicy,
    unsigned: u32,
    last: Option<u32>,
    now: Time,
) -> Result<u32, SerialError> {
    let later = |candidate: u32| last.is_none_or(|last| Serial::from(candidate) > Serial::from(last));
    let after_last = |candidate: u32| match last {
        Some(last) if !later(candidate) => last.wrapping_add(1),
        Some(_) | None => candidate,
    };
    match policy {
        SerialPolicy::Keep => match last {
            Some(last) if last != unsigned && !later(unsigned) => {
                Err(SerialError::NotLater { next: unsigned, last })
            }
            Some(_) | None => Ok(unsigned),
        },
        SerialPolicy::Increment => Ok(after_last(unsigned)),
        SerialPolicy::Date => {
            let day = now
                .to_utc()
                .format("%Y%m%d")
                .to_string()
                .parse::<u32>()
                .map_or(0, |day| day);
            Ok(after_last(day.wrapping_mul(100)))
        }
        // RFC 1982 arithmetic goes on past 2106.
        SerialPolicy::Unixtime => Ok(after_last(now.unix_seconds() as u32)),
    }
}

/// The serial of a zone file, signed or not; `None` if it cannot be read as one.
pub fn serial_of(text: &[u8], file: &Path, zone: &ZoneName) -> Option<u32> {
    crate::zone::first_serial(text, file, zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_rise() {
        let now: Time = "2026-11-23T10:00:00Z".parse().unwrap();
        let next = |policy, unsigned, last| next_serial(policy, unsigned, last, now);
        assert_eq!(next(SerialPolicy::Keep, 7, None).unwrap(), 7);
        assert_eq!(next(SerialPolicy::Keep, 7, Some(7)).unwrap(), 7);
        assert!(next(SerialPolicy::Keep, 7, Some(9)).is_err());
        assert_eq!(next(SerialPolicy::Increment, 7, Some(9)).unwrap(), 10);
        assert_eq!(next(SerialPolicy::Increment, 12, Some(9)).unwrap(), 12);
        assert_eq!(next(SerialPolicy::Increment, 1, Some(u32::MAX)).unwrap(), 1);
        assert_eq!(next(SerialPolicy::Date, 1, None).unwrap(), 2_026_112_300);
        assert_eq!(
            next(SerialPolicy::Date, 1, Some(2_026_112_304)).unwrap(),
            2_026_112_305
        );
        assert_eq!(next(SerialPolicy::Unixtime, 1, None).unwrap(), 1_795_428_000);
        assert_eq!(
            next(SerialPolicy::Unixtime, 1, Some(1_795_428_000)).unwrap(),
            1_795_428_001
        );
    }
}
