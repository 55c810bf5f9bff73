//! The test of a random number generator by its output: SP 800-90B's two health tests, and two more for what they let pass.
//!
//! It finds gross failures only: a generator that is stuck, repeats itself or is heavily biased. The output of a DRBG whose seed is known
//! passes every test of this kind.

mod first_blocks;
mod health;
mod repeats;
mod report;

pub use first_blocks::{BlockDigest, BlockDigestError, FirstBlocks};
use key_metadata::Advice;
pub use repeats::Repeat;
pub use report::{Figure, RandomReport, RandomTestName};

use first_blocks::FirstBlocksOf;
use health::{BitBalance, Proportion, Repetition};
use repeats::Repeats;

/// A generator's output while it is tested, in pieces of any size. Of it, figures and digests are kept only.
#[derive(Default)]
pub struct RandomTest {
    bytes: u64,
    repetition: Repetition,
    proportion: Proportion,
    balance: BitBalance,
    repeats: Repeats,
    first_blocks: FirstBlocksOf,
}

/// Too little output to say anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{bytes} bytes are too few to test a generator, {} are the least",
    RandomTest::LEAST
)]
pub struct TooFewBytes {
    /// How many bytes there were.
    pub bytes: u64,
}

impl Advice for TooFewBytes {
    fn hint(&self) -> Option<String> {
        None
    }

    fn is_credential(&self) -> bool {
        false
    }
}

impl RandomTest {
    /// The least bytes that are judged. SP 800-90B 4.3 asks for 1024 samples at start-up; the rest is our choice, eight windows.
    pub const LEAST: u64 = 4096;

