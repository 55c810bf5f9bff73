//! Secrets that only this TPM gives back.

use key_metadata::{Advice, Tcti, TpmHandle};
use secrecy::{ExposeSecret, SecretString};
use tss_esapi::Error;
use tss_esapi::attributes::ObjectAttributesBuilder;
use tss_esapi::constants::CommandCode;
use tss_esapi::interface_types::algorithm::{HashingAlgorithm, PublicAlgorithm};
use zeroize::Zeroizing;

use tss_esapi::structures::{
    Digest, KeyedHashScheme, Public, PublicBuilder, PublicKeyedHashParameters, SensitiveData,
};

use crate::auth::{AuthValue, AuthValueError};
use crate::command::CommandError;
use crate::engine::Engine;
use crate::persistent::PersistentKind;
use crate::policy::command_policy;
use crate::response::{BAD_AUTH, NV_SPACE};
use crate::session::Protect;
use crate::srk::SrkError;
use crate::tpm::Tpm;

/// The most that a TPM seals, in bytes (MAX_SYM_DATA; TPM 2.0 part 2, 11.1.14).
const MAX_SEALED: usize = 128;

/// Why a secret was not sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
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
    /// A secret of no bytes or of more than a TPM seals.
    #[error("a TPM seals 1 to {MAX_SEALED} bytes, not {length}")]
    Length {
        /// The secret's length, in bytes.
        length: usize,
    },
    /// The owner hierarchy has an auth value (TPM_RC_BAD_AUTH, 0x9a2), and none or another one was given.
    #[error("the TPM at {tcti} refused the owner auth that keeping a secret at {handle} takes")]
    OwnerAuth {
        /// The TPM.
        tcti: Tcti,
        /// The handle.
        handle: TpmHandle,
    },
    /// The TPM's persistent storage is full (TPM_RC_NV_SPACE).
    #[error("the TPM at {tcti} has no space to keep a secret at {handle}")]
    NoSpace {
        /// The TPM.
        tcti: Tcti,
        /// The handle.
        handle: TpmHandle,
    },
    /// There is no SRK to seal under.
    #[error(transparent)]
    Srk(#[from] SrkError),
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Advice for SealError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::HandleTaken { tcti, handle, .. } => Some(format!(
                "choose another handle, or evict it: tpm2_evictcontrol -c {handle} (TPM2TOOLS_TCTI={tcti})"
            )),
            Self::Length { .. } => None,
            Self::OwnerAuth { .. } => Some("give the owner auth by --owner-auth".to_owned()),
            Self::NoSpace { .. } => Some(
                "list what is kept with tpm2_getcap handles-persistent, and evict what nobody needs"
                    .to_owned(),
            ),
            Self::Srk(error) => error.hint(),
            Self::Command(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::OwnerAuth { .. } => true,
            Self::Srk(error) => error.is_credential(),
            Self::Command(error) => error.is_credential(),
            Self::HandleTaken { .. } | Self::Length { .. } | Self::NoSpace { .. } => false,
        }
    }
}

/// Why a secret was not given back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnsealError {
    /// Nothing at the handle.
    #[error("the TPM at {tcti} has nothing sealed at {handle}")]
    Absent {
        /// The TPM.
        tcti: Tcti,
        /// The handle.
        handle: TpmHandle,
    },
    /// Something else at the handle.
    #[error("the handle {handle} of the TPM at {tcti} holds {kind}, not sealed data")]
    NotSealed {
        /// The TPM.
        tcti: Tcti,
        /// The handle.
        handle: TpmHandle,
        /// What is there.
        kind: PersistentKind,
    },
    /// Sealed by another program, as bytes that are no text.
    #[error("what is sealed at {handle} of the TPM at {tcti} is no text")]
    NotText {
        /// The TPM.
        tcti: Tcti,
        /// The handle.
        handle: TpmHandle,
    },
    /// Sealed by another program, as bytes that are no auth value.
    #[error("what is sealed at {handle} of the TPM at {tcti} is no auth value")]
    NotAuth {
        /// The TPM.
        tcti: Tcti,
        /// The handle.
        handle: TpmHandle,
        /// Why not.
        source: AuthValueError,
    },
    /// There is no SRK to salt the session with.
    #[error(transparent)]
    Srk(#[from] SrkError),
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Advice for UnsealError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Absent { .. } | Self::NotSealed { .. } => Some(
                "check the handle of the PIN source, and that this is the TPM that the site was set up with"
                    .to_owned(),
            ),
            Self::NotText { .. } | Self::NotAuth { .. } => None,
            Self::Srk(error) => error.hint(),
            Self::Command(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Srk(error) => error.is_credential(),
            Self::Command(error) => error.is_credential(),
            Self::Absent { .. } | Self::NotSealed { .. } | Self::NotText { .. } | Self::NotAuth { .. } => {
                false
            }
        }
    }
}

impl Tpm {
    /// Seals a PIN under the SRK and keeps it at a persistent handle, which must be free. It is subject to the TPM's lockout.
    pub fn seal(
        &self,
        secret: &SecretString,
        handle: TpmHandle,
        owner_auth: Option<&AuthValue>,
    ) -> Result<(), SealError> {
        self.engine().seal(
            secret.expose_secret().as_bytes(),
            Guard::Lockout,
            handle,
            owner_auth,
        )
    }

