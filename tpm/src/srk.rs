//! The storage root key (SRK): the parent of everything that we keep in a TPM.

use key_metadata::{Advice, Tcti, TpmIdentity};
use tss_esapi::handles::{KeyHandle, ObjectHandle, PersistentTpmHandle};
use tss_esapi::interface_types::dynamic_handles::Persistent;
use tss_esapi::interface_types::resource_handles::{Hierarchy as EsapiHierarchy, Provision};
use tss_esapi::structures::Public;
use tss_esapi::traits::Marshall as _;
use tss_esapi::{Error, WrapperErrorKind};

use crate::auth::AuthValue;
use crate::command::CommandError;
use crate::engine::{Engine, Held};
use crate::hierarchy::Hierarchy;
use crate::name::{Name, name_of};
use crate::response::{BAD_AUTH, NV_SPACE, ResponseCode};
use crate::session::Protect;
use crate::template::SrkTemplate;
use crate::tpm::Tpm;

/// The SRK's handle: TCG Registry of Reserved TPM 2.0 Handles and Localities 1.1, 2.3.1.
pub(crate) const SRK: u32 = 0x8100_0001;

/// The SRK after [`Tpm::ensure_srk`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Srk {
    /// There was none; it was made from [`SrkTemplate::Tcg`].
    Created {
        /// Its Name, to be pinned.
        name: Name,
    },
    /// There was one that this TPM makes from a template that we know.
    Matched {
        /// Its Name, to be pinned.
        name: Name,
        /// The template.
        template: SrkTemplate,
    },
}

impl Srk {
    /// The Name of the SRK.
    pub fn name(&self) -> &Name {
        match self {
            Self::Created { name } | Self::Matched { name, .. } => name,
        }
    }
}

/// What is at the SRK's handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SrkState {
    /// Nothing.
    Absent,
    /// A key that this TPM makes from a template that we know.
    Matches {
        /// Its Name.
        name: Name,
        /// The template.
        template: SrkTemplate,
    },
    /// Something else.
    Foreign {
        /// Its Name.
        name: Name,
        /// The Name that the key of [`SrkTemplate::Tcg`] has in this TPM.
        expected: Name,
    },
}

/// Why there is no SRK to be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SrkError {
    /// Nothing at the SRK's handle.
    #[error("the TPM at {tcti} has no storage root key at {SRK:#010x}")]
    Absent {
        /// The TPM.
        tcti: Tcti,
    },
    /// Something at the SRK's handle that no template of ours gives; it is left alone.
    #[error("the TPM at {tcti} holds a foreign object at {SRK:#010x}, with the name {name}{}", beside(.expected))]
    Foreign {
        /// The TPM.
        tcti: Tcti,
        /// The Name of what is there.
        name: Name,
        /// The Name that the key of [`SrkTemplate::Tcg`] has in this TPM; `None` where it was not made for comparison.
        expected: Option<Name>,
    },
    /// Another SRK than the one pinned: another TPM, a cleared one, or somebody between.
    #[error("the storage root key of the TPM at {tcti} has the name {name}, but {pinned} is pinned")]
    NotPinned {
        /// The TPM.
        tcti: Tcti,
        /// The Name of what is there.
        name: Name,
        /// The Name that was pinned.
        pinned: Name,
    },
    /// The owner hierarchy has an auth value (TPM_RC_BAD_AUTH, 0x9a2), and none or another one was given.
    #[error("the TPM at {tcti} is owned by someone else: it refused the owner auth")]
    OwnerAuth {
        /// The TPM.
        tcti: Tcti,
    },
    /// The TPM's persistent storage is full (TPM_RC_NV_SPACE).
    #[error("the TPM at {tcti} has no space to keep a storage root key")]
    NoSpace {
        /// The TPM.
        tcti: Tcti,
    },
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl SrkError {
    /// The error of a command that the owner authorised.
    fn by_owner(error: CommandError, tcti: &Tcti) -> Self {
        let tcti = tcti.clone();
        match error {
            error if error.is(BAD_AUTH) => Self::OwnerAuth { tcti },
            error if error.is(NV_SPACE) => Self::NoSpace { tcti },
            error => Self::Command(error),
        }
    }
}

