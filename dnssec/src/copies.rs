//! Keys that leave their token for a backup, and come back.

use std::collections::{BTreeMap, HashMap};
use std::fs;

use key_metadata::store::replace;
use key_metadata::{
    CkaId, Extractability, KeyEncryptionKey, KeyId, KeyRecord, KeyReference, KeySpec, PublicKey, TokenName,
    TpmHandle,
};
use pkcs11::{Leaving, LogKey, Restored, WrapError, WrapMechanism};
use secrecy::{ExposeSecret, SecretString};
use tpm::{
    AttestationKeyState, AuthValue, Duplicate, KeyBlob, PcrValues, RecoveryParent, RecoverySecret, Statement,
};
use zeroize::Zeroizing;

use crate::signing_key::SigningKey;
use crate::site_tokens::{OpenToken, SiteTokenError, SiteTokens, no_backup, token_error};

/// How a native key leaves its TPM.
pub const DUPLICATE: &str = "TPM2_Duplicate";

/// What a token says of itself, for the records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFacts {
    /// Who made it, and what it is.
    pub make: String,
    /// Its serial number; of a TPM the Name of its storage root key, which says as much.
    pub serial: String,
    /// Its firmware.
    pub firmware: String,
}

/// What a TPM states on a digest, with its attestation key: for `openssl dgst -sha256 -verify` and `tpm2_checkquote`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TpmStatement {
    /// The SubjectPublicKeyInfo of the attestation key.
    pub spki: Vec<u8>,
    /// TPMS_ATTEST, a quote over no PCRs, whose qualifying data are the digest.
    pub attested: Vec<u8>,
    /// Its signature, ECDSA as DER.
    pub signature: Vec<u8>,
}

impl TpmStatement {
    /// Whether the key signed a quote over no PCRs that is about this digest.
    pub fn is_on(&self, digest: &[u8; 32]) -> bool {
        Statement::from_der(self.attested.clone(), &self.signature).is_ok_and(|statement| {
            statement
                .verify_quote(&self.spki, digest, &PcrValues::new())
                .is_ok()
        })
    }
}

/// What of a key left its token.
pub enum Copy {
    /// PKCS#8, wrapped under a key-encryption key (RFC 5649).
    Wrapped(Vec<u8>),
    /// What `TPM2_Duplicate` gave.
    Duplicate(Duplicate),
}

/// A key that left its token.
pub struct LeftToken {
    /// By what: a PKCS#11 mechanism and its number, or `TPM2_Duplicate`.
    pub mechanism: String,
    /// What that gave: `RFC 5649`, or the Name of the recovery parent.
    pub flavour: String,
    /// Its label in the token; a native key has none.
    pub label: String,
    /// The copy.
    pub copy: Copy,
}

/// A key that was not copied, and why.
#[derive(Debug)]
pub struct NotCopied {
    /// The key.
    pub id: KeyId,
    /// Why not.
    pub source: Box<SiteTokenError>,
}

impl NotCopied {
    fn of(key: &KeyRecord, source: SiteTokenError) -> Self {
        Self {
            id: key.id,
            source: Box::new(source),
        }
    }
}

/// Takes copies of the keys of one token.
pub struct Copier<'a> {
    name: TokenName,
    way: CopyWay<'a>,
}

enum CopyWay<'a> {
    Pkcs11 {
        wrapping: pkcs11::Wrapping<'a>,
        /// By what each kind of key was seen to leave.
        shown: HashMap<KeySpec, WrapMechanism>,
    },
    Tpm {
        tokens: &'a SiteTokens<'a>,
        tpm: tpm::Tpm,
        parent: RecoveryParent,
        owner: Option<&'a AuthValue>,
    },
}

/// Puts keys of a bundle into one token.
pub struct Restorer<'a> {
    name: TokenName,
    way: RestoreWay<'a>,
}

