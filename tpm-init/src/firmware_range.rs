//! Ranges of firmware versions, as the table writes them.

use serde::Deserialize;
use tpm::Firmware;

/// Ranges, joined by commas: `7.2.4.1, 71.0-71.12, 5.62-5`. Both ends are in the range, and an end of fewer than four numbers stands for all
/// that begin with them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct FirmwareRanges(Vec<(Vec<u16>, Vec<u16>)>);

impl TryFrom<String> for FirmwareRanges {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let ranges: Option<Vec<_>> = text.split(", ").map(range).collect();
        ranges
            .map(Self)
            .ok_or_else(|| format!("'{text}' is no list of firmware versions; write 7.2.4.1, 71.0-71.12"))
    }
}

fn range(text: &str) -> Option<(Vec<u16>, Vec<u16>)> {
    let (first, last) = text.split_once('-').map_or((text, text), |ends| ends);
    let (first, last) = (numbers(first)?, numbers(last)?);
    // 5.62-5 is in order: of the numbers that both have, none of the first is beyond the last.
    let common = first.len().min(last.len());
    (first[..common] <= last[..common]).then_some((first, last))
}

fn numbers(text: &str) -> Option<Vec<u16>> {
    let numbers: Option<Vec<u16>> = text.split('.').map(|number| number.parse().ok()).collect();
    numbers.filter(|numbers| numbers.len() <= 4)
}

impl FirmwareRanges {
    pub(crate) fn contain(&self, firmware: Firmware) -> bool {
        self.around(firmware).next().is_some()
    }

    /// Whether a range has the version that ends at a version, not with all that are still to come: 5.62-5 names none.
    pub(crate) fn name(&self, firmware: Firmware) -> bool {
        self.around(firmware)
            .any(|(first, last)| first.len() <= last.len())
    }

    /// The ranges that have a version.
    fn around(&self, firmware: Firmware) -> impl Iterator<Item = &(Vec<u16>, Vec<u16>)> {
        let Firmware(high, low) = firmware;
        let version = [(high >> 16) as u16, high as u16, (low >> 16) as u16, low as u16];
        self.0.iter().filter(move |(first, last)| {
            first[..] <= version[..first.len()] && version[..last.len()] <= last[..]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firmware(version: &str) -> Firmware {
        let mut four = numbers(version).unwrap();
        four.resize(4, 0);
        let word = |high: u16, low: u16| u32::from(high) << 16 | u32::from(low);
        Firmware(word(four[0], four[1]), word(four[2], four[3]))
    }

    fn check(ranges: &str, inside: &[&str], outside: &[&str]) {
        let ranges = FirmwareRanges::try_from(ranges.to_owned()).unwrap();
        for version in inside {
            assert!(ranges.contain(firmware(version)), "{version} in {ranges:?}");
        }
        for version in outside {
            assert!(!ranges.contain(firmware(version)), "{version} not in {ranges:?}");
        }
    }

    #[test]
    fn borders() {
        check("7.2.4.1", &["7.2.4.1"], &["7.2.4.0", "7.2.4.2", "7.2", "7.2.5.1"]);
        check(
            "73.8",
            &["73.8", "73.8.1.2", "73.8.65535.65535"],
            &["73.7.65535.65535", "73.9", "72.8"],
        );
        check(
            "4.0-4.33, 4.40-4.42",
            &["4.0", "4.33.65535.65535", "4.40", "4.42.1"],
            &["3.65535.65535.65535", "4.34", "4.39.65535.65535", "4.43", "5.0"],
        );
        check(
            "5.62-5",
            &["5.62", "5.62.0.1", "5.65535.65535.65535"],
            &["5.61.65535.65535", "6.0", "4.62"],
        );
        check(
            "7.2.0-7.2.1",
            &["7.2.0.1", "7.2.1.65535"],
            &["7.2.2.0", "7.1.65535"],
        );
    }

    #[test]
    fn an_open_range_names_nothing() {
        let names = |ranges: &str, version| {
            FirmwareRanges::try_from(ranges.to_owned())
                .unwrap()
                .name(firmware(version))
        };
        assert!(!names("5.62-5", "5.62") && names("5.62-5, 5.62", "5.62"));
        assert!(names("4.34-4.39", "4.36") && names("7.0-7.2.3", "7.1"));
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", "x", "1.2.3.4.5", "4.33-4.0", "65536", "1-", "1,2", "1.", "-1"] {
            assert!(FirmwareRanges::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
