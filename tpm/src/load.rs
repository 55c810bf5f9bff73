//! Keys in the TPM, and their signatures.

use key_metadata::{Advice, Algorithm, Tcti};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use tss_esapi::Error;
use tss_esapi::constants::tss::{TPM2_RH_NULL, TPM2_ST_HASHCHECK};
use tss_esapi::handles::KeyHandle;
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{Digest, HashScheme, HashcheckTicket, Signature, SignatureScheme};
use tss_esapi::tss2_esys::{TPM2B_DIGEST, TPMT_TK_HASHCHECK};

use crate::blob::{KeyBlob, Kind, left_padded};
use crate::command::CommandError;
use crate::engine::Engine;
use crate::name::Name;
use crate::response::{AUTH_FAIL, INTEGRITY};
use crate::session::Protect;
use crate::srk::SrkError;
use crate::tpm::Tpm;

/// Why a key was not loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Made under another SRK.
    #[error(
        "this key was made by another TPM: under the storage root key {made_under}, and the TPM at {tcti} has {here}"
    )]
    OtherTpm {
        /// The TPM.
        tcti: Tcti,
        /// The Name of the SRK that the key was made under.
        made_under: Name,
        /// The Name of the TPM's SRK.
        here: Name,
    },
    /// The private part is not one that this TPM wrapped (TPM_RC_INTEGRITY, 0x1df).
    #[error("the TPM at {tcti} does not recognise this key: it is damaged, or was made by another TPM")]
    Damaged {
        /// The TPM.
        tcti: Tcti,
        /// The response.
        source: CommandError,
    },
    /// There is no SRK to load it under.
    #[error(transparent)]
    Srk(#[from] SrkError),
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Advice for LoadError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::OtherTpm { .. } => Some(
                "use the TPM that made it; if that one was cleared or is lost, restore the key from a backup"
                    .to_owned(),
            ),
            Self::Damaged { .. } => {
                Some("restore the key's file from the site's version control or a backup".to_owned())
            }
            Self::Srk(error) => error.hint(),
            Self::Command(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Srk(error) => error.is_credential(),
            Self::Command(error) => error.is_credential(),
            Self::OtherTpm { .. } | Self::Damaged { .. } => false,
        }
    }

    fn is_absence(&self) -> bool {
        match self {
            Self::Srk(error) => error.is_absence(),
            Self::Command(error) => error.is_absence(),
            Self::OtherTpm { .. } | Self::Damaged { .. } => false,
        }
    }
}

/// Why a signature was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The key's auth value is wrong (TPM_RC_AUTH_FAIL, 0x98e); the TPM counted it.
    #[error("the TPM at {tcti} refused the key's auth value")]
    AuthRefused {
        /// The TPM.
        tcti: Tcti,
        /// How many more wrong values the TPM takes before it locks; `None` if it did not say.
        tries_left: Option<u32>,
    },
    /// The key is of another algorithm.
    #[error("a key of {kind} does not sign with {algorithm}")]
    Algorithm {
        /// The algorithm asked for.
        algorithm: Algorithm,
        /// What the key is.
        kind: String,
    },
    /// The TPM answered with something that is no signature of that algorithm.
    #[error("the TPM at {tcti} gave no {algorithm} signature")]
    Wrong {
        /// The TPM.
        tcti: Tcti,
        /// The algorithm asked for.
        algorithm: Algorithm,
    },
    /// There is no SRK to salt the session with.
    #[error(transparent)]
    Srk(#[from] SrkError),
    /// It had given up its slot, and was not loaded again.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Advice for SignError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::AuthRefused {
                tries_left: Some(0), ..
            } => Some("the TPM is locked now: wait, or clear it with the lockout auth".to_owned()),
            Self::AuthRefused {
                tries_left: Some(left),
                ..
            } => Some(format!(
                "check the auth value before the next try; wrong tries until the whole TPM locks: {left}"
            )),
            Self::AuthRefused { tries_left: None, .. } => {
                Some("check the auth value before the next try".to_owned())
            }
            Self::Algorithm { .. } | Self::Wrong { .. } => None,
            Self::Srk(error) => error.hint(),
            Self::Load(error) => error.hint(),
            Self::Command(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::AuthRefused { .. } => true,
            Self::Srk(error) => error.is_credential(),
            Self::Load(error) => error.is_credential(),
            Self::Command(error) => error.is_credential(),
            Self::Algorithm { .. } | Self::Wrong { .. } => false,
        }
    }

    fn is_absence(&self) -> bool {
        match self {
            Self::Srk(error) => error.is_absence(),
            Self::Load(error) => error.is_absence(),
            Self::Command(error) => error.is_absence(),
            Self::AuthRefused { .. } | Self::Algorithm { .. } | Self::Wrong { .. } => false,
        }
    }
}