    /// A test that has seen nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the output.
    pub fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.repetition.push(*byte);
            self.proportion.push(*byte);
            self.balance.push(*byte);
            self.repeats.push(*byte);
            self.first_blocks.push(*byte);
            self.bytes += 1;
        }
    }

    /// What came of it.
    pub fn finish(self) -> Result<RandomReport, TooFewBytes> {
        let bytes = self.bytes;
        if bytes < Self::LEAST {
            return Err(TooFewBytes { bytes });
        }
        Ok(RandomReport {
            bytes,
            longest_run: self.repetition.figure(),
            largest_count: self.proportion.figure(),
            bit_difference: self.balance.figure(bytes),
            repeat: self.repeats.first(),
            first_blocks: self.first_blocks.finish(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::Verdict;
    use RandomTestName::{AdaptiveProportion, BitBalance, RepeatedBlock, RepetitionCount};

    /// The output of a good generator: SHA-256 of a counter.
    fn good(seed: u8, length: usize) -> Vec<u8> {
        let block = |counter: usize| Sha256::digest([&[seed][..], &counter.to_be_bytes()].concat());
        (0..length.div_ceil(32)).flat_map(block).take(length).collect()
    }

    fn test(bytes: &[u8]) -> RandomReport {
        let mut test = RandomTest::new();
        test.feed(bytes);
        test.finish().unwrap()
    }

    #[test]
    fn a_good_generator_passes() {
        for seed in 0..5 {
            let report = test(&good(seed, 65_536));
            assert!(report.passed(), "{report:?}");
            assert_eq!(report.bytes, 65_536);
        }
        assert!(test(&good(0, 4096)).passed());
        assert!(test(&good(0, 1 << 18)).passed());
    }

    #[test]
    fn a_generator_stuck_on_one_byte_fails_every_test() {
        for value in [0, 0xff, 7] {
            let report = test(&vec![value; 65_536]);
            let all = vec![RepetitionCount, AdaptiveProportion, BitBalance, RepeatedBlock];
            assert_eq!(report.failed_tests(), all);
            assert_eq!((report.longest_run.largest, report.longest_run.at), (65_536, 0));
            assert_eq!((report.largest_count.largest, report.largest_count.at), (512, 0));
            assert_eq!(report.repeat, Some(Repeat { at: 1, first_at: 0 }));
        }
        // Stuck for a moment only.
        let mut bytes = good(1, 65_536);
        bytes[40_001..40_007].fill(9);
        let report = test(&bytes);
        assert_eq!(report.failed_tests(), [RepetitionCount]);
        assert_eq!((report.longest_run.largest, report.longest_run.at), (6, 40_001));
    }

    #[test]
    fn a_generator_that_repeats_a_block_fails() {
        for period in [16, 17, 31, 100, 1000, 4096, 32_768] {
            let bytes: Vec<u8> = good(2, period).into_iter().cycle().take(65_536).collect();
            let report = test(&bytes);
            assert!(
                report.failed_tests().contains(&RepeatedBlock),
                "{period}: {report:?}"
            );
            assert_eq!(report.repeat.unwrap().first_at, 0);
            assert_eq!(report.repeat.unwrap().at, period as u64);
        }
    }

    #[test]
    fn a_generator_biased_to_one_eighth_fails() {
        // A byte is 0 with a probability of 1/8.
        let bytes: Vec<u8> = good(3, 65_536)
            .into_iter()
            .zip(good(4, 65_536))
            .map(|(byte, chance)| if chance < 32 { 0 } else { byte })
            .collect();
        for length in [4096, 65_536] {
            let failures = test(&bytes[..length]).failed_tests();
            assert!(failures.contains(&AdaptiveProportion), "{failures:?}");
        }
        // A bit is 1 with a probability of 1/8.
        let bytes: Vec<u8> = good(5, 65_536)
            .into_iter()
            .zip(good(6, 65_536))
            .zip(good(7, 65_536))
            .map(|((one, two), three)| one & two & three)
            .collect();
        let failures = test(&bytes).failed_tests();
        assert!(failures.contains(&AdaptiveProportion) && failures.contains(&BitBalance));
    }

    #[test]
    fn a_stuck_bit_fails_though_the_health_tests_pass_it() {
        for (bit, set) in [(0, 0), (3, 1 << 3), (7, 1 << 7)] {
            let bytes: Vec<u8> = good(8, 65_536)
                .into_iter()
                .map(|byte| byte & !(1 << bit) | set)
                .collect();
            let report = test(&bytes);
            assert_eq!(report.failed_tests(), [BitBalance], "{report:?}");
            assert_eq!(report.bit_difference.largest, 65_536);
            assert_eq!(report.bit_difference.at, bit);
        }
    }

    #[test]
    fn a_counter_fails() {
        let bytes: Vec<u8> = (0..65_536u32).map(|byte| byte.to_le_bytes()[0]).collect();
        assert!(!test(&bytes).passed());
        let bytes: Vec<u8> = (0..16_384u32).flat_map(u32::to_be_bytes).collect();
        assert!(!test(&bytes).passed());
    }

    #[test]
    fn too_few_bytes_are_not_judged() {
        for length in [0, 1, 4095] {
            let mut test = RandomTest::new();
            test.feed(&good(9, length));
            let bytes = length as u64;
            assert_eq!(test.finish().unwrap_err(), TooFewBytes { bytes });
        }
    }

    #[test]
    fn a_report_is_read_back_as_it_was_written() {
        let report = test(&good(10, 4096));
        let text = serde_json::to_string(&report).unwrap();
        assert!(
            text.starts_with(r#"{"bytes":4096,"longest-run":{"largest":"#),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<RandomReport>(&text).unwrap(), report);
        let bad = text.replacen("\"first-blocks\":[\"", "\"first-blocks\":[\"0", 1);
        assert!(serde_json::from_str::<RandomReport>(&bad).is_err());
    }

    #[test]
    fn output_that_was_seen_before_a_restart_is_known_again() {
        let (before, other) = (test(&good(11, 8192)), test(&good(12, 8192)));
        assert_eq!(other.seen_before(&before.first_blocks), None);
        assert_eq!(before.seen_before(&before.first_blocks), Some(0));
        assert_eq!(other.finding_after(&before.first_blocks), other.finding());
        let again = before.finding_after(&before.first_blocks);
        assert_eq!(again.verdict, Verdict::Fail);
        assert!(
            again.evidence.starts_with("it gives the same after a restart"),
            "{again:?}"
        );
        // It starts anew after some bytes, or had said the last of the kept blocks only.
        let shifted = [good(12, 320), good(11, 4096)].concat();
        assert_eq!(test(&shifted).seen_before(&before.first_blocks), Some(320));
        for (from, seen) in [(2016, Some(0)), (2048, None)] {
            let later = test(&good(11, 8192)[from..]);
            assert_eq!(later.seen_before(&before.first_blocks), seen);
        }
    }

    #[test]
    fn a_finding_has_the_figures_and_says_what_they_show() {
        let pass = test(&good(13, 65_536)).finding();
        assert_eq!(
            (pass.check.as_str(), pass.verdict, pass.remedy),
            ("rng", Verdict::Pass, None)
        );
        assert!(
            pass.evidence.starts_with("65536 bytes; longest run "),
            "{}",
            pass.evidence
        );
        assert!(pass.evidence.ends_with(RandomReport::SHOWS), "{}", pass.evidence);
        let fail = test(&[0; 4096]).finding();
        assert_eq!((fail.check.as_str(), fail.verdict), ("rng", Verdict::Fail));
        assert_eq!(
            fail.evidence,
            "it fails repetition count, adaptive proportion, bit balance, repeated block: 4096 bytes; longest run 4096 at byte 0 \
             (cut-off 6); most of one value in 512 bytes 512 at byte 0 (cut-off 19); ones and zeros of bit 0 differ by 4096 \
             (cut-off 483); the 16 bytes at byte 0 come again at byte 1"
        );
        assert!(fail.remedy.is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn pieces_of_any_size_are_tested_as_one(
            seed: u8,
            copy in 0usize..9000,
            mut cuts in proptest::collection::vec(0usize..9000, 0..20),
        ) {
            let mut bytes = good(seed, 9000);
            let copied = bytes[..40].to_vec();
            let end = (copy + 40).min(bytes.len());
            bytes[copy..end].copy_from_slice(&copied[..end - copy]);
            cuts.sort_unstable();
            let mut pieces = RandomTest::new();
            let mut from = 0;
            for cut in cuts {
                pieces.feed(&bytes[from..cut]);
                from = cut;
            }
            pieces.feed(&bytes[from..]);
            prop_assert_eq!(pieces.finish().unwrap(), test(&bytes));
        }

        #[test]
        fn a_repeat_of_31_bytes_is_found_wherever_it_is(
            seed: u8,
            first in 0usize..5000,
            gap in 1usize..3000,
            length in 31usize..100,
        ) {
            let mut bytes = good(seed, 9000);
            let again = first + gap;
            for i in 0..length {
                bytes[again + i] = bytes[first + i];
            }
            let repeat = test(&bytes).repeat.unwrap();
            prop_assert_eq!(repeat.at - repeat.first_at, gap as u64);
            prop_assert!(repeat.first_at >= first as u64 && repeat.first_at < first as u64 + 16);
        }

        #[test]
        fn every_period_is_found(seed: u8, period in 1usize..8000) {
            let bytes: Vec<u8> = good(seed, period).into_iter().cycle().take(period + 8192).collect();
            prop_assert!(!test(&bytes).passed());
        }
    }
}
