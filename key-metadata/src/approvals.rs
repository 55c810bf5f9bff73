//! `tpm/<name>/approved/`: the signatures by which a PCR policy's authority approves states of the machine.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::store::{StoreError, read_bytes_if_there, replace};

/// The digest of a TPM policy (SHA-256), as hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyDigest(pub [u8; 32]);

/// A text that is no such digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a policy digest has 64 hex digits")]
pub struct PolicyDigestError;

impl FromStr for PolicyDigest {
    type Err = PolicyDigestError;

    fn from_str(text: &str) -> Result<Self, PolicyDigestError> {
        let mut digest = [0; 32];
        hex::decode_to_slice(text, &mut digest).map_err(|_| PolicyDigestError)?;
        Ok(Self(digest))
    }
}

impl fmt::Display for PolicyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PolicyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PolicyDigest({self})")
    }
}

/// The approvals for one TPM: each is a file `<policy digest>.sig` with a signature as `openssl dgst -sha256 -sign` makes it.
#[derive(Clone, Debug)]
pub struct Approvals {
    folder: PathBuf,
}

impl Approvals {
    /// The approvals in that folder, which need not be there.
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where the approval of a policy is, or would be.
    pub fn path(&self, digest: PolicyDigest) -> PathBuf {
        self.folder.join(format!("{digest}.sig"))
    }

    /// The signature that approves a policy, unchecked; `None` if there is none.
    pub fn read(&self, digest: PolicyDigest) -> Result<Option<Vec<u8>>, StoreError> {
        read_bytes_if_there(&self.path(digest))
    }

    /// Keeps a signature that approves a policy.
    pub fn write(&self, digest: PolicyDigest, signature: &[u8]) -> Result<(), StoreError> {
        replace(&self.path(digest), |out| out.write_all(signature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_approval_is_found_by_its_digest() {
        let folder = tempfile::tempdir().unwrap();
        let approvals = Approvals::new(folder.path().join("approved"));
        let digest: PolicyDigest = "5a".repeat(32).parse().unwrap();
        assert!(approvals.read(digest).unwrap().is_none());
        approvals.write(digest, b"signature").unwrap();
        assert_eq!(approvals.read(digest).unwrap().unwrap(), b"signature");
        assert!(approvals.path(digest).ends_with(format!("approved/{digest}.sig")));
        assert!("5a".parse::<PolicyDigest>().is_err());
    }
}
