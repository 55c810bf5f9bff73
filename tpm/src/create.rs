//! New keys.

use key_metadata::{Advice, Algorithm, KeySpec, Tcti};
use secrecy::{ExposeSecret, SecretString};
use tss_esapi::attributes::{ObjectAttributes, ObjectAttributesBuilder};
use tss_esapi::interface_types::algorithm::{HashingAlgorithm, PublicAlgorithm};
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::interface_types::key_bits::RsaKeyBits;
use tss_esapi::structures::{
    Digest, EccPoint, EccScheme, KeyDerivationFunctionScheme, Public, PublicBuilder, PublicEccParameters,
    PublicKeyRsa, PublicParameters, PublicRsaParameters, RsaExponent, RsaScheme, SymmetricDefinitionObject,
};
use tss_esapi::{Error, WrapperErrorKind};

use crate::blob::{KeyBlob, KeyBlobError};
use crate::command::CommandError;
use crate::engine::Engine;
use crate::exit::{Exit, Origin, attributes};
use crate::recovery::RecoveryParent;
use crate::response::NOT_OFFERED;
use crate::session::{Protect, auth_value};
use crate::srk::SrkError;
use crate::tpm::Tpm;

/// The longest auth value of a key, in bytes: its Name's digest (TPM 2.0 part 1, 19.6.4.3).
pub(crate) const MAX_AUTH: usize = 32;

/// Why a key was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The TPM does not make such keys.
    #[error("the TPM at {tcti} makes no {spec} key; it makes {}", list(.offered))]
    Unsupported {
        /// The TPM.
        tcti: Tcti,
        /// The key asked for.
        spec: KeySpec,
        /// The keys that it makes.
        offered: Vec<KeySpec>,
    },
    /// An auth value that is too long; it is not cut.
    #[error("the auth value of a TPM key has at most {MAX_AUTH} bytes, not {length}")]
    AuthLength {
        /// Its length, in bytes.
        length: usize,
    },
    /// What the TPM made is not what was asked for.
    #[error("the TPM at {tcti} made another key than {spec}")]
    Wrong {
        /// The TPM.
        tcti: Tcti,
        /// The key asked for.
        spec: KeySpec,
        /// What is wrong with it.
        source: KeyBlobError,
    },
    /// There is no SRK to make it under.
    #[error(transparent)]
    Srk(#[from] SrkError),
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Advice for CreateError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Unsupported { .. } => Some("choose one of these, or a PKCS#11 token".to_owned()),
            Self::AuthLength { .. } | Self::Wrong { .. } => None,
            Self::Srk(error) => error.hint(),
            Self::Command(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Srk(error) => error.is_credential(),
            Self::Command(error) => error.is_credential(),
            Self::Unsupported { .. } | Self::AuthLength { .. } | Self::Wrong { .. } => false,
        }
    }
}

pub(crate) fn list(specs: &[KeySpec]) -> String {
    match specs {
        [] => "no key for DNSSEC".to_owned(),
        [only] => only.to_string(),
        [first @ .., last] => {
            let first: Vec<_> = first.iter().map(KeySpec::to_string).collect();
            format!("{} and {last}", first.join(", "))
        }
    }
}

impl Tpm {
    /// Makes a signing key under the SRK. It never leaves this TPM, and a wrong auth value counts towards the TPM's lockout.
    pub fn create_key(&self, spec: KeySpec, auth: Option<&SecretString>) -> Result<KeyBlob, CreateError> {
        self.create(spec, auth, None)
    }

    /// Makes a signing key under the SRK that leaves this TPM to one recovery parent, with the owner's authorisation ([`Self::duplicate`]),
    /// and in no other way. A wrong auth value counts towards the TPM's lockout.
    pub fn create_duplicable_key(
        &self,
        spec: KeySpec,
        auth: Option<&SecretString>,
        parent: &RecoveryParent,
    ) -> Result<KeyBlob, CreateError> {
        self.create(spec, auth, Some(&Exit::by_owner(parent)))
    }

    pub(crate) fn create(
        &self,
        spec: KeySpec,
        auth: Option<&SecretString>,
        exit: Option<&Exit>,
    ) -> Result<KeyBlob, CreateError> {
        let length = auth.map_or(0, |auth| auth.expose_secret().len());
        if length > MAX_AUTH {
            return Err(CreateError::AuthLength { length });
        }
        let mut engine = self.engine();
        let tcti = engine.tcti.clone();
        if !engine.offers(spec)? {
            return Err(CreateError::Unsupported {
                tcti,
                spec,
                offered: engine.offered()?,
            });
        }
        engine.free_slots();
        let session = engine.salted()?;
        let srk = engine.srk()?;
        let made = engine.run_in(session, Protect::Both, "TPM2_Create", |context| {
            context.create(
                srk.handle,
                template(spec, exit)?,
                Some(auth_value(auth)?),
                None,
                None,
                None,
            )
        })?;
        let made = KeyBlob::new(srk.name, made.out_public, made.out_private).and_then(|blob| {
            blob.public_key(spec.algorithm())?;
            let as_asked = exit.map_or(attributes(blob.public()).fixed_tpm(), |exit| {
                exit.is_of(blob.public())
            });
            as_asked.then_some(blob).ok_or(KeyBlobError::OtherExit)
        });
        made.map_err(|source| CreateError::Wrong { tcti, spec, source })
    }

