//! A checkpoint: the log's name, its size and the root of its tree (C2SP tlog-checkpoint, no extension lines).

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use key_metadata::Digest;

use crate::script::Origin;

/// What is signed of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log.
    pub log: Origin,
    /// How many entries it has.
    pub size: u64,
    /// The Merkle root over them.
    pub root: Digest,
}

/// A text that is no checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is not three lines: the log's name, its size, and a root of 32 bytes in base64")]
pub struct CheckpointError;

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = BASE64_STANDARD.encode(self.root.bytes());
        writeln!(f, "{}\n{}\n{root}", self.log, self.size)
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.lines();
        let (Some(log), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(CheckpointError);
        };
        let root = BASE64_STANDARD.decode(root).map_err(|_| CheckpointError)?;
        let root: [u8; 32] = root.try_into().map_err(|_| CheckpointError)?;
        let checkpoint = Self {
            log: log.parse().map_err(|_| CheckpointError)?,
            size: size.parse().map_err(|_| CheckpointError)?,
            root: root.into(),
        };
        // One text for one checkpoint: no plus in front of the size, no blank behind the name.
        if checkpoint.to_string() == text {
            Ok(checkpoint)
        } else {
            Err(CheckpointError)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_lines_and_no_more() {
        let checkpoint = Checkpoint {
            log: "keyrite.nic.example/cr/2026-q4".parse().unwrap(),
            size: 142,
            root: Digest::of(b"x"),
        };
        let text = checkpoint.to_string();
        assert!(text.starts_with("keyrite.nic.example/cr/2026-q4\n142\n"));
        assert_eq!(text.parse(), Ok(checkpoint));
        for bad in [
            text.replace("142", "0142"),
            format!("{text}x\n"),
            text.trim().to_owned(),
            String::new(),
        ] {
            assert_eq!(bad.parse::<Checkpoint>(), Err(CheckpointError), "{bad:?}");
        }
    }
}
