//! Whether a signature is that of a principal.

use key_metadata::{Advice, Time};
use serde::Serialize;
use ssh_key::{Algorithm, HashAlg, SshSig};

use crate::allowed_signers::{AllowedKey, AllowedSigners};
use crate::armour::{ArmourError, SignatureFile};

/// What a signature must be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Who may sign.
    pub allowed: &'a AllowedSigners,
    /// Who did.
    pub principal: &'a str,
    /// For what, such as `checkpoint@keyrite`.
    pub namespace: &'a str,
    /// When: a key must have been valid then. It is the time of the seal, since a signature has none.
    pub at: Time,
}

/// A good signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The line of the key in the allowed signers.
    pub line: u64,
    /// The key's type, such as `ssh-ed25519`.
    pub key_type: String,
    /// Its fingerprint, `SHA256:` and base64.
    pub fingerprint: String,
    /// What a security key says of the one who signed; `None` for other keys.
    pub security_key: Option<SecurityKey>,
}

/// What a security key (FIDO) signs with the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SecurityKey {
    /// All flags.
    pub flags: u8,
    /// How many signatures it made, as it counts.
    pub counter: u32,
}

impl SecurityKey {
    /// UP: somebody touched it.
    pub fn user_present(self) -> bool {
        self.flags & 0x01 != 0
    }

    /// UV: it asked for a PIN or a finger.
    pub fn user_verified(self) -> bool {
        self.flags & 0x04 != 0
    }
}

/// Why a signature is not good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The file.
    #[error("the signature is no armoured SSH signature")]
    Armour(#[source] ArmourError),
    /// It is for something else.
    #[error("the signature is for namespace '{found}', not '{wanted}'")]
    Namespace {
        /// Its namespace.
        found: String,
        /// The one that is wanted.
        wanted: String,
    },
    /// Another hash of the message.
    #[error("the signature is over the '{found}' of the message, not its sha512")]
    Hash {
        /// The hash.
        found: String,
    },
    /// Nobody has that name.
    #[error("the allowed signers do not name '{principal}'")]
    UnknownPrincipal {
        /// The name.
        principal: String,
    },
    /// Another key.
    #[error("the signature is by key {fingerprint}, which is none of '{principal}'")]
    WrongKey {
        /// The principal.
        principal: String,
        /// The key that signed.
        fingerprint: String,
    },
    /// The key's line leaves the namespace out.
    #[error("the key on line {line} of the allowed signers does not sign for namespace '{namespace}'")]
    NamespaceRefused {
        /// The line.
        line: u64,
        /// The namespace.
        namespace: String,
    },
    /// The key was not valid then.
    #[error("the key on line {line} of the allowed signers was not valid at {at}")]
    NotValid {
        /// The line.
        line: u64,
        /// The time.
        at: Time,
    },
    /// The signature's algorithm is none of the key's.
    #[error("a signature of algorithm '{algorithm}' by a key of type '{key_type}'")]
    Algorithm {
        /// The signature's.
        algorithm: String,
        /// The key's.
        key_type: String,
    },
    /// It is not a signature over these bytes.
    #[error("the signature by key {fingerprint} is not one over these bytes")]
    Wrong {
        /// The key.
        fingerprint: String,
    },
    /// Nobody touched the security key; ssh-keygen does not look.
    #[error(
        "nobody touched the security key {fingerprint}: its flags are {flags:#04x}, without user presence"
    )]
    NotTouched {
        /// The key.
        fingerprint: String,
        /// The flags.
        flags: u8,
        /// The counter.
        counter: u32,
    },
}

impl Advice for VerifyError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::WrongKey { .. } => {
                Some("sign with a key that the allowed signers have for that principal".to_owned())
            }
            Self::NotTouched { .. } => Some("make the key without the option no-touch-required".to_owned()),
            Self::UnknownPrincipal { .. }
            | Self::NamespaceRefused { .. }
            | Self::NotValid { .. }
            | Self::Armour(_)
            | Self::Namespace { .. }
            | Self::Hash { .. }
            | Self::Algorithm { .. }
            | Self::Wrong { .. } => None,
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}

/// Verifies an armoured signature over the message. Wherever this says yes, so does `ssh-keygen -Y verify -Overify-time=`.
pub fn verify(expected: &Expected<'_>, armoured: &[u8], message: &[u8]) -> Result<Verified, VerifyError> {
    let file = SignatureFile::read(armoured).map_err(VerifyError::Armour)?;
    if file.namespace != expected.namespace {
        return Err(VerifyError::Namespace {
            found: file.namespace,
            wanted: expected.namespace.to_owned(),
        });
    }
    if file.hash != "sha512" {
        return Err(VerifyError::Hash { found: file.hash });
    }
    let allowed = allowed_key(expected, &file)?;
    let key = allowed.key();
    let fingerprint = key.fingerprint();
    if !fits(&key.key().algorithm(), &file.signature.algorithm()) {
        return Err(VerifyError::Algorithm {
            algorithm: file.signature.algorithm().to_string(),
            key_type: key.key_type(),
        });
    }
    let data = key.key().key_data().clone();
    let security_key = file.security_key();
    let signature = SshSig::new(data, file.namespace, HashAlg::Sha512, file.signature);
    let checked = signature.and_then(|it| key.key().verify(expected.namespace, message, &it));
    if checked.is_err() {
        return Err(VerifyError::Wrong { fingerprint });
    }
    match security_key {
        Some(SecurityKey { flags, counter }) if flags & 0x01 == 0 => Err(VerifyError::NotTouched {
            fingerprint,
            flags,
            counter,
        }),
        Some(_) | None => Ok(Verified {
            line: allowed.line(),
            key_type: key.key_type(),
            fingerprint,
            security_key,
        }),
    }
}

/// The principal's line with the signature's key, which may sign for this at that time.
fn allowed_key<'a>(expected: &Expected<'a>, file: &SignatureFile) -> Result<&'a AllowedKey, VerifyError> {
    let principal = expected.principal.to_owned();
    let mut of_principal = expected.allowed.keys_of(expected.principal).peekable();
    if of_principal.peek().is_none() {
        return Err(VerifyError::UnknownPrincipal { principal });
    }
    let lines: Vec<&AllowedKey> = of_principal
        .filter(|allowed| allowed.key().blob() == file.key)
        .collect();
    let Some(first) = lines.first() else {
        let fingerprint =
            ssh_key::PublicKey::from_bytes(&file.key).map(|key| key.fingerprint(HashAlg::Sha256).to_string());
        return Err(VerifyError::WrongKey {
            principal,
            fingerprint: fingerprint.map_or_else(|_| "of no known form".to_owned(), |text| text),
        });
    };
    let usable = |key: &&&AllowedKey| key.signs_for(expected.namespace) && key.is_valid(expected.at);
    match lines.iter().find(usable) {
        Some(usable) => Ok(usable),
        None if !first.signs_for(expected.namespace) => Err(VerifyError::NamespaceRefused {
            line: first.line(),
            namespace: expected.namespace.to_owned(),
        }),
        None => Err(VerifyError::NotValid {
            line: first.line(),
            at: expected.at,
        }),
    }
}

fn fits(key: &Algorithm, signature: &Algorithm) -> bool {
    match (key, signature) {
        // rsa-sha2-256 and rsa-sha2-512 (RFC 8332); ssh-rsa is SHA-1.
        (Algorithm::Rsa { .. }, Algorithm::Rsa { hash }) => hash.is_some(),
        (key, signature) => key == signature,
    }
}
