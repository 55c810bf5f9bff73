//! What the test of a generator came to.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{FirstBlocks, Repeat};
use crate::finding::Finding;

/// The check's name.
const CHECK: &str = "rng";
/// What is to be done about a generator that fails.
const REMEDY: &str = "make no key and draw no PIN with it; power it off and on and test it again: if it fails again, it is broken";

/// A figure that grows as a generator gets worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Figure {
    /// The largest that was seen.
    pub largest: u64,
    /// From this on, the generator fails.
    pub cut_off: u64,
    /// Where it was seen; see each figure.
    pub at: u64,
}

impl Figure {
    /// Whether the generator fails by it.
    pub const fn fails(&self) -> bool {
        self.largest >= self.cut_off
    }
}

impl fmt::Display for Figure {
    /// Short, for a table: `2/6`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.largest, self.cut_off)
    }
}

/// The figures of a generator's output, [`super::RandomTest::LEAST`] bytes of it or more. Offsets are in bytes from its start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RandomReport {
    /// How many bytes were tested.
    pub bytes: u64,
    /// Equal bytes in a row, and the offset of the first (SP 800-90B 4.4.1).
    pub longest_run: Figure,
    /// Equal bytes in a window of 512, and the window's offset (SP 800-90B 4.4.2).
    pub largest_count: Figure,
    /// By how much the ones and the zeros of a bit differ in number, and which of a byte's bits it is; 0 is the lowest.
    pub bit_difference: Figure,
    /// The first block of 16 bytes that came again.
    pub repeat: Option<Repeat>,
    /// The start of the output, to be known again after a restart.
    pub first_blocks: FirstBlocks,
}

/// One of the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RandomTestName {
    /// SP 800-90B 4.4.1.
    RepetitionCount,
    /// SP 800-90B 4.4.2.
    AdaptiveProportion,
    /// Each bit is set half of the time.
    BitBalance,
    /// No block comes twice.
    RepeatedBlock,
}

impl fmt::Display for RandomTestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RepetitionCount => "repetition count",
            Self::AdaptiveProportion => "adaptive proportion",
            Self::BitBalance => "bit balance",
            Self::RepeatedBlock => "repeated block",
        })
    }
}

impl RandomReport {
    /// What such tests can show, for whoever reads of one that was passed.
    pub const SHOWS: &str = "These tests find gross failures only: what a TPM or a token gives is the output of a DRBG, which passes them \
                             even when its seed is known.";

    /// The tests that the generator failed; none if it passed.
    pub fn failed_tests(&self) -> Vec<RandomTestName> {
        let verdicts = [
            (RandomTestName::RepetitionCount, self.longest_run.fails()),
            (RandomTestName::AdaptiveProportion, self.largest_count.fails()),
            (RandomTestName::BitBalance, self.bit_difference.fails()),
            (RandomTestName::RepeatedBlock, self.repeat.is_some()),
        ];
        let failed = verdicts.into_iter().filter(|(_, fails)| *fails);
        failed.map(|(name, _)| name).collect()
    }

    /// Whether the generator passed every test.
    pub fn passed(&self) -> bool {
        self.failed_tests().is_empty()
    }

    /// Whether the start of this output holds a block from the start of an earlier one: its offset here, in bytes.
    ///
    /// Blocks are compared where they are in a run, at multiples of 32 bytes: a generator that begins anew after a restart is found if it is
    /// asked the same again.
    pub fn seen_before(&self, earlier: &FirstBlocks) -> Option<u64> {
        self.first_blocks.seen_before(earlier)
    }

    /// The verdict on this output alone.
    pub fn finding(&self) -> Finding {
        let failed = self.failed_tests();
        if failed.is_empty() {
            return Finding::pass(CHECK, format!("{self}. {}", Self::SHOWS));
        }
        let names: Vec<_> = failed.iter().map(ToString::to_string).collect();
        Finding::fail(CHECK, format!("it fails {}: {self}", names.join(", ")), REMEDY)
    }

    /// The verdict on this output, and on its being another than before a restart.
    pub fn finding_after(&self, earlier: &FirstBlocks) -> Finding {
        match self.seen_before(earlier) {
            None => self.finding(),
            Some(offset) => Finding::fail(
                CHECK,
                format!("it gives the same after a restart as before, from byte {offset} on: {self}"),
                REMEDY,
            ),
        }
    }
}

impl fmt::Display for RandomReport {
    /// The figures, each with its cut-off.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (run, count, bit) = (self.longest_run, self.largest_count, self.bit_difference);
        write!(f, "{} bytes; ", self.bytes)?;
        write!(
            f,
            "longest run {} at byte {} (cut-off {}); ",
            run.largest, run.at, run.cut_off
        )?;
        write!(
            f,
            "most of one value in 512 bytes {} at byte {} (cut-off {}); ",
            count.largest, count.at, count.cut_off
        )?;
        write!(
            f,
            "ones and zeros of bit {} differ by {} (cut-off {}); ",
            bit.at, bit.largest, bit.cut_off
        )?;
        match self.repeat {
            None => f.write_str("no block of 16 bytes repeated"),
            Some(Repeat { at, first_at }) => {
                write!(f, "the 16 bytes at byte {first_at} come again at byte {at}")
            }
        }
    }
}