/// A key that the TPM has loaded, until it is dropped. A TPM has few slots for objects: of more keys than fit, the one that was not used for
/// the longest time gives up its slot, and is loaded again when it is to sign.
///
/// With an auth value, tpm2-tss 3.2 spends about 3 ms of its own on each signature: it sets OpenSSL up anew for every digest of the session.
pub struct LoadedKey {
    tpm: Tpm,
    /// What the connection knows it by.
    number: u64,
    blob: KeyBlob,
    auth: Option<SecretString>,
}

/// The keys that have a slot in the TPM, the one that was used last at the end.
#[derive(Default)]
pub(crate) struct Slots {
    keys: Vec<(u64, KeyHandle)>,
    next: u64,
}

impl Tpm {
    /// Loads a key. A wrong auth value is noticed by the first signature: to check it here would cost a try.
    pub fn load(&self, blob: &KeyBlob, auth: Option<&SecretString>) -> Result<LoadedKey, LoadError> {
        let mut engine = self.engine();
        let number = engine.slots.next;
        engine.slots.next += 1;
        let auth = auth.map(|auth| SecretString::from(auth.expose_secret().to_owned()));
        engine.load_into_slot(number, blob, auth.as_ref())?;
        Ok(LoadedKey {
            tpm: self.clone(),
            number,
            blob: blob.clone(),
            auth,
        })
    }
}

