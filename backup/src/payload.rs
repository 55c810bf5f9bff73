//! What is in `payload.age`: one JSON document with all that restores the keys.
//!
//! docs/formats/backup-bundle.md has its fields. It is a secret as a whole: it lives in one buffer that is wiped.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use key_metadata::{KeyId, Role, TokenName, ZoneName};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::bundle_id::BundleId;
use crate::manifest::Manifest;

/// The largest payload, in bytes: a thousand keys of RSA-4096.
pub const LARGEST: usize = 8 << 20;

/// What restores the keys of a bundle.
pub struct Payload {
    /// The bundle.
    pub bundle: BundleId,
    /// The key-encryption key of the keys that left PKCS#11 tokens: AES-256.
    pub kek: Option<Zeroizing<[u8; 32]>>,
    /// The keys, as they left their tokens.
    pub keys: Vec<KeyCopy>,
    /// The private parts of recovery parents.
    pub parents: Vec<ParentCopy>,
}

/// A key as it left its token.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyCopy {
    /// Its id.
    pub id: KeyId,
    /// Its zone.
    pub zone: ZoneName,
    /// What it is for.
    pub role: Role,
    /// Its label in the token.
    pub label: String,
    /// What left.
    pub form: CopyForm,
}

/// What left a token.
#[derive(Clone, PartialEq, Eq)]
pub enum CopyForm {
    /// PKCS#8, wrapped under the key-encryption key (RFC 5649).
    Wrapped(Vec<u8>),
    /// What `TPM2_Duplicate` gave, for a recovery parent.
    Duplicate {
        /// TPM2B_PUBLIC.
        public: Vec<u8>,
        /// TPM2B_PRIVATE.
        private: Vec<u8>,
        /// TPM2B_ENCRYPTED_SECRET.
        seed: Vec<u8>,
    },
}

/// The private part of a recovery parent.
pub struct ParentCopy {
    /// The TPM whose keys leave it for this parent.
    pub token: TokenName,
    /// Its private key as PEM, which `openssl` and `tpm2_import` take.
    pub private_key: SecretString,
}

/// Why bytes are no payload of a bundle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// Not the JSON that it must be. What is wrong is told without what stands there, which is secret.
    #[error("the payload is no JSON document of Keyrite: line {line}, column {column}")]
    Json {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// A version that we do not know.
    #[error("the payload has version {0}, and version 1 is known")]
    Version(u32),
    /// Digits that are none.
    #[error("{field} of the payload is not the hexadecimal or base64 that it must be")]
    Encoding {
        /// The field.
        field: &'static str,
    },
    /// Another bundle's.
    #[error("the payload is that of bundle {found}, not of {expected}")]
    OtherBundle {
        /// The bundle that it is of.
        found: BundleId,
        /// The bundle that it should be of.
        expected: BundleId,
    },
    /// What the manifest lists and the payload has not, or the other way round.
    #[error("manifest and payload do not hold the same: {0}")]
    Differs(String),
    /// It cannot be written.
    #[error("the payload cannot be written as JSON")]
    Render,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Document<'a> {
    version: u32,
    bundle: BundleId,
    /// Lower-case hexadecimal, as `openssl enc -K` takes it.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    key_encryption_key: Option<&'a str>,
    keys: Vec<Key>,
    #[serde(borrow)]
    recovery_parents: Vec<Parent<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Key {
    id: KeyId,
    zone: ZoneName,
    role: Role,
    label: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wrapped: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    duplicate: Option<Duplicate>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Duplicate {
    public: String,
    private: String,
    seed: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Parent<'a> {
    token: TokenName,
    /// The PEM's lines, so that no line's end is escaped, and the reader needs no copy.
    #[serde(borrow)]
    private_key: Vec<&'a str>,
}

impl Payload {
    /// The JSON document.
    pub fn to_json(&self) -> Result<Zeroizing<Vec<u8>>, PayloadError> {
        let mut digits = Zeroizing::new([0_u8; 64]);
        let key_encryption_key = match &self.kek {
            Some(kek) => {
                hex::encode_to_slice(**kek, &mut *digits).map_err(|_| PayloadError::Render)?;
                Some(std::str::from_utf8(&*digits).map_err(|_| PayloadError::Render)?)
            }
            None => None,
        };
        let document = Document {
            version: 1,
            bundle: self.bundle,
            key_encryption_key,
            keys: self.keys.iter().map(Key::of).collect(),
            recovery_parents: self.parents.iter().map(Parent::of).collect(),
        };
        // With room for all of it, so that no half of it is left where it was before it grew.
        let keys: usize = self
            .keys
            .iter()
            .map(|key| key.form.length() * 3 / 2 + key.label.len() + 700)
            .sum();
        let mut json = Zeroizing::new(Vec::with_capacity(1000 + keys + self.parents.len() * 2000));
        let room = json.capacity();
        serde_json::to_writer_pretty(&mut *json, &document).map_err(|_| PayloadError::Render)?;
        json.push(b'\n');
        match json.capacity() == room {
            true => Ok(json),
            false => Err(PayloadError::Render),
        }
    }

    /// Reads the JSON document, which must hold what the manifest says.
    pub fn from_json(json: &[u8], manifest: &Manifest) -> Result<Self, PayloadError> {
        let document: Document<'_> = serde_json::from_slice(json).map_err(|error| PayloadError::Json {
            line: error.line(),
            column: error.column(),
        })?;
        if document.version != 1 {
            return Err(PayloadError::Version(document.version));
        }
        let kek = match document.key_encryption_key {
            None => None,
            Some(digits) => {
                let mut kek = Zeroizing::new([0; 32]);
                let field = "key-encryption-key";
                hex::decode_to_slice(digits, &mut *kek).map_err(|_| PayloadError::Encoding { field })?;
                Some(kek)
            }
        };
        let payload = Self {
            bundle: document.bundle,
            kek,
            keys: document
                .keys
                .into_iter()
                .map(Key::read)
                .collect::<Result<_, _>>()?,
            parents: document.recovery_parents.into_iter().map(Parent::read).collect(),
        };
        payload.agrees_with(manifest)?;
        Ok(payload)
    }

    fn agrees_with(&self, manifest: &Manifest) -> Result<(), PayloadError> {
        let (header, differs) = (&manifest.header, |what: String| Err(PayloadError::Differs(what)));
        if self.bundle != header.bundle {
            return Err(PayloadError::OtherBundle {
                found: self.bundle,
                expected: header.bundle,
            });
        }
        if self.keys.len() != header.keys.len() || self.parents.len() != header.recovery_parents.len() {
            return differs("the numbers of keys or of recovery parents".to_owned());
        }
        for (copy, entry) in self.keys.iter().zip(&header.keys) {
            if (copy.id, &copy.zone, copy.role) != (entry.id, &entry.zone, entry.role)
                || copy.form.digest() != entry.copy_sha256
            {
                return differs(format!("key {}", entry.name()));
            }
            if matches!(copy.form, CopyForm::Wrapped(_)) && self.kek.is_none() {
                return differs(format!("key {} has no key-encryption key", entry.name()));
            }
        }
        for (copy, entry) in self.parents.iter().zip(&header.recovery_parents) {
            if copy.token != entry.token {
                return differs(format!("the recovery parent of {}", entry.token));
            }
        }
        Ok(())
    }
}

