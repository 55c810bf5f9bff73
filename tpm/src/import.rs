//! Keys from outside, which the TPM takes under its storage root key.

use key_metadata::algorithm::KeySpecError;
use key_metadata::{
    Advice, Algorithm, KeyAlgorithm, KeySpec, PublicKey, SoftwareKey, SoftwareSecret, Tcti, verifies,
};
use rsa::rand_core::{OsRng, RngCore};
use secrecy::{ExposeSecret, SecretString};
use tss_esapi::Error;
use tss_esapi::structures::{
    Digest, EccParameter, EccPoint, EncryptedSecret, Private, Public, PublicKeyRsa, SymmetricDefinitionObject,
};
use tss_esapi::traits::Marshall;
use zeroize::Zeroizing;

use crate::blob::{KeyBlob, KeyBlobError, with_size};
use crate::command::CommandError;
use crate::create::{MAX_AUTH, list, public_area};
use crate::ek_template::Strength;
use crate::exit::{Exit, Origin};
use crate::load::{LoadError, SignError};
use crate::name::name_of;
use crate::outer_wrap::{Purpose, Wrapped};
use crate::public_key::{EkPublicKey, spki_of};
use crate::recovery::RecoveryParent;
use crate::session::Protect;
use crate::srk::SrkError;
use crate::tpm::Tpm;

/// What a key signs, with a nonce, to show that it is the one that was given.
const DATA: &[u8] = b"is this the key that came from outside?";

/// The one public exponent of the keys that a TPM makes; others it need not take.
const EXPONENT: [u8; 3] = [1, 0, 1];

/// TPM_ALG_RSA and TPM_ALG_ECC, the types of a sensitive area (TPM 2.0 part 2, 12.3.2.4).
pub(crate) const RSA: [u8; 2] = [0x00, 0x01];
pub(crate) const ECC: [u8; 2] = [0x00, 0x23];

/// Why a TPM did not take a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The key is of an algorithm that is only read.
    #[error("Keyrite does not sign with {0}")]
    Legacy(KeyAlgorithm),
    /// The key has a size that no key of ours has.
    #[error(transparent)]
    Size(KeySpecError),
    /// The TPM does not sign with such keys.
    #[error("the TPM at {tcti} takes no {spec} key; it takes {}", list(.offered))]
    Unsupported {
        /// The TPM.
        tcti: Tcti,
        /// What the key is.
        spec: KeySpec,
        /// The keys that it takes.
        offered: Vec<KeySpec>,
    },
    /// An RSA key with another exponent.
    #[error("an RSA key in a TPM has the public exponent 65537, and this one has another")]
    Exponent,
    /// The private half is of another kind than the public one, or of another length.
    #[error("the private half of this key is none of {algorithm} that a TPM takes")]
    OtherKind {
        /// The algorithm of the public half.
        algorithm: Algorithm,
    },
    /// An auth value that is too long; it is not cut.
    #[error("the auth value of a TPM key has at most {MAX_AUTH} bytes, not {length}")]
    AuthLength {
        /// Its length, in bytes.
        length: usize,
    },
    /// The TPM's storage root key is not one that something can be encrypted for.
    #[error("nothing can be encrypted for the storage root key of the TPM at {tcti}")]
    Unusable {
        /// The TPM.
        tcti: Tcti,
    },
    /// The TPM refused the key (TPM2_Import).
    #[error("the TPM at {tcti} did not take the {spec} key")]
    Refused {
        /// The TPM.
        tcti: Tcti,
        /// What the key is.
        spec: KeySpec,
        /// Its answer.
        source: CommandError,
    },
    /// What the private half signs does not verify with the public half.
    #[error(
        "the two halves of this key do not belong together: what the TPM at {tcti} signs with one does not verify with the other"
    )]
    NotThatKey {
        /// The TPM.
        tcti: Tcti,
    },
    /// What the TPM gave back is no key.
    #[error("the TPM at {tcti} took the {spec} key and gave none back")]
    Wrong {
        /// The TPM.
        tcti: Tcti,
        /// What the key is.
        spec: KeySpec,
        /// What is wrong with it.
        source: KeyBlobError,
    },
    /// The TPM took the key and does not load it.
    #[error(transparent)]
    Load(LoadError),
    /// The TPM took the key and does not sign with it.
    #[error(transparent)]
    Sign(SignError),
    /// There is no SRK to put it under.
    #[error(transparent)]
    Srk(#[from] SrkError),
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Advice for ImportError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Legacy(_) => Some("replace the key by one of another algorithm, in a rollover".to_owned()),
            Self::Size(_) | Self::Exponent => {
                Some("choose a PKCS#11 token, or replace the key in a rollover".to_owned())
            }
            Self::Unsupported { .. } => {
                Some("choose a PKCS#11 token, or replace the key by one of these in a rollover".to_owned())
            }
            Self::OtherKind { .. } | Self::NotThatKey { .. } | Self::Refused { .. } => {
                Some("check that the files of the key belong together and are whole".to_owned())
            }
            Self::AuthLength { .. } | Self::Unusable { .. } | Self::Wrong { .. } => None,
            Self::Load(error) => error.hint(),
            Self::Sign(error) => error.hint(),
            Self::Srk(error) => error.hint(),
            Self::Command(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Legacy(_)
            | Self::Size(_)
            | Self::Unsupported { .. }
            | Self::Exponent
            | Self::OtherKind { .. }
            | Self::AuthLength { .. }
            | Self::Unusable { .. }
            | Self::NotThatKey { .. }
            | Self::Wrong { .. } => false,
            Self::Refused { source, .. } => source.is_credential(),
            Self::Load(error) => error.is_credential(),
            Self::Sign(error) => error.is_credential(),
            Self::Srk(error) => error.is_credential(),
            Self::Command(error) => error.is_credential(),
        }
    }
}

