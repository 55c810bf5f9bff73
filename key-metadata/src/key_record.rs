//! All that is known of one key.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::algorithm::KeyAlgorithm;
use crate::key_id::KeyId;
use crate::life::{KeyState, KeyTimes};
use crate::public_key::PublicKey;
use crate::role::Role;
use crate::site::TokenName;
use crate::text::written_as_text;
use crate::time::Time;
use crate::token_uri::TokenUri;

/// One key of a zone: what it is, where its private part lives, and what happened to it. Never a secret.
///
/// Key tag, revoked key tag, size and SPKI digest follow from the public key; a file in which they do not is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "Document", try_from = "Document")]
pub struct KeyRecord {
    /// Its name; where Keyrite made it, its CKA_ID too.
    pub id: KeyId,
    /// What it is for.
    pub role: Role,
    /// The public part.
    pub public_key: PublicKey,
    /// Where the private part is.
    pub reference: KeyReference,
    /// Where it is in its life.
    pub state: KeyState,
    /// When it got there.
    pub times: KeyTimes,
    /// How it can be lost or not.
    pub backup: Backup,
    /// Everything that was done to this record, oldest first.
    pub provenance: Vec<ProvenanceEntry>,
}

/// Where the private part of a key is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String", extend("pattern" = "^(pkcs11|tpm2):"))]
pub enum KeyReference {
    /// In a PKCS#11 token: an RFC 7512 URI with `token` and `id`, which is where the key is, whatever the record's own id.
    Pkcs11(TokenUri),
    /// In `keys/tpm/<key id>.tpm`, wrapped for the TPM that the site lists under this name: `tpm2:NAME`.
    Tpm(TokenName),
}

/// A text that refers to no key.
#[derive(Debug, thiserror::Error)]
#[error(
    "a key's reference is a PKCS#11 URI with 'token' and 'id', or 'tpm2:' and the name of one of the site's tokens"
)]
pub struct KeyReferenceError;

/// Whether and how a private key can leave its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Extractability {
    /// Never: if the token is lost, so is the key.
    Never,
    /// Wrapped by another key of the token (CKA_EXTRACTABLE, with CKA_SENSITIVE).
    Wrapped,
}

/// What stands between a key and its loss.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Backup {
    /// Whether it can be backed up at all.
    pub extractability: Extractability,
    /// The bundles that hold it, and how far each was proved.
    #[serde(default)]
    pub bundles: Vec<BundleEntry>,
}

/// One backup bundle that holds the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BundleEntry {
    /// The bundle's id.
    pub bundle: String,
    /// The last drill that it passed.
    pub level: DrillLevel,
    /// When.
    pub at: Time,
}

/// How far a bundle was proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum DrillLevel {
    /// Hashes, signatures, expiry, media.
    D0,
    /// Every custodian proved to hold the share.
    D1,
    /// The whole pipeline, with a canary key.
    D2,
    /// The key itself, restored to a spare token.
    D3,
}

/// One thing that was done to a key's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ProvenanceEntry {
    /// When.
    pub at: Time,
    /// What: `generate`, `activate`.
    pub action: Action,
    /// The tool and its version.
    pub tool: String,
    /// Who ran it, as far as the tool could know.
    pub operator: String,
    /// Why, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What can be done to a key's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The pair was made in its token.
    Generate,
    /// It was published and began to sign.
    Activate,
}

impl KeyRecord {
    /// The key's algorithm.
    pub const fn algorithm(&self) -> KeyAlgorithm {
        self.public_key.algorithm()
    }

    /// The tag that its DNSKEY has (RFC 4034 appendix B).
    pub fn key_tag(&self) -> u16 {
        self.public_key.key_tag(self.role)
    }

    /// The tag that its DNSKEY has once it is revoked (RFC 5011 section 7).
    pub fn revoked_key_tag(&self) -> u16 {
        self.public_key.revoked_key_tag(self.role)
    }

    /// Marks the key published and active from `at`: right for the first keys of a zone, which no cache can miss yet.
    pub fn activate(&mut self, entry: ProvenanceEntry) {
        self.state = KeyState::Active;
        self.times.published = Some(entry.at);
        self.times.ready = Some(entry.at);
        self.times.active = Some(entry.at);
        self.provenance.push(entry);
    }
}

impl fmt::Display for Extractability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Never => "never",
            Self::Wrapped => "wrapped",
        })
    }
}

impl FromStr for KeyReference {
    type Err = KeyReferenceError;