impl Advice for SrkError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Absent { .. } => Some("initialise the TPM first: keyrite-tpm-init provision".to_owned()),
            Self::Foreign { tcti, .. } => Some(format!(
                "see what it is with tpm2_readpublic -c {SRK:#x} (TPM2TOOLS_TCTI={tcti}); it is never evicted for you"
            )),
            Self::NotPinned { .. } => Some(
                "use the TPM that the site was set up with, or pin the new name if you know why it changed"
                    .to_owned(),
            ),
            Self::OwnerAuth { .. } => Some(
                "give the owner auth by --owner-auth, or clear the TPM in the firmware's set-up".to_owned(),
            ),
            Self::NoSpace { .. } => Some(
                "list what is kept with tpm2_getcap handles-persistent, and evict what nobody needs"
                    .to_owned(),
            ),
            Self::Command(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::OwnerAuth { .. } => true,
            Self::Command(error) => error.is_credential(),
            Self::Absent { .. } | Self::Foreign { .. } | Self::NotPinned { .. } | Self::NoSpace { .. } => {
                false
            }
        }
    }

    fn is_absence(&self) -> bool {
        match self {
            Self::Command(error) => error.is_absence(),
            Self::OwnerAuth { .. } | Self::Absent { .. } | Self::Foreign { .. } => false,
            Self::NotPinned { .. } | Self::NoSpace { .. } => false,
        }
    }
}

fn beside(expected: &Option<Name>) -> String {
    expected.as_ref().map_or(String::new(), |name| {
        format!("; the storage root key's would be {name}")
    })
}

/// The SRK as the library has it open.
#[derive(Clone)]
pub(crate) struct OpenSrk {
    pub(crate) handle: KeyHandle,
    pub(crate) name: Name,
}

impl Tpm {
    /// Sees to an SRK: makes one from [`SrkTemplate::Tcg`] where there is none, and otherwise checks the one there by making it again.
    ///
    /// Both take the owner auth, if the TPM has one. The lockout auth is never tried.
    pub fn ensure_srk(&self, owner_auth: Option<&AuthValue>) -> Result<Srk, SrkError> {
        let mut engine = self.engine();
        let tcti = engine.tcti.clone();
        match engine.srk_state(owner_auth)? {
            SrkState::Absent => Ok(Srk::Created {
                name: engine.create_srk(owner_auth)?,
            }),
            SrkState::Matches { name, template } => Ok(Srk::Matched { name, template }),
            SrkState::Foreign { name, expected } => Err(SrkError::Foreign {
                tcti,
                name,
                expected: Some(expected),
            }),
        }
    }

    /// What is at the SRK's handle; changes nothing. It takes the owner auth, if the TPM has one, to make the key again for comparison.
    pub fn srk_state(&self, owner_auth: Option<&AuthValue>) -> Result<SrkState, SrkError> {
        self.engine().srk_state(owner_auth)
    }

    /// The Name that the SRK will have when it is made from [`SrkTemplate::Tcg`]; changes nothing.
    pub fn srk_to_be(&self, owner_auth: Option<&AuthValue>) -> Result<Name, SrkError> {
        self.engine().primary_name(SrkTemplate::Tcg, owner_auth)
    }

    /// The Name of the SRK, without making it again: its public area fits a template that we know, and its Name the pinned one.
    pub fn srk_name(&self) -> Result<Name, SrkError> {
        Ok(self.engine().srk()?.name)
    }

    /// Accepts no other TPM than the one that was provisioned, by its SRK; any, where none was.
    pub fn pin(&self, identity: Option<&TpmIdentity>) -> Result<(), SrkError> {
        match identity {
            Some(identity) => self.pin_srk(&Name::from(&identity.storage_root_key)),
            None => Ok(()),
        }
    }

    /// Accepts no other SRK than that one from now on, and says at once if it is another.
    pub fn pin_srk(&self, name: &Name) -> Result<(), SrkError> {
        let mut engine = self.engine();
        engine.let_go();
        engine.pinned = Some(name.clone());
        engine.srk().map(|_| ())
    }
}

