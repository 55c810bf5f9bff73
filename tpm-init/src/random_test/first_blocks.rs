//! The first blocks of a generator's output, by which it is known again if it says the same after a restart.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::repeats::half_digest;

/// The length of a block, in bytes. Two good blocks are alike with a probability of 2^-128 (their digests').
const BLOCK: usize = 32;
/// How many are kept: the first 2 KiB of the output.
const KEPT: usize = 64;

/// The first 16 bytes of the SHA-256 of a block of 32 bytes; written as 32 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct BlockDigest([u8; 16]);

/// A text is no digest of a block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no digest of a block: it has 32 hex digits")]
pub struct BlockDigestError(String);

impl fmt::Display for BlockDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for BlockDigest {
    type Err = BlockDigestError;

    fn from_str(text: &str) -> Result<Self, BlockDigestError> {
        let mut digest = [0; 16];
        match hex::decode_to_slice(text, &mut digest) {
            Ok(()) => Ok(Self(digest)),
            Err(_) => Err(BlockDigestError(text.to_owned())),
        }
    }
}

impl TryFrom<String> for BlockDigest {
    type Error = BlockDigestError;

    fn try_from(text: String) -> Result<Self, BlockDigestError> {
        text.parse()
    }
}

impl From<BlockDigest> for String {
    fn from(digest: BlockDigest) -> Self {
        digest.to_string()
    }
}

/// The digests of the first 64 blocks of 32 bytes of a generator's output, in order.
///
/// To be kept over a restart: the digests tell nothing of the blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FirstBlocks(Vec<BlockDigest>);

impl FirstBlocks {
    /// The offset of the first block that is one of `earlier`, in bytes.
    pub(super) fn seen_before(&self, earlier: &Self) -> Option<u64> {
        let found = self.0.iter().position(|digest| earlier.0.contains(digest));
        found.map(|index| (index * BLOCK) as u64)
    }
}

/// The first blocks while the output comes in.
#[derive(Default)]
pub(super) struct FirstBlocksOf {
    digests: Vec<BlockDigest>,
    block: Zeroizing<[u8; BLOCK]>,
    filled: usize,
}

impl FirstBlocksOf {
    pub(super) fn push(&mut self, byte: u8) {
        if self.digests.len() == KEPT {
            return;
        }
        self.block[self.filled] = byte;
        self.filled += 1;
        if self.filled == BLOCK {
            self.digests.push(BlockDigest(half_digest(&*self.block)));
            self.filled = 0;
        }
    }

    pub(super) fn finish(self) -> FirstBlocks {
        FirstBlocks(self.digests)
    }
}