enum RestoreWay<'a> {
    Pkcs11 {
        wrapping: Option<pkcs11::Wrapping<'a>>,
    },
    Tpm {
        tokens: &'a SiteTokens<'a>,
        tpm: tpm::Tpm,
        auth: SecretString,
        /// Native keys are in no token until their file is written.
        restored: BTreeMap<KeyId, (KeyBlob, RecoveryParent)>,
    },
}

impl SiteTokens<'_> {
    /// What an open token says of itself.
    pub fn facts(&self, name: &TokenName) -> Result<TokenFacts, SiteTokenError> {
        match self.opened(name)? {
            OpenToken::Pkcs11 { token, .. } => {
                let info = token.info().map_err(token_error)?;
                Ok(TokenFacts {
                    make: format!("{} {}", info.manufacturer, info.model),
                    serial: info.serial,
                    firmware: info.firmware,
                })
            }
            OpenToken::Tpm { tpm, .. } => {
                let info = tpm.info().map_err(token_error)?;
                Ok(TokenFacts {
                    make: format!("{} TPM 2.0", info.manufacturer),
                    serial: tpm.srk_name().map_err(token_error)?.to_string(),
                    firmware: info.firmware.to_string(),
                })
            }
            OpenToken::File(_) => Err(no_backup(name)),
        }
    }

    /// That many bytes from an open token's generator.
    pub fn random(&self, name: &TokenName, count: usize) -> Result<Zeroizing<Vec<u8>>, SiteTokenError> {
        match self.opened(name)? {
            OpenToken::Pkcs11 { token, .. } => token.random(count).map(Zeroizing::new).map_err(token_error),
            OpenToken::Tpm { tpm, .. } => {
                let bytes = tpm.random(count).map_err(token_error)?;
                Ok(Zeroizing::new(bytes.expose_secret().to_vec()))
            }
            OpenToken::File(_) => Err(no_backup(name)),
        }
    }

    /// A statement of an open TPM's attestation key on a digest; `None` for a PKCS#11 token, which has [`Self::log_key_or_new`], and for a TPM that
    /// was not provisioned.
    pub fn attest(
        &self,
        name: &TokenName,
        digest: &[u8; 32],
    ) -> Result<Option<TpmStatement>, SiteTokenError> {
        let tpm = match self.opened(name)? {
            OpenToken::Tpm { tpm, .. } => tpm,
            OpenToken::Pkcs11 { .. } => return Ok(None),
            OpenToken::File(_) => return Err(no_backup(name)),
        };
        let handle = self.site.site().tpm_setup(name).attestation_key;
        let AttestationKeyState::Ours(key) = tpm.attestation_key(handle).map_err(token_error)? else {
            return Ok(None);
        };
        let statement = tpm.attest(handle, digest).map_err(token_error)?;
        Ok(Some(TpmStatement {
            spki: key.spki().to_vec(),
            attested: statement.attested().to_vec(),
            signature: statement.signature_der(),
        }))
    }

    /// The owner's auth value, sealed at a handle of the site's one TPM, which is let go at once.
    pub fn unseal_auth(&self, handle: TpmHandle) -> Result<AuthValue, SiteTokenError> {
        let tpm = tpm::Tpm::keeping(self.site, handle).map_err(token_error)?;
        tpm.unseal_auth(handle).map_err(token_error)
    }

    /// The public half of the key by which an open token signs what is not DNSSEC's, as SubjectPublicKeyInfo: a log key, or a TPM's attestation
    /// key. `None` where it has none.
    pub fn signer_spki(&self, name: &TokenName) -> Result<Option<Vec<u8>>, SiteTokenError> {
        match self.opened(name)? {
            OpenToken::Pkcs11 { token, .. } => {
                let key = token.log_key().map_err(token_error)?;
                Ok(key.map(|key| key.spki().to_vec()))
            }
            OpenToken::Tpm { tpm, .. } => {
                let handle = self.site.site().tpm_setup(name).attestation_key;
                match tpm.attestation_key(handle).map_err(token_error)? {
                    AttestationKeyState::Ours(key) => Ok(Some(key.spki().to_vec())),
                    AttestationKeyState::Absent | AttestationKeyState::Foreign { .. } => Ok(None),
                }
            }
            OpenToken::File(_) => Err(no_backup(name)),
        }
    }

    /// The key by which an open token signs what is not DNSSEC's: logs and manifests; made where there is none. `None` for a TPM, which has no
    /// such key.
    pub fn log_key_or_new(&self, name: &TokenName) -> Result<Option<LogKey>, SiteTokenError> {
        match self.opened(name)? {
            OpenToken::Pkcs11 { token, .. } => match token.log_key().map_err(token_error)? {
                Some(key) => Ok(Some(key)),
                None => token.make_log_key().map(Some).map_err(token_error),
            },
            OpenToken::Tpm { .. } => Ok(None),
            OpenToken::File(_) => Err(no_backup(name)),
        }
    }

    /// Sets the recovery parent that keys of a TPM which are made from now on leave for.
    pub fn set_recovery_parent(
        &self,
        name: &TokenName,
        parent: &RecoveryParent,
    ) -> Result<(), SiteTokenError> {
        let lock = self.site.lock_tpm(name)?;
        parent.write_to_site(self.site, name, &lock).map_err(token_error)
    }

    /// Prepares to take copies of keys in an open token. `owner` is the owner's auth value of a TPM, `None` where it is empty.
    pub fn copier<'s>(
        &'s self,
        name: &TokenName,
        kek: &'s KeyEncryptionKey,
        owner: Option<&'s AuthValue>,
    ) -> Result<Copier<'s>, SiteTokenError> {
        let way = match self.opened(name)? {
            OpenToken::Pkcs11 { token, .. } => CopyWay::Pkcs11 {
                wrapping: token.wrapping(kek).map_err(token_error)?,
                shown: HashMap::new(),
            },
            OpenToken::Tpm { tpm, .. } => CopyWay::Tpm {
                tokens: self,
                tpm: tpm.clone(),
                parent: self.recovery_parent(name)?,
                owner,
            },
            OpenToken::File(_) => return Err(no_backup(name)),
        };
        let name = name.clone();
        Ok(Copier { name, way })
    }

    /// Prepares to restore keys into an open token. `kek` is the key-encryption key that they were wrapped under, where any was.
    pub fn restorer<'s>(
        &'s self,
        name: &TokenName,
        kek: Option<&'s KeyEncryptionKey>,
    ) -> Result<Restorer<'s>, SiteTokenError> {
        let way = match self.opened(name)? {
            OpenToken::Pkcs11 { token, .. } => RestoreWay::Pkcs11 {
                wrapping: kek
                    .map(|kek| token.wrapping(kek))
                    .transpose()
                    .map_err(token_error)?,
            },
            OpenToken::Tpm { tpm, auth } => RestoreWay::Tpm {
                tokens: self,
                tpm: tpm.clone(),
                auth: auth.clone(),
                restored: BTreeMap::new(),
            },
            OpenToken::File(_) => return Err(no_backup(name)),
        };
        let name = name.clone();
        Ok(Restorer { name, way })
    }

    /// The reference to a key of that id in a token of the site.
    pub fn reference_in(&self, name: &TokenName, id: KeyId) -> Result<KeyReference, SiteTokenError> {
        Ok(match self.opened(name)? {
            OpenToken::Pkcs11 { uri, .. } => KeyReference::Pkcs11(uri.of_key(id)),
            OpenToken::Tpm { .. } => KeyReference::Tpm(name.clone()),
            OpenToken::File(_) => return Err(no_backup(name)),
        })
    }
}

