//! Key files with the private key in them, which BIND, ldns and Knot DNS sign with: of a laboratory.

use std::path::Path;

use key_metadata::store;
use key_metadata::{KeyId, RsaSecret, SoftwareSecret, Time};

use super::private_file::{PrivateFile, PrivateKey, RsaIntegers};
use super::{KeyFile, KeyFileName};
use crate::error::ExportError;
use crate::records::Dnskey;
use crate::times::{Event, Times};

/// The two files of a key, as dnssec-keygen writes them for a key that is in use from now on.
pub struct SoftwareFiles {
    /// What their names begin with.
    pub name: KeyFileName,
    key: KeyFile,
    private: PrivateFile,
}

impl SoftwareFiles {
    /// The files of a new key. Keyrite finds it by the id, which is a comment in `.key`.
    pub fn new(dnskey: Dnskey, secret: &SoftwareSecret, id: KeyId, now: Time) -> Self {
        let times: Times = [Event::Generated, Event::Published, Event::Active]
            .map(|event| (event, now))
            .into_iter()
            .collect();
        let algorithm = dnskey.public_key.algorithm();
        let private = match (secret, dnskey.public_key.rsa_parts()) {
            (SoftwareSecret::Rsa(secret), Some((modulus, exponent))) => PrivateKey::Rsa(RsaIntegers {
                modulus: modulus.to_vec(),
                exponent: exponent.to_vec(),
                secret: RsaSecret {
                    private_exponent: secret.private_exponent.clone(),
                    prime1: secret.prime1.clone(),
                    prime2: secret.prime2.clone(),
                    exponent1: secret.exponent1.clone(),
                    exponent2: secret.exponent2.clone(),
                    coefficient: secret.coefficient.clone(),
                },
            }),
            (SoftwareSecret::Scalar(scalar), None) => PrivateKey::Scalar(scalar.clone()),
            // Of no key: it is refused when it is written.
            (SoftwareSecret::Rsa(_), None) | (SoftwareSecret::Scalar(_), Some(_)) => PrivateKey::NotTaken,
        };
        Self {
            name: KeyFileName::of(&dnskey),
            key: KeyFile {
                id: Some(id),
                ..KeyFile::new(dnskey, &times)
            },
            private: PrivateFile::new(algorithm, private, times),
        }
    }

    /// Writes them into the folder, which nobody else is writing to: `.key` first, since by it a run that was killed is taken back. A file that is
    /// there is the caller's to find.
    pub fn write(&self, folder: &Path) -> Result<(), ExportError> {
        let path = |suffix: &str| folder.join(format!("{}{suffix}", self.name));
        let private_path = path(".private");
        let private = self
            .private
            .render_private_key()
            .ok_or_else(|| ExportError::PrivateKey {
                path: private_path.clone(),
            })?;
        store::replace(&path(".key"), |out| {
            out.write_all(self.key.to_string().as_bytes())
        })?;
        Ok(store::replace_private(&private_path, private.as_bytes())?)
    }
}
