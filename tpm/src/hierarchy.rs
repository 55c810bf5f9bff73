//! The hierarchies: their auth values, and what each of them authorises for the whole TPM.

use std::fmt;

use key_metadata::{Advice, Tcti};
use tss_esapi::handles::{AuthHandle, ObjectHandle};
use tss_esapi::structures::Auth;

use crate::auth::AuthValue;
use crate::command::CommandError;
use crate::engine::Engine;
use crate::esys::Esys;
use crate::policy::policy_secret;
use crate::response::{AUTH_FAIL, BAD_AUTH, DISABLED, LOCKOUT};
use crate::session::Protect;
use crate::tpm::Tpm;

/// A hierarchy with an auth value of its own (TPM 2.0 part 1, 13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hierarchy {
    /// Storage: the SRK, persistent objects, NV indices.
    Owner,
    /// Privacy: endorsement keys and what is under them.
    Endorsement,
    /// The dictionary-attack protection, and TPM2_Clear.
    Lockout,
}

impl Hierarchy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Owner, Self::Endorsement, Self::Lockout];

    pub(crate) fn object(self) -> ObjectHandle {
        match self {
            Self::Owner => ObjectHandle::Owner,
            Self::Endorsement => ObjectHandle::Endorsement,
            Self::Lockout => ObjectHandle::Lockout,
        }
    }

    pub(crate) fn auth_handle(self) -> AuthHandle {
        match self {
            Self::Owner => AuthHandle::Owner,
            Self::Endorsement => AuthHandle::Endorsement,
            Self::Lockout => AuthHandle::Lockout,
        }
    }
}

impl fmt::Display for Hierarchy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Owner => "owner",
            Self::Endorsement => "endorsement",
            Self::Lockout => "lockout",
        })
    }
}

/// How the dictionary-attack protection works (TPM2_DictionaryAttackParameters); times in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockoutParameters {
    /// The number of wrong auth values at which the TPM locks.
    pub max: u32,
    /// The time after which one is forgiven.
    pub interval: u32,
    /// The time that a wrong lockout auth blocks the lockout hierarchy.
    pub recovery: u32,
}

/// Why a hierarchy did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HierarchyError {
    /// The auth value is wrong.
    #[error("the TPM at {tcti} refused the {hierarchy} auth")]
    Refused {
        /// The TPM.
        tcti: Tcti,
        /// Whose auth value.
        hierarchy: Hierarchy,
    },
    /// A wrong lockout auth was given before; the right one is refused too (TPM_RC_LOCKOUT, 0x921).
    #[error("the lockout hierarchy of the TPM at {tcti} is blocked: a wrong lockout auth was given")]
    Blocked {
        /// The TPM.
        tcti: Tcti,
        /// How long that lasts from then on, in seconds (TPM_PT_LOCKOUT_RECOVERY); 0 until the next start.
        recovery: u32,
    },
    /// TPM2_Clear is disabled (TPM_RC_DISABLED, 0x120).
    #[error("the TPM at {tcti} does not let itself be cleared")]
    ClearDisabled {
        /// The TPM.
        tcti: Tcti,
    },
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Advice for HierarchyError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Refused {
                hierarchy: Hierarchy::Lockout,
                ..
            } => Some(
                "try nothing more: the TPM blocks its lockout hierarchy now; clear it in the firmware's set-up"
                    .to_owned(),
            ),
            Self::Refused { hierarchy, .. } => Some(format!("give the right one: --{hierarchy}-auth SOURCE")),
            Self::Blocked { recovery: 0, .. } => Some("restart the machine, then run this again".to_owned()),
            Self::Blocked { recovery, .. } => Some(format!(
                "keep the TPM powered, and try nothing with the lockout auth for {recovery} s"
            )),
            Self::ClearDisabled { .. } => {
                Some("clear it in the firmware's set-up, at the machine itself".to_owned())
            }
            Self::Command(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::Blocked { .. } => true,
            Self::ClearDisabled { .. } => false,
            Self::Command(error) => error.is_credential(),
        }
    }
}

impl Tpm {
    /// Whether that is the hierarchy's auth value (`None`: the empty one). Nothing changes if it is; a wrong lockout auth blocks that
    /// hierarchy, so it is for one that is known.
    pub fn check_auth(&self, hierarchy: Hierarchy, auth: Option<&AuthValue>) -> Result<(), HierarchyError> {
        self.engine().check_auth(hierarchy, auth)
    }