    /// The keys for DNSSEC that the TPM makes, found by asking it (TPM2_TestParms).
    pub fn offered_keys(&self) -> Result<Vec<KeySpec>, CommandError> {
        self.engine().offered()
    }
}

impl Engine {
    pub(crate) fn offered(&mut self) -> Result<Vec<KeySpec>, CommandError> {
        let mut offered = Vec::new();
        for spec in KeySpec::ALL {
            if self.offers(spec)? {
                offered.push(spec);
            }
        }
        Ok(offered)
    }

    pub(crate) fn offers(&mut self, spec: KeySpec) -> Result<bool, CommandError> {
        // The TPM library specification has no Ed25519 before version 1.84, and tpm2-tss has none.
        if spec.algorithm() == Algorithm::Ed25519 {
            return Ok(false);
        }
        match self.run("TPM2_TestParms", None, |context| {
            context.test_parms(parameters(spec)?)
        }) {
            Ok(()) => Ok(true),
            Err(error) if NOT_OFFERED.into_iter().any(|code| error.is(code)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// What makes a key one of that size or curve; no scheme, so that an RSA key signs with either hash.
fn parameters(spec: KeySpec) -> Result<PublicParameters, Error> {
    match spec.algorithm() {
        Algorithm::RsaSha256 | Algorithm::RsaSha512 => {
            let bits = RsaKeyBits::try_from(spec.bits())?;
            let (symmetric, exponent) = (SymmetricDefinitionObject::Null, RsaExponent::default());
            Ok(PublicParameters::Rsa(PublicRsaParameters::new(
                symmetric,
                RsaScheme::Null,
                bits,
                exponent,
            )))
        }
        Algorithm::EcdsaP256Sha256 => Ok(ecc(EccCurve::NistP256)),
        Algorithm::EcdsaP384Sha384 => Ok(ecc(EccCurve::NistP384)),
        Algorithm::Ed25519 => Err(Error::WrapperError(WrapperErrorKind::UnsupportedParam)),
    }
}

/// Not by tss-esapi's builder, which wants a scheme for a curve.
fn ecc(curve: EccCurve) -> PublicParameters {
    let (symmetric, kdf) = (SymmetricDefinitionObject::Null, KeyDerivationFunctionScheme::Null);
    PublicParameters::Ecc(PublicEccParameters::new(symmetric, EccScheme::Null, curve, kdf))
}

/// What a TPM makes a key from: one that stays, where it has no exit.
fn template(spec: KeySpec, exit: Option<&Exit>) -> Result<Public, Error> {
    let (attributes, policy) = match exit {
        Some(exit) => (
            Exit::attributes(Origin::Tpm)?,
            Digest::try_from(exit.policy().as_slice())?,
        ),
        None => (staying()?, Digest::default()),
    };
    let (modulus, point) = (PublicKeyRsa::default(), EccPoint::default());
    public_area(spec, attributes, policy, modulus, point)
}

/// The attributes of a key that never leaves.
fn staying() -> Result<ObjectAttributes, Error> {
    ObjectAttributesBuilder::new()
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        .with_sensitive_data_origin(true)
        .with_user_with_auth(true)
        .with_sign_encrypt(true)
        .build()
}

/// The public area of a signing key; of the two values only the one of the key's kind is used.
pub(crate) fn public_area(
    spec: KeySpec,
    attributes: ObjectAttributes,
    policy: Digest,
    modulus: PublicKeyRsa,
    point: EccPoint,
) -> Result<Public, Error> {
    let builder = PublicBuilder::new()
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes)
        .with_auth_policy(policy);
    match parameters(spec)? {
        PublicParameters::Rsa(parameters) => builder
            .with_public_algorithm(PublicAlgorithm::Rsa)
            .with_rsa_parameters(parameters)
            .with_rsa_unique_identifier(modulus),
        PublicParameters::Ecc(parameters) => builder
            .with_public_algorithm(PublicAlgorithm::Ecc)
            .with_ecc_parameters(parameters)
            .with_ecc_unique_identifier(point),
        PublicParameters::KeyedHash(_) | PublicParameters::SymCipher(_) => builder,
    }
    .build()
}
