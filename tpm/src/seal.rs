//! Secrets that only this TPM gives back.

use key_metadata::{Advice, Tcti, TpmHandle};
use secrecy::{ExposeSecret, SecretString};
use tss_esapi::constants::CommandCode;
use tss_esapi::handles::ObjectHandle;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::SensitiveData;
use zeroize::Zeroizing;

use crate::approval::ApprovalError;
use crate::auth::{AuthValue, AuthValueError};
use crate::command::CommandError;
use crate::engine::{Engine, Held};
use crate::guard::Guard;
use crate::persistent::PersistentKind;
use crate::response::{BAD_AUTH, NV_SPACE};
use crate::session::Protect;
use crate::srk::SrkError;
use crate::tpm::Tpm;

/// The most that a TPM seals, in bytes (MAX_SYM_DATA; TPM 2.0 part 2, 11.1.14).
const MAX_SEALED: usize = 128;

/// Why a secret was not sealed.
#[derive(Debug, thiserror::Error)]
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
    /// The machine is in a state that the PCR policy's authority has not approved: what is sealed under the policy could not be unsealed.
    #[error(transparent)]
    Approval(#[from] ApprovalError),
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
            Self::Approval(error) => error.hint(),
            Self::Srk(error) => error.hint(),
            Self::Command(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::OwnerAuth { .. } => true,
            Self::Approval(error) => error.is_credential(),
            Self::Srk(error) => error.is_credential(),
            Self::Command(error) => error.is_credential(),
            Self::HandleTaken { .. } | Self::Length { .. } | Self::NoSpace { .. } => false,
        }
    }
}

/// Why a secret was not given back.
#[derive(Debug, thiserror::Error)]
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
    /// Sealed under a policy that the site has not, or has no more.
    #[error("what is sealed at {handle} of the TPM at {tcti} is under another policy than the site's")]
    OtherPolicy {
        /// The TPM.
        tcti: Tcti,
        /// The handle.
        handle: TpmHandle,
    },
    /// Sealed under the site's PCR policy, and the machine is in a state that its authority has not approved.
    #[error(transparent)]
    Approval(#[from] ApprovalError),
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
            Self::OtherPolicy { .. } => Some(
                "put the setup.pcr-policy that it was sealed under back into site.yaml, with the same authority"
                    .to_owned(),
            ),
            Self::NotText { .. } | Self::NotAuth { .. } => None,
            Self::Approval(error) => error.hint(),
            Self::Srk(error) => error.hint(),
            Self::Command(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Approval(error) => error.is_credential(),
            Self::Srk(error) => error.is_credential(),
            Self::Command(error) => error.is_credential(),
            Self::OtherPolicy { .. } => true,
            Self::Absent { .. } | Self::NotSealed { .. } | Self::NotText { .. } | Self::NotAuth { .. } => {
                false
            }
        }
    }

    fn is_absence(&self) -> bool {
        match self {
            Self::Srk(error) => error.is_absence(),
            Self::Command(error) => error.is_absence(),
            Self::Approval(_) | Self::OtherPolicy { .. } => false,
            Self::Absent { .. } | Self::NotSealed { .. } | Self::NotText { .. } | Self::NotAuth { .. } => {
                false
            }
        }
    }
}

impl Tpm {
    /// Seals a PIN under the SRK and keeps it at a persistent handle, which must be free: under the PCR policy where there is one
    /// ([`Self::use_pcr_policy`]) and the machine's present state is approved, otherwise subject to the TPM's lockout.
    pub fn seal(
        &self,
        secret: &SecretString,
        handle: TpmHandle,
        owner_auth: Option<&AuthValue>,
    ) -> Result<(), SealError> {
        let mut engine = self.engine();
        let guard = match engine.access.clone() {
            Some(access) => {
                engine.approved_session(&access)?;
                Guard::Policy(access.authority().policy_digest())
            }
            None => Guard::Lockout,
        };
        engine.seal(secret.expose_secret().as_bytes(), guard, handle, owner_auth)
    }

    /// Seals a hierarchy's auth value likewise, but it is given back in a lockout too: the lockout auth is what ends one. It has no
    /// password that could be tried; its policy allows TPM2_Unseal, and a PCR policy does not concern it.
    pub fn seal_auth(
        &self,
        auth: &AuthValue,
        handle: TpmHandle,
        owner_auth: Option<&AuthValue>,
    ) -> Result<(), SealError> {
        self.engine()
            .seal(auth.bytes(), Guard::Unseal, handle, owner_auth)
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
        let guard = Guard::of(&object.read_public(open)?);
        match (guard, object.access.clone()) {
            (Some(Guard::Lockout), _) => Ok(object.unseal_in(kept, open)?),
            (Some(Guard::Unseal), _) => {
                let (mut policy, session) = object.command_session(CommandCode::Unseal)?;
                Ok(policy.unseal_in(session, open)?)
            }
            (Some(Guard::Policy(digest)), Some(access)) if digest == access.authority().policy_digest() => {
                let (mut policy, session) = object.approved_session(&access)?;
                let data = policy.unseal_in(session, open);
                data.map_err(|error| policy.since_approved(&access, error).into())
            }
            (Some(Guard::Policy(_)) | None, _) => Err(UnsealError::OtherPolicy { tcti, handle }),
        }
    }

    /// TPM2_Unseal in a session, which satisfies the object's policy or has the empty password; the data cross the bus encrypted.
    pub(crate) fn unseal_in(
        &mut self,
        session: AuthSession,
        object: ObjectHandle,
    ) -> Result<SensitiveData, CommandError> {
        self.run_in(session, Protect::Response, "TPM2_Unseal", |context| {
            context.unseal(object)
        })
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
        let mut object = self.sealed(secret, guard)?;
        let open = object.handle();
        object
            .persist(open, handle.number(), owner_auth)
            .map_err(|error| match error {
                error if error.is(BAD_AUTH) => SealError::OwnerAuth { tcti, handle },
                error if error.is(NV_SPACE) => SealError::NoSpace { tcti, handle },
                error => SealError::Command(error),
            })
    }

    /// Seals data under the SRK and loads them, until the guard is dropped.
    pub(crate) fn sealed(&mut self, secret: &[u8], guard: Guard) -> Result<Held<'_>, SrkError> {
        let session = self.salted()?;
        let srk = self.srk()?.handle;
        let made = self.run_in(session, Protect::Both, "TPM2_Create", |context| {
            let data = SensitiveData::try_from(secret)?;
            context.create(srk, guard.template()?, None, Some(data), None, None)
        })?;
        let object = self.run_in(session, Protect::Nothing, "TPM2_Load", |context| {
            context.load(srk, made.out_private, made.out_public)
        })?;
        Ok(self.hold(object.into()))
    }
}