    /// Gives a hierarchy another auth value; `None` is the empty one. The new one crosses the bus encrypted.
    pub fn change_auth(
        &self,
        hierarchy: Hierarchy,
        old: Option<&AuthValue>,
        new: Option<&AuthValue>,
    ) -> Result<(), HierarchyError> {
        let mut engine = self.engine();
        let changed = engine.run_as(
            hierarchy,
            old,
            Protect::Both,
            "TPM2_HierarchyChangeAuth",
            |context| {
                let value = new.map_or(Ok(Auth::default()), AuthValue::value)?;
                context.hierarchy_change_auth(hierarchy.auth_handle(), value)
            },
        );
        changed.map_err(|error| engine.by_hierarchy(hierarchy, error))
    }

    /// Disables TPM2_Clear but for physical presence (TPM2_ClearControl).
    pub fn disable_clear(&self, lockout_auth: Option<&AuthValue>) -> Result<(), HierarchyError> {
        let mut engine = self.engine();
        let done = engine.run_as(
            Hierarchy::Lockout,
            lockout_auth,
            Protect::Nothing,
            "TPM2_ClearControl",
            |context| context.clear_control(AuthHandle::Lockout, true),
        );
        done.map_err(|error| engine.by_hierarchy(Hierarchy::Lockout, error))
    }

    /// Destroys all that the owner and the endorsement hierarchy hold, and empties their auth values and the lockout auth (TPM2_Clear).
    pub fn clear(&self, lockout_auth: Option<&AuthValue>) -> Result<(), HierarchyError> {
        let mut engine = self.engine();
        // The SRK goes, so nothing may be salted with it.
        engine.let_go();
        engine.pinned = None;
        let done = engine.run_as(
            Hierarchy::Lockout,
            lockout_auth,
            Protect::Nothing,
            "TPM2_Clear",
            |context| context.clear(AuthHandle::Lockout),
        );
        done.map_err(|error| engine.by_hierarchy(Hierarchy::Lockout, error))
    }

    /// Sets how the dictionary-attack protection works, while the lockout auth is empty.
    pub fn set_lockout_parameters(&self, parameters: LockoutParameters) -> Result<(), HierarchyError> {
        let mut engine = self.engine();
        let done = Esys::open(&engine.tcti).and_then(|mut esys| esys.set_lockout_parameters(parameters));
        done.map_err(|error| engine.by_hierarchy(Hierarchy::Lockout, error))
    }

    /// Forgives all wrong auth values and unlocks the TPM (TPM2_DictionaryAttackLockReset), while the lockout auth is empty.
    pub fn lift_lockout(&self) -> Result<(), HierarchyError> {
        let mut engine = self.engine();
        let done = Esys::open(&engine.tcti).and_then(|mut esys| esys.lift_lockout());
        done.map_err(|error| engine.by_hierarchy(Hierarchy::Lockout, error))
    }
}

impl Engine {
    fn check_auth(&mut self, hierarchy: Hierarchy, auth: Option<&AuthValue>) -> Result<(), HierarchyError> {
        let (mut engine, trial) = self.trial_session()?;
        // A policy that nobody uses, for the authorisation that it asks for.
        let checked = engine.run_as(
            hierarchy,
            auth,
            Protect::Nothing,
            "TPM2_PolicySecret",
            |context| policy_secret(context, trial, hierarchy.auth_handle()),
        );
        match checked {
            Ok(()) => Ok(()),
            Err(error) => Err(engine.by_hierarchy(hierarchy, error)),
        }
    }

    /// What a command that a hierarchy authorised failed with.
    pub(crate) fn by_hierarchy(&mut self, hierarchy: Hierarchy, error: CommandError) -> HierarchyError {
        let tcti = self.tcti.clone();
        match hierarchy {
            _ if error.is(BAD_AUTH) || error.is(AUTH_FAIL) => HierarchyError::Refused { tcti, hierarchy },
            _ if error.is(DISABLED) => HierarchyError::ClearDisabled { tcti },
            Hierarchy::Lockout if error.is(LOCKOUT) => HierarchyError::Blocked {
                tcti,
                recovery: self.lockout().map_or(0, |lockout| lockout.recovery),
            },
            Hierarchy::Owner | Hierarchy::Endorsement | Hierarchy::Lockout => error.into(),
        }
    }
}
