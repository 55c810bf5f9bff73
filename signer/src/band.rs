//! How far a zone may differ from the last one that was released: a broken export is to be seen before the world sees it.

use cli::{Exit, Failure, Outcome};
use key_metadata::{Release, ZoneName};

use crate::figures::Figures;

/// By so much a zone may change whatever its policy says, so that a small one can grow: ten records, or a hundred octets for each. Our choice.
const RECORDS: u64 = 10;
const OCTETS: u64 = 1000;

/// What a zone is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// How many records it has that signing did not make.
    pub records: u64,
    /// How many octets they are.
    pub octets: u64,
}

impl From<&Release> for Size {
    fn from(release: &Release) -> Self {
        Self {
            records: release.records,
            octets: release.record_octets,
        }
    }
}

impl From<&Figures> for Size {
    fn from(figures: &Figures) -> Self {
        Self {
            records: figures.records,
            octets: figures.record_octets,
        }
    }
}

/// Refuses a zone that differs from the last one by more than so many percent.
pub fn check(zone: &ZoneName, last: Size, new: Size, percent: u8) -> Outcome {
    let figures = [
        ("records", last.records, new.records, RECORDS),
        ("octets of records", last.octets, new.octets, OCTETS),
    ];
    for (what, last, new, slack) in figures {
        // A 64-bit count of anything times a hundred is more than 64 bits.
        let most = (u128::from(last) * u128::from(percent) / 100).max(u128::from(slack));
        if u128::from(last.abs_diff(new)) > most {
            let failure = Failure::new(
                Exit::SaysNo,
                format!(
                    "zone {zone} has {new} {what}, and the last release had {last}: the policy's safety.largest-change is {percent}%"
                ),
            );
            return Err(failure.hint(format!(
                "the last signed zone was kept; look at the unsigned one, and if it is right: keyrite-signer sign --zone {zone} --accept-change"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(last: u64, new: u64, percent: u8) -> bool {
        let size = |records| Size {
            records,
            octets: 5000,
        };
        check(&"cr".parse().unwrap(), size(last), size(new), percent).is_ok()
    }

    #[test]
    fn a_change_is_refused_either_way() {
        assert!(passes(1000, 1200, 20) && passes(1000, 800, 20));
        assert!(!passes(1000, 1201, 20) && !passes(1000, 799, 20));
        assert!(passes(10, 20, 1) && passes(10, 0, 1) && !passes(10, 21, 1));
        assert!(passes(u64::MAX, u64::MAX, 100) && !passes(u64::MAX, 0, 99));
        let zone = "cr".parse().unwrap();
        let (last, new) = (
            Size {
                records: 9,
                octets: 9000,
            },
            Size {
                records: 9,
                octets: 90,
            },
        );
        let refused = check(&zone, last, new, 20).unwrap_err();
        assert_eq!(refused.exit(), Exit::SaysNo);
        assert!(
            refused
                .in_a_line()
                .contains("has 90 octets of records, and the last release had 9000")
        );
        assert!(
            refused
                .next_step()
                .unwrap()
                .ends_with("--zone cr --accept-change")
        );
    }
}