impl Copier<'_> {
    /// Copies of keys, in their order: each opened again, or bound to the recovery parent, before any is given out. `told` is called for each that
    /// has left the token.
    pub fn copies(
        &mut self,
        keys: &[&KeyRecord],
        mut told: impl FnMut(),
    ) -> Result<Vec<LeftToken>, NotCopied> {
        match &mut self.way {
            CopyWay::Pkcs11 { wrapping, shown } => wrapped(wrapping, shown, keys, told),
            CopyWay::Tpm {
                tokens,
                tpm,
                parent,
                owner,
            } => {
                let copy = |key: &&KeyRecord| {
                    let left = duplicated(&self.name, tokens, tpm, parent, *owner, key);
                    told();
                    left.map_err(|source| NotCopied::of(key, source))
                };
                keys.iter().map(copy).collect()
            }
        }
    }
}

/// Copies of keys of a PKCS#11 token. Before the first of each kind, that key shows the mechanism.
fn wrapped(
    wrapping: &pkcs11::Wrapping<'_>,
    shown: &mut HashMap<KeySpec, WrapMechanism>,
    keys: &[&KeyRecord],
    told: impl FnMut(),
) -> Result<Vec<LeftToken>, NotCopied> {
    let mut leaving = Vec::new();
    for key in keys {
        let failed = |source| NotCopied::of(key, source);
        let algorithm = key.algorithm();
        let spec = algorithm
            .made()
            .and_then(|algorithm| KeySpec::new(algorithm, Some(key.public_key.bits())).ok());
        let spec = spec.ok_or_else(|| failed(SiteTokenError::Legacy(algorithm)))?;
        let mechanism = match shown.get(&spec) {
            Some(mechanism) => *mechanism,
            None => {
                let first =
                    first_that_wraps(wrapping, &key.cka_id(), &key.public_key, spec).map_err(failed)?;
                shown.insert(spec, first);
                first
            }
        };
        leaving.push(Leaving {
            id: key.cka_id(),
            public_key: &key.public_key,
            mechanism,
        });
    }
    let all = wrapping.wrap_all(&leaving, told);
    let left = |((key, leaving), wrapped): ((&&KeyRecord, &Leaving<'_>), Result<Vec<u8>, WrapError>)| {
        let failed = |error| NotCopied::of(key, token_error(error));
        let wrapped = wrapped.map_err(failed)?;
        Ok(LeftToken {
            mechanism: leaving.mechanism.to_string(),
            flavour: "RFC 5649".to_owned(),
            label: wrapping.label(leaving.id.clone()).map_err(failed)?,
            copy: Copy::Wrapped(wrapped),
        })
    };
    keys.iter().zip(&leaving).zip(all).map(left).collect()
}

/// The first mechanism that wraps this key so that software opens it again. Each copy is opened and held against its public key, so that no throwaway
/// key need show it once more; where none does, one tells why, and what can be done instead.
fn first_that_wraps(
    wrapping: &pkcs11::Wrapping<'_>,
    id: &CkaId,
    public_key: &PublicKey,
    spec: KeySpec,
) -> Result<WrapMechanism, SiteTokenError> {
    for mechanism in WrapMechanism::BACKUP {
        match wrapping.wrap(id.clone(), public_key, mechanism) {
            Ok(_) => return Ok(mechanism),
            Err(WrapError::Refused { .. } | WrapError::NotThatKey { .. }) => {}
            Err(error) => return Err(token_error(error)),
        }
    }
    wrapping.prove(spec).map_err(token_error)
}

/// A copy of a native key, for its recovery parent.
fn duplicated(
    token: &TokenName,
    tokens: &SiteTokens<'_>,
    tpm: &tpm::Tpm,
    parent: &RecoveryParent,
    owner: Option<&AuthValue>,
    key: &KeyRecord,
) -> Result<LeftToken, SiteTokenError> {
    let path = tokens.site.tpm_key_path(key.id);
    let bytes = fs::read(&path).map_err(|source| SiteTokenError::Blob {
        id: key.id,
        path: path.clone(),
        source,
    })?;
    let blob = KeyBlob::from_bytes(&bytes).map_err(|source| SiteTokenError::BlobContent { path, source })?;
    if !blob.leaves_to(parent) {
        return Err(SiteTokenError::OtherRecoveryParent {
            token: token.clone(),
            id: key.id,
        });
    }
    let duplicate = tpm.duplicate(&blob, parent, owner).map_err(token_error)?;
    Ok(LeftToken {
        mechanism: DUPLICATE.to_owned(),
        flavour: parent.name().to_string(),
        label: String::new(),
        copy: Copy::Duplicate(duplicate),
    })
}

impl Restorer<'_> {
    /// Restores a copy of a key, which must be that of the record, under the record's id: never over a key that is there; and has it sign `nonce`
    /// there, which verifies under the record's public key. Tells by what it came in. A native key is in the TPM only when [`Self::settle`] was
    /// called.
    pub fn restore(
        &mut self,
        copy: &Copy,
        parent: Option<&RecoverySecret>,
        key: &KeyRecord,
        label: &str,
        nonce: &[u8],
    ) -> Result<String, SiteTokenError> {
        match (&mut self.way, copy) {
            (
                RestoreWay::Pkcs11 {
                    wrapping: Some(wrapping),
                },
                Copy::Wrapped(wrapped),
            ) => {
                let restored = wrapping
                    .restore(
                        wrapped,
                        &key.public_key,
                        key.id,
                        label,
                        Extractability::Wrapped,
                        nonce,
                    )
                    .map_err(token_error)?;
                Ok(match restored {
                    Restored::Unwrapped(mechanism) => format!("C_UnwrapKey, {mechanism}"),
                    Restored::Imported => "C_CreateObject".to_owned(),
                })
            }
            (
                RestoreWay::Tpm {
                    tpm, auth, restored, ..
                },
                Copy::Duplicate(duplicate),
            ) => {
                let parent = parent.ok_or_else(|| SiteTokenError::NoRecoveryParent(self.name.clone()))?;
                let blob = tpm.restore(duplicate, parent, Some(auth)).map_err(token_error)?;
                let loaded = tpm.load(&blob, Some(auth)).map_err(token_error)?;
                SigningKey::Tpm(loaded)
                    .prove(&key.public_key, nonce)
                    .map_err(token_error)?;
                restored.insert(key.id, (blob, parent.parent().clone()));
                Ok("TPM2_Import".to_owned())
            }
            (RestoreWay::Pkcs11 { .. }, _) => Err(SiteTokenError::OtherKind {
                token: self.name.clone(),
                copy: "a key of a TPM",
            }),
            (RestoreWay::Tpm { .. }, Copy::Wrapped(_)) => Err(SiteTokenError::OtherKind {
                token: self.name.clone(),
                copy: "a key of a PKCS#11 token",
            }),
        }
    }

    /// Lets a key that was restored stay: the file of a native key is written, and the recovery parent that it leaves to again. A file of another
    /// TPM that has its name is kept in `keys/tpm/replaced`.
    pub fn settle(&mut self, id: KeyId) -> Result<(), SiteTokenError> {
        let RestoreWay::Tpm { tokens, restored, .. } = &mut self.way else {
            return Ok(());
        };
        let Some((blob, parent)) = restored.get(&id) else {
            return Ok(());
        };
        let lock = tokens.site.lock_tpm(&self.name)?;
        parent
            .write_to_site(tokens.site, &self.name, &lock)
            .map_err(token_error)?;
        let path = tokens.site.tpm_key_path(id);
        if let Ok(old) = fs::read(&path) {
            let kept = tokens.site.path(format!(
                "keys/tpm/replaced/{id}.{}",
                key_metadata::Digest::of(&old)
            ));
            replace(&kept, |out| out.write_all(&old))?;
        }
        Ok(replace(&path, |out| out.write_all(&blob.to_bytes()))?)
    }
}
