//! All that is known of one key.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::algorithm::KeyAlgorithm;
use crate::backup::Backup;
use crate::cka_id::CkaId;
use crate::key_file_stem::KeyFileStem;
use crate::key_id::KeyId;
use crate::life::{KeyState, KeyTimes};
use crate::policy::KskSigns;
use crate::public_key::PublicKey;
use crate::role::Role;
use crate::site::TokenName;
use crate::text::written_as_text;
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
}

/// Where the private part of a key is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String", extend("pattern" = "^(pkcs11|tpm2|file):"))]
pub enum KeyReference {
    /// In a PKCS#11 token: an RFC 7512 URI with `token` and `id`, which is where the key is, whatever the record's own id.
    Pkcs11(TokenUri),
    /// In `keys/tpm/<key id>.tpm`, wrapped for the TPM that the site lists under this name: `tpm2:NAME`.
    Tpm(TokenName),
    /// In the clear, in a pair of BIND's files in the folder that the site, a laboratory, lists under this name: `file:NAME/K<zone>.+<alg>+<tag>`.
    File(TokenName, KeyFileStem),
}

/// A text that refers to no key.
#[derive(Debug, thiserror::Error)]
#[error(
    "a key's reference is a PKCS#11 URI with 'token' and 'id', 'tpm2:' and the name of one of the site's tokens, or 'file:', such a name, and that of the key's files"
)]
pub struct KeyReferenceError;

impl KeyRecord {
    /// The key's algorithm.
    pub const fn algorithm(&self) -> KeyAlgorithm {
        self.public_key.algorithm()
    }

    /// Its CKA_ID in a PKCS#11 token: the reference says it, whatever the record's own id. A native key and one in files have none of their own.
    pub fn cka_id(&self) -> CkaId {
        match &self.reference {
            KeyReference::Pkcs11(TokenUri { id: Some(id), .. }) => id.clone(),
            KeyReference::Pkcs11(TokenUri { id: None, .. })
            | KeyReference::Tpm(_)
            | KeyReference::File(..) => self.id.into(),
        }
    }

    /// The tag that its DNSKEY has (RFC 4034 appendix B).
    pub fn key_tag(&self) -> u16 {
        self.public_key.key_tag(self.role)
    }

    /// The tag that its DNSKEY has once it is revoked (RFC 5011 section 7).
    pub fn revoked_key_tag(&self) -> u16 {
        self.public_key.revoked_key_tag(self.role)
    }

    /// The tag that its DNSKEY has as it stands.
    pub fn present_key_tag(&self) -> u16 {
        match self.state == KeyState::Revoked {
            true => self.revoked_key_tag(),
            false => self.key_tag(),
        }
    }

    /// Whether it signs the DNSKEY, CDS and CDNSKEY RRsets: a KSK or CSK does as long as its DNSKEY is there, since a DS of it may be in some
    /// cache before it is active and after it is retired (RFC 7583 3.3.1), and nobody would believe a revocation that it did not sign
    /// (RFC 5011 2.1).
    pub const fn signs_dnskey(&self) -> bool {
        self.role.signs_dnskey() && self.state.in_zone()
    }

    /// Whether it signs the other RRsets of the zone. Its signatures can be there without its DNSKEY, before that comes and after it went.
    pub const fn signs_zone(&self) -> bool {
        self.role.signs_zone()
            && match self.state {
                KeyState::PreActive | KeyState::Active | KeyState::RetireActive | KeyState::PostActive => {
                    true
                }
                KeyState::Published | KeyState::Ready => self.times.pre_active.is_some(),
                KeyState::Generated
                | KeyState::Retired
                | KeyState::Dead
                | KeyState::Removed
                | KeyState::Revoked
                | KeyState::Destroyed => false,
            }
    }

    /// Whether its signatures are in the zone and its DNSKEY is not.
    pub const fn signs_unpublished(&self) -> bool {
        self.signs_zone() && !self.state.in_zone()
    }

    /// Whether it signs anything, so that its private part is needed.
    pub const fn signs(&self) -> bool {
        self.signs_dnskey() || self.signs_zone()
    }

    /// The same, where the zone is signed: where the DNSKEY RRset is signed elsewhere, only what signs the rest.
    pub const fn signs_with_signer(&self, ksk_signs: KskSigns) -> bool {
        match ksk_signs {
            KskSigns::Online => self.signs(),
            KskSigns::Offline => self.signs_zone(),
        }
    }

    /// Whether its DS belongs at the parent, or is on the way there, so that the zone's CDS and CDNSKEY RRsets name it (RFC 7344 2.2.2).
    ///
    /// That of a KSK can be there without its DNSKEY (RFC 7583 3.3.2); a CSK whose signatures are all that is in the zone has none.
    pub const fn wants_ds(&self) -> bool {
        self.role.signs_dnskey()
            && match self.state {
                KeyState::Ready | KeyState::Active => true,
                KeyState::PreActive | KeyState::PostActive => !self.role.signs_zone(),
                KeyState::Generated
                | KeyState::Published
                | KeyState::RetireActive
                | KeyState::Retired
                | KeyState::Dead
                | KeyState::Removed
                | KeyState::Revoked
                | KeyState::Destroyed => false,
            }
    }

    /// Whether a DS of it was ever at the parent, as far as its times tell: one that was active has had one, or was the zone's first.
    pub const fn had_ds(&self) -> bool {
        self.role.signs_dnskey()
            && (self.times.submitted.is_some()
                || self.times.registered.is_some()
                || self.times.active.is_some())
    }

    /// Its role and tag, as people name it.
    pub fn name(&self) -> String {
        format!("{} {}", self.role, self.key_tag())
    }
}

/// Whether a zone with these keys asks its parent for no DS (RFC 8078 section 4): one of them was given up for that, and the DS of none is wanted.
pub fn asks_for_no_ds<'a>(keys: impl IntoIterator<Item = &'a KeyRecord>) -> bool {
    let mut given_up = false;
    for key in keys {
        if key.wants_ds() {
            return false;
        }
        given_up |= key.times.insecure.is_some() && key.state.in_zone();
    }
    given_up
}

impl FromStr for KeyReference {
    type Err = KeyReferenceError;

    fn from_str(text: &str) -> Result<Self, KeyReferenceError> {
        if let Some(name) = text.strip_prefix("tpm2:") {
            return Ok(Self::Tpm(name.parse().map_err(|_| KeyReferenceError)?));
        }
        if let Some(place) = text.strip_prefix("file:") {
            let (name, stem) = place.split_once('/').ok_or(KeyReferenceError)?;
            let name = name.parse().map_err(|_| KeyReferenceError)?;
            return Ok(Self::File(name, stem.parse().map_err(|_| KeyReferenceError)?));
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
            Self::File(name, stem) => write!(f, "file:{name}/{stem}"),
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
        })
    }
}