impl Engine {
    /// Loads a key; where there is no slot, another of our keys gives up its own.
    fn load_into_slot(
        &mut self,
        number: u64,
        blob: &KeyBlob,
        auth: Option<&SecretString>,
    ) -> Result<KeyHandle, LoadError> {
        loop {
            match self.load(blob, auth) {
                Ok(handle) => {
                    self.slots.keys.push((number, handle));
                    return Ok(handle);
                }
                Err(LoadError::Command(CommandError::NoRoom { .. })) if self.make_room() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The key of ours that was not used for the longest time gives up its slot; whether there was one.
    fn make_room(&mut self) -> bool {
        if self.slots.keys.is_empty() {
            return false;
        }
        let (_, oldest) = self.slots.keys.remove(0);
        drop(self.hold(oldest.into()));
        true
    }

    /// Lets all our keys give up their slots, for a command that wants some itself; they are loaded again when they are to sign.
    pub(crate) fn free_slots(&mut self) {
        while self.make_room() {}
    }

    pub(crate) fn load(
        &mut self,
        blob: &KeyBlob,
        auth: Option<&SecretString>,
    ) -> Result<KeyHandle, LoadError> {
        let tcti = self.tcti.clone();
        let session = self.salted()?;
        let srk = self.srk()?;
        if srk.name != *blob.parent() {
            return Err(LoadError::OtherTpm {
                tcti,
                made_under: blob.parent().clone(),
                here: srk.name,
            });
        }
        let (private, public) = blob.parts();
        let loaded = self.run_in(session, Protect::Nothing, "TPM2_Load", |context| {
            context.load(srk.handle, private, public)
        });
        let handle = match loaded {
            Ok(handle) => handle,
            Err(source) if source.is(INTEGRITY) => return Err(LoadError::Damaged { tcti, source }),
            Err(error) => return Err(error.into()),
        };
        let mut key = self.hold(handle.into());
        if auth.is_some() {
            key.set_auth(handle.into(), auth)?;
        }
        key.keep();
        Ok(handle)
    }

    /// The handle of a key, which is loaded again if it had to give up its slot.
    fn handle_of(&mut self, key: &LoadedKey) -> Result<KeyHandle, LoadError> {
        match self
            .slots
            .keys
            .iter()
            .position(|(number, _)| *number == key.number)
        {
            Some(place) => {
                let found = self.slots.keys.remove(place);
                self.slots.keys.push(found);
                Ok(found.1)
            }
            None => self.load_into_slot(key.number, &key.blob, key.auth.as_ref()),
        }
    }
}

impl LoadedKey {
    /// Signs data, as an RRSIG holds the signature: RSASSA-PKCS1-v1_5 (RFC 5702 3) as long as the modulus, or r | s (RFC 6605 4).
    pub fn sign(&self, algorithm: Algorithm, data: &[u8]) -> Result<Vec<u8>, SignError> {
        let wrong = || SignError::Algorithm {
            algorithm,
            kind: self.blob.kind().to_string(),
        };
        if !self.blob.kind().serves(algorithm) {
            return Err(wrong());
        }
        let (digest, scheme) = match algorithm {
            Algorithm::RsaSha256 => (Sha256::digest(data).to_vec(), rsa_ssa(HashingAlgorithm::Sha256)),
            Algorithm::RsaSha512 => (Sha512::digest(data).to_vec(), rsa_ssa(HashingAlgorithm::Sha512)),
            Algorithm::EcdsaP256Sha256 => (Sha256::digest(data).to_vec(), ecdsa(HashingAlgorithm::Sha256)),
            Algorithm::EcdsaP384Sha384 => (Sha384::digest(data).to_vec(), ecdsa(HashingAlgorithm::Sha384)),
            Algorithm::Ed25519 => return Err(wrong()),
        };
        let signature = self.sign_digest(digest, scheme)?;
        let length = self.blob.kind().coordinate();
        let bytes = match (self.blob.kind(), signature) {
            (Kind::Rsa { bits }, Signature::RsaSsa(rsa)) => {
                left_padded(rsa.signature(), usize::from(bits / 8))
            }
            (Kind::P256 | Kind::P384, Signature::EcDsa(point)) => [
                left_padded(point.signature_r(), length),
                left_padded(point.signature_s(), length),
            ]
            .concat(),
            (Kind::Rsa { .. } | Kind::P256 | Kind::P384, _) => {
                return Err(SignError::Wrong {
                    tcti: self.tpm.tcti().clone(),
                    algorithm,
                });
            }
        };
        Ok(bytes)
    }

    fn sign_digest(&self, digest: Vec<u8>, scheme: SignatureScheme) -> Result<Signature, SignError> {
        let mut engine = self.tpm.engine();
        let handle = engine.handle_of(self)?;
        let send = |context: &mut tss_esapi::Context| {
            context.sign(handle, Digest::try_from(digest)?, scheme, external_digest()?)
        };
        let result = match self.auth {
            None => engine.run("TPM2_Sign", Some(AuthSession::Password), send),
            // Neither digest nor signature is a secret: the HMAC is enough, and encryption would cost time.
            Some(_) => {
                let session = engine.salted()?;
                engine.run_in(session, Protect::Nothing, "TPM2_Sign", send)
            }
        };
        match result {
            Ok(signature) => Ok(signature),
            Err(error) if error.is(AUTH_FAIL) => {
                let tries_left = engine.lockout().ok().map(|lockout| lockout.tries_left());
                Err(SignError::AuthRefused {
                    tcti: engine.tcti.clone(),
                    tries_left,
                })
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for LoadedKey {
    fn drop(&mut self) {
        let mut engine = self.tpm.engine();
        let place = engine
            .slots
            .keys
            .iter()
            .position(|(number, _)| *number == self.number);
        if let Some(place) = place {
            let (_, handle) = engine.slots.keys.remove(place);
            drop(engine.hold(handle.into()));
        }
    }
}

fn rsa_ssa(hash: HashingAlgorithm) -> SignatureScheme {
    SignatureScheme::RsaSsa {
        hash_scheme: HashScheme::new(hash),
    }
}

fn ecdsa(hash: HashingAlgorithm) -> SignatureScheme {
    SignatureScheme::EcDsa {
        hash_scheme: HashScheme::new(hash),
    }
}

/// Says that the digest was not made by the TPM (TPM 2.0 part 2, 10.7.5: the null ticket).
fn external_digest() -> Result<HashcheckTicket, Error> {
    let digest = TPM2B_DIGEST::default();
    HashcheckTicket::try_from(TPMT_TK_HASHCHECK {
        tag: TPM2_ST_HASHCHECK,
        hierarchy: TPM2_RH_NULL,
        digest,
    })
}
