//! The endorsement key (EK): what a TPM proves with that it is the one that its maker certified.

use key_metadata::{Advice, Tcti};
use tss_esapi::interface_types::resource_handles::Hierarchy as EsapiHierarchy;
use tss_esapi::interface_types::session_handles::{AuthSession, PolicySession};
use tss_esapi::structures::{Digest, DigestList};

use crate::auth::AuthValue;
use crate::command::CommandError;
use crate::ek_template::EkTemplate;
use crate::engine::{Engine, Held};
use crate::hierarchy::Hierarchy;
use crate::name::Name;
use crate::policy::policy_secret;
use crate::public_key::spki_of;
use crate::response::{BAD_AUTH, NOT_OFFERED};
use crate::session::Protect;
use crate::tpm::Tpm;

/// Where endorsement keys are kept: TCG Registry of Reserved TPM 2.0 Handles and Localities 1.1, 2.3.1.
const FIRST: u32 = 0x8101_0000;
const LAST: u32 = 0x8101_ffff;

/// An endorsement key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndorsementKey {
    /// Its Name.
    pub name: Name,
    /// The DER SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
    /// The template that it fits.
    pub template: EkTemplate,
    /// How it was come by.
    pub origin: EkOrigin,
}

/// How an endorsement key was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EkOrigin {
    /// Made again from its template, so it is the key of this TPM's endorsement hierarchy.
    Recomputed,
    /// Read at a persistent handle, where an object fits the template. That it is this TPM's, only its certificate and an activated
    /// credential show.
    Read {
        /// The handle.
        handle: u32,
    },
}

/// Why an endorsement key was not made or used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndorsementError {
    /// The endorsement hierarchy has an auth value (TPM_RC_BAD_AUTH, 0x9a2), and none or another one was given.
    #[error("the TPM at {tcti} refused the endorsement auth that its endorsement key takes")]
    AuthRefused {
        /// The TPM.
        tcti: Tcti,
    },
    /// The TPM makes no key of that template.
    #[error("the TPM at {tcti} makes no endorsement key of the template {template}")]
    Unsupported {
        /// The TPM.
        tcti: Tcti,
        /// The template.
        template: EkTemplate,
    },
    /// What the TPM made is no key that its template gives.
    #[error("the TPM at {tcti} made another key than the template {template} gives")]
    Wrong {
        /// The TPM.
        tcti: Tcti,
        /// The template.
        template: EkTemplate,
    },
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Advice for EndorsementError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::AuthRefused { .. } => Some("give the right one: --endorsement-auth SOURCE".to_owned()),
            Self::Unsupported { .. } => {
                Some("look at the certificate of another endorsement key of this TPM".to_owned())
            }
            Self::Wrong { .. } => None,
            Self::Command(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::AuthRefused { .. } => true,
            Self::Unsupported { .. } | Self::Wrong { .. } => false,
            Self::Command(error) => error.is_credential(),
        }
    }
}

impl Tpm {
    /// The endorsement key of a template. One that fits and is kept at a persistent handle is only read, which takes no auth value;
    /// otherwise it is made again, which takes the endorsement auth if there is one. Nothing is left in the TPM.
    pub fn endorsement_key(
        &self,
        template: EkTemplate,
        endorsement_auth: Option<&AuthValue>,
    ) -> Result<EndorsementKey, EndorsementError> {
        let mut engine = self.engine();
        let (mut key, origin) = engine.endorsement_key(template, endorsement_auth)?;
        let tcti = key.tcti.clone();
        let open = key.handle();
        let (public, name) = key.public(open)?;
        match spki_of(&public) {
            Some(spki) if template.fits(&public) => Ok(EndorsementKey {
                name,
                spki,
                template,
                origin,
            }),
            Some(_) | None => Err(EndorsementError::Wrong { tcti, template }),
        }
    }
}

impl Engine {
    /// The endorsement key of a template, until the guard is dropped.
    pub(crate) fn endorsement_key(
        &mut self,
        template: EkTemplate,
        auth: Option<&AuthValue>,
    ) -> Result<(Held<'_>, EkOrigin), EndorsementError> {
        if let Some(handle) = self.kept_endorsement_key(template)? {
            return Ok((self.open(handle)?, EkOrigin::Read { handle }));
        }
        let made = self.run_as(
            Hierarchy::Endorsement,
            auth,
            Protect::Nothing,
            "TPM2_CreatePrimary",
            |context| {
                let public = template.public()?;
                context.create_primary(EsapiHierarchy::Endorsement, public, None, None, None, None)
            },
        );
        match made {
            Ok(made) => Ok((self.hold(made.key_handle.into()), EkOrigin::Recomputed)),
            Err(error) => Err(self.by_endorsement(template, error)),
        }
    }

    fn kept_endorsement_key(&mut self, template: EkTemplate) -> Result<Option<u32>, CommandError> {
        for handle in self.handles(FIRST)? {
            if handle > LAST {
                break;
            }
            let mut object = self.open(handle)?;
            let open = object.handle();
            if template.fits(&object.read_public(open)?) {
                return Ok(Some(handle));
            }
        }
        Ok(None)
    }

    /// A session that satisfies the policy of an endorsement key once; the guard flushes it.
    ///
    /// The policy rather than the key's own empty auth value, which a template of the high range allows as well: that one would fail in a
    /// lockout, and an unclean stop after it would count as a wrong auth value.
    pub(crate) fn endorsement_session(
        &mut self,
        template: EkTemplate,
        auth: Option<&AuthValue>,
    ) -> Result<(Held<'_>, AuthSession), EndorsementError> {
        let (mut held, session) = self.policy_session_of(template.strength().hash())?;
        let proved = held.run_as(
            Hierarchy::Endorsement,
            auth,
            Protect::Nothing,
            "TPM2_PolicySecret",
            |context| policy_secret(context, session, Hierarchy::Endorsement.auth_handle()),
        );
        if let Err(error) = proved {
            return Err(held.by_endorsement(template, error));
        }
        let branches = template.branches();
        if !branches.is_empty() {
            held.run("TPM2_PolicyOR", None, |context| {
                let mut digests = DigestList::new();
                for branch in branches {
                    digests.add(Digest::try_from(branch)?)?;
                }
                context.policy_or(PolicySession::try_from(session)?, digests)
            })?;
        }
        Ok((held, session))
    }

    /// What a command that the endorsement hierarchy authorised failed with.
    fn by_endorsement(&self, template: EkTemplate, error: CommandError) -> EndorsementError {
        let tcti = self.tcti.clone();
        match error {
            error if error.is(BAD_AUTH) => EndorsementError::AuthRefused { tcti },
            error if NOT_OFFERED.into_iter().any(|code| error.is(code)) => {
                EndorsementError::Unsupported { tcti, template }
            }
            error => error.into(),
        }
    }
}