impl CopyForm {
    /// SHA-256 of its bytes, one part after the other.
    pub fn digest(&self) -> key_metadata::Digest {
        let bytes = match self {
            Self::Wrapped(wrapped) => Cow::Borrowed(wrapped.as_slice()),
            Self::Duplicate {
                public,
                private,
                seed,
            } => Cow::Owned([&public[..], private, seed].concat()),
        };
        key_metadata::Digest::of(&bytes)
    }

    fn length(&self) -> usize {
        match self {
            Self::Wrapped(wrapped) => wrapped.len(),
            Self::Duplicate {
                public,
                private,
                seed,
            } => public.len() + private.len() + seed.len(),
        }
    }
}

impl Key {
    fn of(copy: &KeyCopy) -> Self {
        let (wrapped, duplicate) = match &copy.form {
            CopyForm::Wrapped(wrapped) => (Some(STANDARD.encode(wrapped)), None),
            CopyForm::Duplicate {
                public,
                private,
                seed,
            } => {
                let duplicate = Duplicate {
                    public: STANDARD.encode(public),
                    private: STANDARD.encode(private),
                    seed: STANDARD.encode(seed),
                };
                (None, Some(duplicate))
            }
        };
        Self {
            id: copy.id,
            zone: copy.zone.clone(),
            role: copy.role,
            label: copy.label.clone(),
            wrapped,
            duplicate,
        }
    }

    fn read(self) -> Result<KeyCopy, PayloadError> {
        let form = match (self.wrapped, self.duplicate) {
            (Some(wrapped), None) => CopyForm::Wrapped(decode("wrapped", &wrapped)?),
            (None, Some(duplicate)) => CopyForm::Duplicate {
                public: decode("public", &duplicate.public)?,
                private: decode("private", &duplicate.private)?,
                seed: decode("seed", &duplicate.seed)?,
            },
            (Some(_), Some(_)) | (None, None) => {
                let what = format!("key {} has not one of 'wrapped' and 'duplicate'", self.id);
                return Err(PayloadError::Differs(what));
            }
        };
        Ok(KeyCopy {
            id: self.id,
            zone: self.zone,
            role: self.role,
            label: self.label,
            form,
        })
    }
}

impl<'a> Parent<'a> {
    fn of(copy: &'a ParentCopy) -> Self {
        Self {
            token: copy.token.clone(),
            private_key: copy.private_key.expose_secret().lines().collect(),
        }
    }

    fn read(self) -> ParentCopy {
        let length = self.private_key.iter().map(|line| line.len() + 1).sum();
        let mut pem = String::with_capacity(length);
        for line in &self.private_key {
            pem.push_str(line);
            pem.push('\n');
        }
        ParentCopy {
            token: self.token,
            private_key: SecretString::from(pem),
        }
    }
}

fn decode(field: &'static str, text: &str) -> Result<Vec<u8>, PayloadError> {
    STANDARD
        .decode(text)
        .map_err(|_| PayloadError::Encoding { field })
}