impl Engine {
    /// The SRK; looked at once.
    pub(crate) fn srk(&mut self) -> Result<OpenSrk, SrkError> {
        if let Some(srk) = &self.srk {
            return Ok(srk.clone());
        }
        let tcti = self.tcti.clone();
        if !self.is_there(SRK)? {
            return Err(SrkError::Absent { tcti });
        }
        let mut key = self.open(SRK)?;
        let handle = key.handle();
        let (public, name) = key.public(handle)?;
        if let Some(pinned) = key.pinned.clone()
            && pinned != name
        {
            return Err(SrkError::NotPinned { tcti, name, pinned });
        }
        if !SrkTemplate::ALL
            .into_iter()
            .any(|template| template.fits(&public))
        {
            return Err(SrkError::Foreign {
                tcti,
                name,
                expected: None,
            });
        }
        let srk = OpenSrk {
            handle: key.keep().into(),
            name,
        };
        self.srk = Some(srk.clone());
        Ok(srk)
    }

    fn srk_state(&mut self, owner_auth: Option<&AuthValue>) -> Result<SrkState, SrkError> {
        if !self.is_there(SRK)? {
            return Ok(SrkState::Absent);
        }
        let (public, name) = {
            let mut key = self.open(SRK)?;
            let handle = key.handle();
            key.public(handle)?
        };
        for template in SrkTemplate::ALL
            .into_iter()
            .filter(|template| template.fits(&public))
        {
            if self.primary_name(template, owner_auth)? == name {
                return Ok(SrkState::Matches { name, template });
            }
        }
        let expected = self.primary_name(SrkTemplate::Tcg, owner_auth)?;
        Ok(SrkState::Foreign { name, expected })
    }

    /// The Name that this TPM gives the key of a template.
    fn primary_name(
        &mut self,
        template: SrkTemplate,
        owner_auth: Option<&AuthValue>,
    ) -> Result<Name, SrkError> {
        let mut key = self.primary(template, owner_auth)?;
        let handle = key.handle();
        Ok(key.name(handle)?)
    }

    fn primary(
        &mut self,
        template: SrkTemplate,
        owner_auth: Option<&AuthValue>,
    ) -> Result<Held<'_>, SrkError> {
        let made = self.run_as(
            Hierarchy::Owner,
            owner_auth,
            Protect::Nothing,
            "TPM2_CreatePrimary",
            |context| {
                context.create_primary(EsapiHierarchy::Owner, template.public()?, None, None, None, None)
            },
        );
        match made {
            Ok(made) => Ok(self.hold(made.key_handle.into())),
            Err(error) => Err(SrkError::by_owner(error, &self.tcti)),
        }
    }

    fn create_srk(&mut self, owner_auth: Option<&AuthValue>) -> Result<Name, SrkError> {
        let mut key = self.primary(SrkTemplate::Tcg, owner_auth)?;
        let handle = key.handle();
        let name = key.name(handle)?;
        key.persist(handle, SRK, owner_auth)
            .map_err(|error| SrkError::by_owner(error, &key.tcti))?;
        Ok(name)
    }

    /// Keeps a loaded object at a persistent handle.
    pub(crate) fn persist(
        &mut self,
        object: ObjectHandle,
        number: u32,
        owner_auth: Option<&AuthValue>,
    ) -> Result<(), CommandError> {
        let kept = self.run_as(
            Hierarchy::Owner,
            owner_auth,
            Protect::Nothing,
            "TPM2_EvictControl",
            |context| {
                let place = Persistent::Persistent(PersistentTpmHandle::new(number)?);
                context.evict_control(Provision::Owner, object, place)
            },
        )?;
        self.close(kept);
        Ok(())
    }

    /// The public area and the Name of an object, of which neither can be another's.
    pub(crate) fn public(&mut self, object: ObjectHandle) -> Result<(Public, Name), CommandError> {
        let public = self.read_public(object)?;
        let name = self.name(object)?;
        // The library's Name is that of the key which it will salt sessions with; ours, of what was read now. A liar changes one of them.
        let own = public.marshall().ok().and_then(|area| name_of(&area));
        if own.is_some_and(|own| own != name) {
            let wrong = Error::WrapperError(WrapperErrorKind::WrongValueFromTpm);
            return Err(CommandError::new(
                &self.tcti,
                "TPM2_ReadPublic",
                ResponseCode::of(wrong),
            ));
        }
        Ok((public, name))
    }

    /// The public area of an object.
    pub(crate) fn read_public(&mut self, object: ObjectHandle) -> Result<Public, CommandError> {
        let (public, _, _) = self.run("TPM2_ReadPublic", None, |context| {
            context.read_public(KeyHandle::from(object))
        })?;
        Ok(public)
    }
}
