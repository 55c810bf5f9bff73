//! The attestation key (AK): what a TPM signs statements about itself with.
//!
//! A restricted P-256 key signs only what the TPM itself put together. It is made under an endorsement key, and its
//! auth value is empty: nothing that it signs is a secret, and what it signs is true whoever asks.
//!
//! It has noDA set, so that the ceremony's log goes on in a lockout. An object with a secret auth value must not have it; here there is none
//! to be guessed. A policy instead, as the log's anchors have, would cost a session for every signature and protect nothing: its one branch
//! would be open to everybody.

use std::fmt;

use key_metadata::{Advice, Tcti, TpmHandle};
use tss_esapi::attributes::ObjectAttributesBuilder;
use tss_esapi::handles::KeyHandle;
use tss_esapi::interface_types::algorithm::{HashingAlgorithm, PublicAlgorithm};
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::structures::{
    EccPoint, EccScheme, HashScheme, KeyDerivationFunctionScheme, Public, PublicBuilder, PublicEccParameters,
    SymmetricDefinitionObject,
};
use tss_esapi::traits::{Marshall, UnMarshall};

use crate::auth::AuthValue;
use crate::command::CommandError;
use crate::ek_template::EkTemplate;
use crate::endorsement::EndorsementError;
use crate::engine::{Engine, Held};
use crate::name::{Name, name_of};
use crate::persistent::PersistentKind;
use crate::public_key::spki_of;
use crate::response::{BAD_AUTH, NV_SPACE};
use crate::template::without_unique;
use crate::tpm::Tpm;

/// An attestation key's public half.
#[derive(Clone, PartialEq, Eq)]
pub struct AttestationKey {
    name: Name,
    spki: Vec<u8>,
    public: Vec<u8>,
}

/// A public area that is not one of an attestation key of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no public area of a restricted P-256 signing key that its TPM made and keeps")]
pub struct AttestationKeyError;

/// What is at the place of an attestation key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttestationKeyState {
    /// Nothing.
    Absent,
    /// A key of our template. That it is in a certified TPM, an activated credential shows ([`Tpm::activate`]).
    Ours(AttestationKey),
    /// Something else.
    Foreign {
        /// Its Name.
        name: Name,
        /// What it is.
        kind: PersistentKind,
    },
}

/// Why an attestation key was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttestationError {
    /// Something is at the handle; it is left alone.
    #[error("the handle {handle} of the TPM at {tcti} holds {kind}")]
    HandleTaken {
        /// The TPM.
        tcti: Tcti,
        /// The handle.
        handle: TpmHandle,
        /// What is there.
        kind: PersistentKind,
    },
    /// The owner hierarchy has an auth value (TPM_RC_BAD_AUTH, 0x9a2), and none or another one was given.
    #[error("the TPM at {tcti} refused the owner auth that keeping an attestation key at {handle} takes")]
    OwnerAuth {
        /// The TPM.
        tcti: Tcti,
        /// The handle.
        handle: TpmHandle,
    },
    /// The TPM's persistent storage is full (TPM_RC_NV_SPACE).
    #[error("the TPM at {tcti} has no space to keep an attestation key at {handle}")]
    NoSpace {
        /// The TPM.
        tcti: Tcti,
        /// The handle.
        handle: TpmHandle,
    },
    /// What the TPM made is not what was asked for.
    #[error("the TPM at {tcti} made another key than an attestation key")]
    Wrong {
        /// The TPM.
        tcti: Tcti,
        /// What is wrong with it.
        source: AttestationKeyError,
    },
    /// The endorsement key to make it under could not be used.
    #[error(transparent)]
    Endorsement(#[from] EndorsementError),
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Advice for AttestationError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::HandleTaken { .. } => Some(
                "name another handle in site.yaml (attestation-key), or have it removed: --remove HANDLE".to_owned(),
            ),
            Self::OwnerAuth { .. } => Some("give the owner auth by --owner-auth".to_owned()),
            Self::NoSpace { .. } => Some(
                "list what is kept with keyrite-tpm-init check, and have removed what nobody needs: --remove HANDLE"
                    .to_owned(),
            ),
            Self::Wrong { .. } => None,
            Self::Endorsement(error) => error.hint(),
            Self::Command(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::OwnerAuth { .. } => true,
            Self::HandleTaken { .. } | Self::NoSpace { .. } | Self::Wrong { .. } => false,
            Self::Endorsement(error) => error.is_credential(),
            Self::Command(error) => error.is_credential(),
        }
    }
}

impl AttestationKey {
    /// Reads a marshalled TPMT_PUBLIC: what a log or a certificate request keeps of the key.
    pub fn from_public(area: &[u8]) -> Result<Self, AttestationKeyError> {
        match Public::unmarshall(area) {
            // The library ignores what follows the structure.
            Ok(public) if public.marshall().is_ok_and(|again| again == area) => Self::of(&public),
            Ok(_) | Err(_) => Err(AttestationKeyError),
        }
    }