    /// Seals a hierarchy's auth value likewise, but it is given back in a lockout too: the lockout auth is what ends one. It has no
    /// password that could be tried; its policy allows TPM2_Unseal.
    pub fn seal_auth(
        &self,
        auth: &AuthValue,
        handle: TpmHandle,
        owner_auth: Option<&AuthValue>,
    ) -> Result<(), SealError> {
        self.engine()
            .seal(auth.bytes(), Guard::Policy, handle, owner_auth)
    }

    /// The PIN that was sealed at a persistent handle.
    pub fn unseal(&self, handle: TpmHandle) -> Result<SecretString, UnsealError> {
        let mut engine = self.engine();
        let tcti = engine.tcti.clone();
        match std::str::from_utf8(&engine.unseal(handle)?) {
            Ok(text) => Ok(text.to_owned().into()),
            Err(_) => Err(UnsealError::NotText { tcti, handle }),
        }
    }

    /// The auth value that was sealed at a persistent handle.
    pub fn unseal_auth(&self, handle: TpmHandle) -> Result<AuthValue, UnsealError> {
        let mut engine = self.engine();
        let tcti = engine.tcti.clone();
        let bytes = Zeroizing::new(engine.unseal(handle)?.to_vec());
        AuthValue::new(bytes).map_err(|source| UnsealError::NotAuth { tcti, handle, source })
    }
}

impl Engine {
    fn unseal(&mut self, handle: TpmHandle) -> Result<SensitiveData, UnsealError> {
        let tcti = self.tcti.clone();
        match self.persistent_kind(handle)? {
            None => return Err(UnsealError::Absent { tcti, handle }),
            Some(PersistentKind::SealedData) => {}
            Some(
                kind @ (PersistentKind::StorageKey | PersistentKind::SigningKey | PersistentKind::OtherKey),
            ) => {
                return Err(UnsealError::NotSealed { tcti, handle, kind });
            }
        }
        let kept = self.salted()?;
        let mut object = self.open(handle.number())?;
        let open = object.handle();
        let by_password = object.read_public(open)?.object_attributes().user_with_auth();
        let data = if by_password {
            object.run_in(kept, Protect::Response, "TPM2_Unseal", |context| {
                context.unseal(open)
            })
        } else {
            let (mut policy, session) = object.command_session(CommandCode::Unseal)?;
            policy.run_in(session, Protect::Response, "TPM2_Unseal", |context| {
                context.unseal(open)
            })
        };
        Ok(data?)
    }

    fn seal(
        &mut self,
        secret: &[u8],
        guard: Guard,
        handle: TpmHandle,
        owner_auth: Option<&AuthValue>,
    ) -> Result<(), SealError> {
        let tcti = self.tcti.clone();
        if !(1..=MAX_SEALED).contains(&secret.len()) {
            return Err(SealError::Length { length: secret.len() });
        }
        if let Some(kind) = self.persistent_kind(handle)? {
            return Err(SealError::HandleTaken { tcti, handle, kind });
        }
        let session = self.salted()?;
        let srk = self.srk()?.handle;
        let made = self.run_in(session, Protect::Both, "TPM2_Create", |context| {
            let data = SensitiveData::try_from(secret)?;
            context.create(srk, template(guard)?, None, Some(data), None, None)
        })?;
        let object = self.run_in(session, Protect::Nothing, "TPM2_Load", |context| {
            context.load(srk, made.out_private, made.out_public)
        })?;
        let mut object = self.hold(object.into());
        let open = object.handle();
        object
            .persist(open, handle.number(), owner_auth)
            .map_err(|error| match error {
                error if error.is(BAD_AUTH) => SealError::OwnerAuth { tcti, handle },
                error if error.is(NV_SPACE) => SealError::NoSpace { tcti, handle },
                error => SealError::Command(error),
            })
    }
}

/// What keeps sealed data from those who ask for it.
#[derive(Clone, Copy)]
enum Guard {
    /// The TPM's lockout: it gives nothing back while it is locked. The password is empty.
    Lockout,
    /// A policy that allows TPM2_Unseal; there is no password, so nothing that a lockout would have to protect.
    Policy,
}

/// Sealed data bound to this TPM and parent.
fn template(guard: Guard) -> Result<Public, Error> {
    let attributes = ObjectAttributesBuilder::new()
        .with_fixed_tpm(true)
        .with_fixed_parent(true);
    let (attributes, policy) = match guard {
        Guard::Lockout => (attributes.with_user_with_auth(true), Digest::default()),
        Guard::Policy => (
            attributes.with_no_da(true),
            Digest::try_from(command_policy(CommandCode::Unseal).as_slice())?,
        ),
    };
    PublicBuilder::new()
        .with_public_algorithm(PublicAlgorithm::KeyedHash)
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes.build()?)
        .with_auth_policy(policy)
        .with_keyed_hash_parameters(PublicKeyedHashParameters::new(KeyedHashScheme::Null))
        .with_keyed_hash_unique_identifier(Digest::default())
        .build()
}
