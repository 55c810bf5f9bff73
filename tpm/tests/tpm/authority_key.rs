//! The key pair of an authority, made and used by openssl.

use std::fs;
use std::path::Path;
use std::process::Command;

use key_metadata::{Approvals, PcrNumber, PcrSelection, PolicyDigest};
use keyrite_tpm::{Authority, PcrAccess, to_be_approved};

/// A key pair in a folder of its own.
pub struct AuthorityKey {
    folder: tempfile::TempDir,
}

pub const P256: [&str; 4] = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
pub const RSA: [&str; 4] = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];

impl AuthorityKey {
    pub fn new(kind: [&str; 4]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        openssl(folder.path(), &[&["genpkey", "-out", "key"], &kind[..]].concat());
        openssl(
            folder.path(),
            &["pkey", "-in", "key", "-pubout", "-out", "key.pem"],
        );
        Self { folder }
    }

    /// The file with the public key.
    pub fn pem(&self) -> String {
        self.folder.path().join("key.pem").display().to_string()
    }

    pub fn public(&self) -> Authority {
        Authority::from_pem(&fs::read_to_string(self.pem()).unwrap()).unwrap()
    }

    pub fn sign(&self, digest: PolicyDigest) -> Vec<u8> {
        fs::write(self.folder.path().join("data"), to_be_approved(digest)).unwrap();
        openssl(
            self.folder.path(),
            &["dgst", "-sha256", "-sign", "key", "-out", "data.sig", "data"],
        );
        fs::read(self.folder.path().join("data.sig")).unwrap()
    }

    /// A policy of this authority, with the approvals in that folder.
    pub fn access(&self, pcr: u8, approved: &Path) -> PcrAccess {
        let approvals = Approvals::new(approved.to_owned());
        PcrAccess::new(self.public(), pcrs(&[pcr]), approvals)
    }
}

pub fn openssl(folder: &Path, arguments: &[&str]) {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

pub fn pcrs(numbers: &[u8]) -> PcrSelection {
    let numbers: Vec<_> = numbers
        .iter()
        .map(|number| PcrNumber::try_from(*number).unwrap())
        .collect();
    numbers.try_into().unwrap()
}