    fn of(public: &Public) -> Result<Self, AttestationKeyError> {
        let read = || {
            let ours = without_unique(template().ok()?)? == without_unique(public.clone())?;
            let area = public.marshall().ok().filter(|_| ours)?;
            Some(Self {
                name: name_of(&area)?,
                spki: spki_of(public)?,
                public: area,
            })
        };
        read().ok_or(AttestationKeyError)
    }

    /// Its Name, which binds everything else.
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// The DER SubjectPublicKeyInfo.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The marshalled TPMT_PUBLIC.
    pub fn public(&self) -> &[u8] {
        &self.public
    }
}

impl fmt::Debug for AttestationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AttestationKey({})", self.name)
    }
}

impl Tpm {
    /// Makes an attestation key under the endorsement key of a template, and keeps it at a persistent handle, which must be free.
    pub fn create_attestation_key(
        &self,
        handle: TpmHandle,
        template: EkTemplate,
        endorsement_auth: Option<&AuthValue>,
        owner_auth: Option<&AuthValue>,
    ) -> Result<AttestationKey, AttestationError> {
        let mut engine = self.engine();
        let tcti = engine.tcti.clone();
        if let Some(kind) = engine.persistent_kind(handle)? {
            return Err(AttestationError::HandleTaken { tcti, handle, kind });
        }
        let mut loaded = engine.new_attestation_key(template, endorsement_auth)?;
        let open = loaded.handle();
        let (public, _) = loaded.public(open)?;
        let key = AttestationKey::of(&public).map_err(|source| AttestationError::Wrong {
            tcti: tcti.clone(),
            source,
        })?;
        match loaded.persist(open, handle.number(), owner_auth) {
            Ok(()) => Ok(key),
            Err(error) if error.is(BAD_AUTH) => Err(AttestationError::OwnerAuth { tcti, handle }),
            Err(error) if error.is(NV_SPACE) => Err(AttestationError::NoSpace { tcti, handle }),
            Err(error) => Err(error.into()),
        }
    }

    /// What is at the place of an attestation key; changes nothing, and takes no auth value.
    pub fn attestation_key(&self, handle: TpmHandle) -> Result<AttestationKeyState, CommandError> {
        let mut engine = self.engine();
        let Some(kind) = engine.persistent_kind(handle)? else {
            return Ok(AttestationKeyState::Absent);
        };
        let mut object = engine.open(handle.number())?;
        let open = object.handle();
        let (public, name) = object.public(open)?;
        Ok(match AttestationKey::of(&public) {
            Ok(key) => AttestationKeyState::Ours(key),
            Err(AttestationKeyError) => AttestationKeyState::Foreign { name, kind },
        })
    }
}

impl Engine {
    /// A new attestation key in a volatile slot; the endorsement key's slot is free again.
    fn new_attestation_key(
        &mut self,
        template_of_ek: EkTemplate,
        auth: Option<&AuthValue>,
    ) -> Result<Held<'_>, AttestationError> {
        let loaded = {
            let (mut ek, _) = self.endorsement_key(template_of_ek, auth)?;
            let parent = KeyHandle::from(ek.handle());
            let made = {
                let (mut held, session) = ek.endorsement_session(template_of_ek, auth)?;
                held.run("TPM2_Create", Some(session), |context| {
                    context.create(parent, template()?, None, None, None, None)
                })?
            };
            // The policy was satisfied for one command.
            let (mut held, session) = ek.endorsement_session(template_of_ek, auth)?;
            held.run("TPM2_Load", Some(session), |context| {
                context.load(parent, made.out_private, made.out_public)
            })?
        };
        Ok(self.hold(loaded.into()))
    }
}

/// ECDSA with SHA-256 on P-256; restricted, so a scheme is fixed.
fn template() -> Result<Public, tss_esapi::Error> {
    let attributes = ObjectAttributesBuilder::new()
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        .with_sensitive_data_origin(true)
        .with_user_with_auth(true)
        .with_no_da(true)
        .with_restricted(true)
        .with_sign_encrypt(true)
        .build()?;
    PublicBuilder::new()
        .with_public_algorithm(PublicAlgorithm::Ecc)
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes)
        .with_ecc_parameters(PublicEccParameters::new(
            SymmetricDefinitionObject::Null,
            EccScheme::EcDsa(HashScheme::new(HashingAlgorithm::Sha256)),
            EccCurve::NistP256,
            KeyDerivationFunctionScheme::Null,
        ))
        .with_ecc_unique_identifier(EccPoint::default())
        .build()
}
