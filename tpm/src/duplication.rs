//! Native keys that leave their TPM, to a recovery parent.

use key_metadata::{Advice, Tcti};
use tss_esapi::handles::AuthHandle;
use tss_esapi::interface_types::resource_handles::Hierarchy as EsapiHierarchy;
use tss_esapi::interface_types::session_handles::{AuthSession, PolicySession};
use tss_esapi::structures::{Name as EsapiName, SymmetricDefinitionObject};

use crate::auth::AuthValue;
use crate::blob::KeyBlob;
use crate::command::CommandError;
use crate::duplicate::{Duplicate, DuplicateFormError};
use crate::engine::{Engine, Held};
use crate::exit::{Consent, Exit};
use crate::hierarchy::{Hierarchy, HierarchyError};
use crate::load::LoadError;
use crate::name::Name;
use crate::policy::policy_secret;
use crate::recovery::RecoveryParent;
use crate::session::Protect;
use crate::srk::SrkError;
use crate::tpm::Tpm;

/// Why a key did not leave its TPM.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DuplicateError {
    /// The key is fixedTPM or has no policy: TPM2_Duplicate would answer TPM_RC_ATTRIBUTES (0x182) or TPM_RC_POLICY_FAIL (0x99d).
    #[error("this key was made to stay in the TPM at {tcti}, and never leaves it")]
    Stays {
        /// The TPM.
        tcti: Tcti,
    },
    /// The key's policy names another parent (TPM2_Duplicate would answer TPM_RC_POLICY_FAIL, 0x99d).
    #[error("this key does not leave the TPM at {tcti} to the recovery parent {parent}")]
    OtherParent {
        /// The TPM.
        tcti: Tcti,
        /// The Name of the parent asked for.
        parent: Name,
    },
    /// What the TPM gave is no backup.
    #[error("the TPM at {tcti} gave no backup of the key")]
    Wrong {
        /// The TPM.
        tcti: Tcti,
        /// What is wrong with it.
        source: DuplicateFormError,
    },
    /// The owner did not agree.
    #[error(transparent)]
    Owner(#[from] HierarchyError),
    /// The TPM does not load the key.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// There is no SRK that the key is under.
    #[error(transparent)]
    Srk(#[from] SrkError),
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Advice for DuplicateError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Stays { .. } => Some(
                "replace it in a rollover by a key that is made for a backup; until then, who loses the TPM loses the key"
                    .to_owned(),
            ),
            Self::OtherParent { .. } => {
                Some("use the recovery parent that the site had when the key was made".to_owned())
            }
            Self::Wrong { .. } => None,
            Self::Owner(error) => error.hint(),
            Self::Load(error) => error.hint(),
            Self::Srk(error) => error.hint(),
            Self::Command(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::Stays { .. } | Self::OtherParent { .. } | Self::Wrong { .. } => false,
            Self::Owner(error) => error.is_credential(),
            Self::Load(error) => error.is_credential(),
            Self::Srk(error) => error.is_credential(),
            Self::Command(error) => error.is_credential(),
        }
    }
}

impl Tpm {
    /// A backup of a key that [`Self::create_duplicable_key`] made, encrypted for its recovery parent; the key stays and goes on signing.
    /// The owner's auth value is `None` where it is empty; the key's own is not needed.
    pub fn duplicate(
        &self,
        key: &KeyBlob,
        parent: &RecoveryParent,
        owner: Option<&AuthValue>,
    ) -> Result<Duplicate, DuplicateError> {
        self.duplicate_by(&Exit::by_owner(parent), key, parent, owner)
    }

    /// The same for a key that leaves in that way.
    pub(crate) fn duplicate_by(
        &self,
        exit: &Exit,
        key: &KeyBlob,
        parent: &RecoveryParent,
        owner: Option<&AuthValue>,
    ) -> Result<Duplicate, DuplicateError> {
        let mut engine = self.engine();
        let tcti = engine.tcti.clone();
        // It is asked here and not of the TPM, which would want the owner's auth value first.
        if key.stays() {
            return Err(DuplicateError::Stays { tcti });
        }
        if !exit.is_of(key.public()) {
            return Err(DuplicateError::OtherParent {
                tcti,
                parent: parent.name(),
            });
        }
        // The key and its new parent want two of the three slots that a TPM may have.
        engine.free_slots();
        engine.duplicate(exit, key, parent, owner)
    }
}

impl Engine {
    fn duplicate(
        &mut self,
        exit: &Exit,
        key: &KeyBlob,
        parent: &RecoveryParent,
        owner: Option<&AuthValue>,
    ) -> Result<Duplicate, DuplicateError> {
        let tcti = self.tcti.clone();
        let loaded = self.load(key, None)?;
        let mut engine = self.hold(loaded.into());
        let name = engine.name(loaded.into())?;
        let new_parent = engine.run("TPM2_LoadExternal", None, |context| {
            context.load_external_public(parent.public()?, EsapiHierarchy::Null)
        })?;
        let mut engine = engine.hold(new_parent.into());
        let (mut engine, session) = engine.exit_session(exit, &name, parent, owner)?;
        let (_, duplicate, seed) = engine.run("TPM2_Duplicate", Some(session), |context| {
            // The outer wrapper encrypts; an inner one would have a key of its own, to be kept too.
            let inner = SymmetricDefinitionObject::Null;
            context.duplicate(loaded.into(), new_parent.into(), None, inner)
        })?;
        let made = Duplicate::new(key.public().clone(), duplicate.to_vec(), seed.to_vec());
        made.map_err(|source| DuplicateError::Wrong { tcti, source })
    }

    /// A session that satisfies the policy of a key that leaves so; the guard flushes it.
    fn exit_session(
        &mut self,
        exit: &Exit,
        key: &Name,
        parent: &RecoveryParent,
        owner: Option<&AuthValue>,
    ) -> Result<(Held<'_>, AuthSession), DuplicateError> {
        let (mut engine, session) = self.policy_session()?;
        match exit.consent {
            Consent::Owner => {
                let agreed = engine.run_as(
                    Hierarchy::Owner,
                    owner,
                    Protect::Nothing,
                    "TPM2_PolicySecret",
                    |context| policy_secret(context, session, AuthHandle::Owner),
                );
                agreed.map_err(|error| engine.by_hierarchy(Hierarchy::Owner, error))?;
            }
            Consent::Nobody => {}
        }
        engine.run("TPM2_PolicyDuplicationSelect", None, |context| {
            let key = EsapiName::try_from(key.as_bytes().to_vec())?;
            let parent = EsapiName::try_from(parent.name().as_bytes().to_vec())?;
            context.policy_duplication_select(PolicySession::try_from(session)?, key, parent, false)
        })?;
        Ok((engine, session))
    }
}
