//! The files of a ceremony.

use std::path::{Path, PathBuf};

use key_metadata::Digest;

use crate::script::Seat;

/// A ceremony's folder: `ceremonies/<id>` of a site, or a copy of it anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CeremonyFolder(PathBuf);

impl CeremonyFolder {
    /// The folder at that path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// That of a ceremony of a site.
    pub fn of_site(site: &Path, id: &str) -> Self {
        Self(site.join("ceremonies").join(id))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file of it.
    pub fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    /// The log.
    pub fn log(&self) -> PathBuf {
        self.file("log.jsonl")
    }

    /// The script, as it was when the ceremony began.
    pub fn script(&self) -> PathBuf {
        self.file("script.yaml")
    }

    /// Who may sign, in OpenSSH's form.
    pub fn allowed_signers(&self) -> PathBuf {
        self.file("allowed_signers")
    }

    /// The attestation key's public key.
    pub fn ak(&self) -> PathBuf {
        self.file("ak.pem")
    }

    /// The public key of the log's key in the token.
    pub fn token(&self) -> PathBuf {
        self.file("token.pem")
    }

    /// A file by its digest.
    pub fn evidence(&self, sha256: &Digest) -> PathBuf {
        self.file("evidence").join(sha256.to_string())
    }
}

/// The names of the files about a checkpoint.
pub mod names {
    use super::Seat;

    /// The checkpoint.
    pub fn checkpoint(number: u64) -> String {
        format!("checkpoint-{number}")
    }

    /// A person's signature: armoured SSHSIG, namespace [`NAMESPACE`].
    pub fn signature(number: u64, seat: &Seat) -> String {
        format!("checkpoint-{number}.{seat}.sig")
    }

    /// The namespace of these signatures.
    pub const NAMESPACE: &str = "checkpoint@keyrite";

    /// The token's signature, as openssl takes it: ECDSA in DER, or RSASSA-PKCS1-v1_5, with SHA-256.
    pub fn token(number: u64) -> String {
        format!("checkpoint-{number}.token.sig")
    }

    /// The TPM's statements: what of `extend`, `counter` or `quote`, as `attest` (TPMS_ATTEST), `sig` (ECDSA in DER, for openssl), and for
    /// the quote also `tss` (TPMT_SIGNATURE) and `pcrs` (the values), for tpm2_checkquote.
    pub fn tpm(number: u64, what: &str, form: &str) -> String {
        format!("checkpoint-{number}.{what}.{form}")
    }

    /// A recording.
    pub fn cast(number: u64) -> String {
        format!("cast-{number}")
    }

    /// The end of a line that was not written whole.
    pub fn torn(number: u64) -> String {
        format!("torn-{number}")
    }
}