impl Tpm {
    /// Takes a signing key from outside under the SRK, with that auth value, and gives it once it has signed and the signature verifies
    /// under the public half that it came with.
    ///
    /// The private half crosses the bus encrypted for the SRK, whose Name should be pinned ([`Tpm::pin_srk`]). The key is neither fixedTPM
    /// nor fixedParent, as TPM2_Import wants it; it has no policy, and without one TPM2_Duplicate does not let it go.
    pub fn import_key(&self, key: &SoftwareKey, auth: Option<&SecretString>) -> Result<KeyBlob, ImportError> {
        self.import(key, auth, None)
    }

    /// The same for a key that is to leave the TPM as one does that was made by [`Self::create_duplicable_key`].
    pub fn import_duplicable_key(
        &self,
        key: &SoftwareKey,
        auth: Option<&SecretString>,
        parent: &RecoveryParent,
    ) -> Result<KeyBlob, ImportError> {
        self.import(key, auth, Some(&Exit::by_owner(parent)))
    }

    fn import(
        &self,
        key: &SoftwareKey,
        auth: Option<&SecretString>,
        exit: Option<&Exit>,
    ) -> Result<KeyBlob, ImportError> {
        fits(auth)?;
        let public_key = &key.public_key;
        let algorithm = public_key.algorithm();
        let algorithm = algorithm.made().ok_or(ImportError::Legacy(algorithm))?;
        let spec = KeySpec::new(algorithm, Some(public_key.bits())).map_err(ImportError::Size)?;
        if public_key
            .rsa_parts()
            .is_some_and(|(_, exponent)| exponent != EXPONENT)
        {
            return Err(ImportError::Exponent);
        }
        let other_kind = || ImportError::OtherKind { algorithm };
        self.takes(spec)?;
        let sensitive = sensitive(key, spec, auth).ok_or_else(other_kind)?;
        let public = public(public_key, spec, exit).map_err(|_| other_kind())?;
        let blob = self.wrap_and_import(spec, public, &sensitive)?;
        self.has_sign(blob, algorithm, auth, public_key)
    }

    /// Whether the TPM signs with such keys.
    pub(crate) fn takes(&self, spec: KeySpec) -> Result<(), ImportError> {
        let mut engine = self.engine();
        if engine.offers(spec)? {
            return Ok(());
        }
        Err(ImportError::Unsupported {
            tcti: engine.tcti.clone(),
            spec,
            offered: engine.offered()?,
        })
    }

    /// Has a key that was taken sign a nonce, and gives it if the signature verifies.
    pub(crate) fn has_sign(
        &self,
        blob: KeyBlob,
        algorithm: Algorithm,
        auth: Option<&SecretString>,
        public_key: &PublicKey,
    ) -> Result<KeyBlob, ImportError> {
        let mut nonce = [0; 32];
        OsRng.fill_bytes(&mut nonce);
        let data = [DATA, &nonce].concat();
        let loaded = self.load(&blob, auth).map_err(ImportError::Load)?;
        let signature = loaded.sign(algorithm, &data).map_err(ImportError::Sign)?;
        match verifies(public_key, &data, &signature) {
            true => Ok(blob),
            false => Err(ImportError::NotThatKey {
                tcti: self.tcti().clone(),
            }),
        }
    }