    fn from_str(text: &str) -> Result<Self, KeyReferenceError> {
        if let Some(name) = text.strip_prefix("tpm2:") {
            return Ok(Self::Tpm(name.parse().map_err(|_| KeyReferenceError)?));
        }
        match text.parse::<TokenUri>() {
            Ok(uri) if uri.id.is_some() => Ok(Self::Pkcs11(uri)),
            Ok(_) | Err(_) => Err(KeyReferenceError),
        }
    }
}

impl fmt::Display for KeyReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pkcs11(uri) => uri.fmt(f),
            Self::Tpm(name) => write!(f, "tpm2:{name}"),
        }
    }
}

written_as_text!(KeyReference, KeyReferenceError);

/// A key as `keys/<zone>.yaml` writes it, with what people look for (tags, size, digest) beside what it follows from.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Key")]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Document {
    id: KeyId,
    role: Role,
    algorithm: KeyAlgorithm,
    bits: u16,
    key_tag: u16,
    revoked_key_tag: u16,
    /// Base64 of the DNSKEY's public key field.
    public_key: String,
    /// SHA-256 of the DER SubjectPublicKeyInfo, in hex.
    spki_sha256: String,
    reference: KeyReference,
    state: KeyState,
    times: KeyTimes,
    backup: Backup,
    provenance: Vec<ProvenanceEntry>,
}

/// Why a key in a file contradicts itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyRecordError {
    /// The public key cannot be read.
    #[error("key {id}: the public key cannot be read: {reason}")]
    PublicKey {
        /// The key.
        id: KeyId,
        /// Why not.
        reason: String,
    },
    /// A field does not follow from the public key.
    #[error("key {id}: {field} is {written}, but by the public key it is {computed}")]
    Contradiction {
        /// The key.
        id: KeyId,
        /// The field.
        field: &'static str,
        /// What the file says.
        written: String,
        /// What the public key says.
        computed: String,
    },
    /// A state that was never entered.
    #[error("key {id}: it is {state}, but has no time for that")]
    NoTime {
        /// The key.
        id: KeyId,
        /// The state.
        state: KeyState,
    },
}

impl From<KeyRecord> for Document {
    fn from(key: KeyRecord) -> Self {
        Self {
            id: key.id,
            role: key.role,
            algorithm: key.algorithm(),
            bits: key.public_key.bits(),
            key_tag: key.key_tag(),
            revoked_key_tag: key.revoked_key_tag(),
            public_key: STANDARD.encode(key.public_key.as_dnskey()),
            // Writing fails on no key that can be made; a digest that is missing is refused on reading.
            spki_sha256: key
                .public_key
                .spki_sha256()
                .map_or_else(|_| String::new(), |digest| digest),
            reference: key.reference,
            state: key.state,
            times: key.times,
            backup: key.backup,
            provenance: key.provenance,
        }
    }
}

impl TryFrom<Document> for KeyRecord {
    type Error = KeyRecordError;

    fn try_from(document: Document) -> Result<Self, KeyRecordError> {
        let id = document.id;
        let unreadable = |reason: String| KeyRecordError::PublicKey { id, reason };
        let bytes = STANDARD
            .decode(&document.public_key)
            .map_err(|error| unreadable(error.to_string()))?;
        let public_key = PublicKey::from_dnskey(document.algorithm, &bytes)
            .map_err(|error| unreadable(error.to_string()))?;
        let spki = public_key
            .spki_sha256()
            .map_err(|error| unreadable(error.to_string()))?;
        let role = document.role;
        let follow = [
            (
                "key-tag",
                document.key_tag.to_string(),
                public_key.key_tag(role).to_string(),
            ),
            (
                "revoked-key-tag",
                document.revoked_key_tag.to_string(),
                public_key.revoked_key_tag(role).to_string(),
            ),
            ("bits", document.bits.to_string(), public_key.bits().to_string()),
            ("spki-sha256", document.spki_sha256, spki),
        ];
        for (field, written, computed) in follow {
            if written != computed {
                return Err(KeyRecordError::Contradiction {
                    id,
                    field,
                    written,
                    computed,
                });
            }
        }
        if document.times.of(document.state).is_none() {
            return Err(KeyRecordError::NoTime {
                id,
                state: document.state,
            });
        }
        Ok(Self {
            id,
            role,
            public_key,
            reference: document.reference,
            state: document.state,
            times: document.times,
            backup: document.backup,
            provenance: document.provenance,
        })
    }
}
