//! What a signature's file says of the key that made it. Whether the signature holds is for [`verify`](crate::verify()) to say.

use serde::Serialize;
use ssh_key::{HashAlg, PublicKey};

use crate::armour::SignatureFile;
use crate::verify::SecurityKey;

/// The key of a signature, by what its file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SignerSeen {
    /// The key's type, such as `ssh-ed25519`.
    pub key_type: String,
    /// Its fingerprint, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
    /// What a security key says.
    pub security_key: Option<SecurityKey>,
}

impl SignerSeen {
    /// The key of an armoured signature; `None` where it is none.
    pub fn of(armoured: &[u8]) -> Option<Self> {
        let file = SignatureFile::read(armoured).ok()?;
        let key = PublicKey::from_bytes(&file.key).ok()?;
        Some(Self {
            key_type: key.algorithm().to_string(),
            fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
            security_key: file.security_key(),
        })
    }
}