    /// Puts a key under the SRK: its public area and its sensitive area.
    pub(crate) fn wrap_and_import(
        &self,
        spec: KeySpec,
        public: Public,
        sensitive: &[u8],
    ) -> Result<KeyBlob, ImportError> {
        let mut engine = self.engine();
        let tcti = engine.tcti.clone();
        engine.free_slots();
        let session = engine.salted()?;
        let srk = engine.srk()?;
        let (parent, name) = engine.public(srk.handle.into())?;
        if name != srk.name {
            return Err(SrkError::NotPinned {
                tcti,
                name,
                pinned: srk.name,
            }
            .into());
        }
        let wrapped = public
            .marshall()
            .ok()
            .and_then(|area| name_of(&area))
            .and_then(|name| {
                let parent = EkPublicKey::from_spki(&spki_of(&parent)?).ok()?;
                // Every template of a storage root key has SHA-256 and AES-128.
                Wrapped::make(Strength::Standard, Purpose::Duplicate, &parent, &name, sensitive)
            });
        let Some(Wrapped { object, seed }) = wrapped else {
            return Err(ImportError::Unusable { tcti });
        };
        let area = public.clone();
        let imported = engine.run_in(session, Protect::Nothing, "TPM2_Import", |context| {
            let (object, seed) = (Private::try_from(object)?, EncryptedSecret::try_from(seed)?);
            // Without an inner wrapper: the outer one encrypts already.
            let inner = SymmetricDefinitionObject::Null;
            context.import(srk.handle.into(), None, area, object, seed, inner)
        });
        let private = match imported {
            Ok(private) => private,
            Err(source @ CommandError::Refused { .. }) => {
                return Err(ImportError::Refused { tcti, spec, source });
            }
            Err(error) => return Err(error.into()),
        };
        KeyBlob::new(srk.name, public, private).map_err(|source| ImportError::Wrong { tcti, spec, source })
    }
}

/// Whether a key can have that auth value.
pub(crate) fn fits(auth: Option<&SecretString>) -> Result<(), ImportError> {
    match auth.map_or(0, |auth| auth.expose_secret().len()) {
        0..=MAX_AUTH => Ok(()),
        length => Err(ImportError::AuthLength { length }),
    }
}

/// The public area of a key from outside: with no policy, where it has no exit.
fn public(key: &PublicKey, spec: KeySpec, exit: Option<&Exit>) -> Result<Public, Error> {
    let attributes = Exit::attributes(Origin::Outside)?;
    let policy = match exit {
        Some(exit) => Digest::try_from(exit.policy().as_slice())?,
        None => Digest::default(),
    };
    let (modulus, point) = match key.rsa_parts() {
        Some((modulus, _)) => (PublicKeyRsa::try_from(modulus)?, EccPoint::default()),
        None => {
            let (x, y) = key.as_dnskey().split_at(key.as_dnskey().len() / 2);
            let point = EccPoint::new(EccParameter::try_from(x)?, EccParameter::try_from(y)?);
            (PublicKeyRsa::default(), point)
        }
    };
    public_area(spec, attributes, policy, modulus, point)
}

/// TPMT_SENSITIVE (part 2, 12.3.2.4): type, auth value, an empty seed, and one prime or the scalar; `None` where that is not of the key's
/// kind.
fn sensitive(key: &SoftwareKey, spec: KeySpec, auth: Option<&SecretString>) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = usize::from(spec.bits()) / 8;
    let (kind, secret) = match (&key.secret, key.public_key.rsa_parts()) {
        (SoftwareSecret::Rsa(rsa), Some(_)) if rsa.prime1.len() == bytes / 2 => (RSA, &rsa.prime1),
        (SoftwareSecret::Scalar(scalar), None) if scalar.len() == bytes => (ECC, scalar),
        (SoftwareSecret::Rsa(_) | SoftwareSecret::Scalar(_), _) => return None,
    };
    Some(sensitive_area(kind, auth, &[], secret))
}

/// TPMT_SENSITIVE of those parts.
pub(crate) fn sensitive_area(
    kind: [u8; 2],
    auth: Option<&SecretString>,
    seed: &[u8],
    secret: &[u8],
) -> Zeroizing<Vec<u8>> {
    let auth = auth.map_or(&[][..], |auth| auth.expose_secret().as_bytes());
    // With room for all of it, so that no half of it is left where it was before it grew.
    let mut area = Zeroizing::new(Vec::with_capacity(8 + auth.len() + seed.len() + secret.len()));
    area.extend_from_slice(&kind);
    for part in [auth, seed, secret] {
        area.extend_from_slice(&Zeroizing::new(with_size(part)));
    }
    area
}
