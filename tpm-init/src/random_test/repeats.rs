//! Blocks that come again.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The length of a block, in bytes.
const BLOCK: u64 = 16;

/// A block that came twice, by the offsets of its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Repeat {
    /// Where it came again.
    pub at: u64,
    /// Where it came first.
    pub first_at: u64,
}

/// The search for a block of 16 bytes that comes again, at whatever distance.
///
/// The blocks at multiples of 16 are remembered, and every block is compared with them. Any 31 bytes contain one of those, so a repeat of
/// 31 bytes is found wherever it is. Of a block, half of its SHA-256 is remembered, so that no tested block stays in memory.
///
/// In n good bytes there are n^2 / 32 comparisons, each alike (the block or its digest) with a probability of 2^-127: good bytes fail in
/// 64 KiB with a probability of 2^-100.
#[derive(Default)]
pub(super) struct Repeats {
    position: u64,
    last: Zeroizing<u128>,
    seen: HashMap<[u8; 16], u64>,
    first: Option<Repeat>,
}

impl Repeats {
    pub(super) fn push(&mut self, byte: u8) {
        *self.last = *self.last << 8 | u128::from(byte);
        self.position += 1;
        // One is enough.
        if self.first.is_some() || self.position < BLOCK {
            return;
        }
        let at = self.position - BLOCK;
        let digest = half_digest(&*Zeroizing::new(self.last.to_be_bytes()));
        if let Some(first_at) = self.seen.get(&digest) {
            let first_at = *first_at;
            self.first = Some(Repeat { at, first_at });
            self.seen.clear();
        } else if at.is_multiple_of(BLOCK) {
            self.seen.insert(digest, at);
        }
    }

    pub(super) const fn first(&self) -> Option<Repeat> {
        self.first
    }
}

/// The first 16 bytes of the SHA-256 of a block.
pub(super) fn half_digest(block: &[u8]) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(block).into();
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    half
}
