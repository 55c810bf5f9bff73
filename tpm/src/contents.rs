//! What a TPM keeps: persistent objects and NV indices, whoever made them.

use key_metadata::Advice;
use tss_esapi::constants::CapabilityType;
use tss_esapi::handles::{NvIndexHandle, NvIndexTpmHandle, PersistentTpmHandle, TpmHandle};
use tss_esapi::interface_types::dynamic_handles::Persistent;
use tss_esapi::interface_types::resource_handles::Provision;
use tss_esapi::structures::{CapabilityData, Public};
use tss_esapi::tss2_esys::TPMA_NV;

use crate::auth::AuthValue;
use crate::command::CommandError;
use crate::engine::{Engine, Held};
use crate::hierarchy::Hierarchy;
use crate::name::Name;
use crate::persistent::{PersistentKind, kind};
use crate::response::BAD_AUTH;
use crate::session::Protect;
use crate::tpm::Tpm;

/// An object at a persistent handle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersistentObject {
    /// Its handle.
    pub handle: u32,
    /// Its Name.
    pub name: Name,
    /// What it is.
    pub kind: PersistentKind,
    /// Its modulus, if it is an RSA key, big-endian.
    pub rsa_modulus: Option<Vec<u8>>,
}

/// An NV index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NvEntry {
    /// Its number.
    pub index: u32,
    /// Its Name; it changes with the first write.
    pub name: Name,
    /// TPMA_NV (TPM 2.0 part 2, 13.4).
    pub attributes: u32,
    /// The size of its data, in bytes.
    pub size: usize,
}

/// Why something was not removed from a TPM.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoveError {
    /// Something else is there than what was to be removed; it is left alone.
    #[error("{handle:#010x} holds something with the name {found}, not {expected}")]
    Another {
        /// Handle or NV index.
        handle: u32,
        /// The Name of what is there.
        found: Name,
        /// The Name of what was to be removed.
        expected: Name,
    },
    /// The owner hierarchy has an auth value (TPM_RC_BAD_AUTH, 0x9a2), and none or another one was given.
    #[error("the TPM refused the owner auth that removing {handle:#010x} takes")]
    OwnerAuth {
        /// Handle or NV index.
        handle: u32,
    },
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Advice for RemoveError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Another { .. } => Some("look at the TPM again: keyrite-tpm-init check".to_owned()),
            Self::OwnerAuth { .. } => Some("give the owner auth by --owner-auth".to_owned()),
            Self::Command(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::OwnerAuth { .. } => true,
            Self::Another { .. } => false,
            Self::Command(error) => error.is_credential(),
        }
    }
}

/// The first persistent handle and the first NV index (TPM 2.0 part 2, 7.4).
const FIRST_PERSISTENT: u32 = 0x8100_0000;
const FIRST_NV: u32 = 0x0100_0000;

impl Tpm {
    /// Every persistent object, by handle.
    pub fn persistent_objects(&self) -> Result<Vec<PersistentObject>, CommandError> {
        let mut engine = self.engine();
        let mut objects = Vec::new();
        for handle in engine.handles(FIRST_PERSISTENT)? {
            let mut object = engine.open(handle)?;
            let open = object.handle();
            let public = object.read_public(open)?;
            objects.push(PersistentObject {
                handle,
                name: object.name(open)?,
                kind: kind(&public),
                rsa_modulus: match &public {
                    Public::Rsa { unique, .. } => Some(unique.to_vec()),
                    Public::Ecc { .. } | Public::KeyedHash { .. } | Public::SymCipher { .. } => None,
                },
            });
        }
        Ok(objects)
    }

    /// Every NV index, by number.
    pub fn nv_entries(&self) -> Result<Vec<NvEntry>, CommandError> {
        let mut engine = self.engine();
        let mut entries = Vec::new();
        for index in engine.handles(FIRST_NV)? {
            let mut held = engine.open_nv(index)?;
            let open = held.handle();
            let (public, attributes) = held.run("TPM2_NV_ReadPublic", None, |context| {
                let (public, _) = context.nv_read_public(NvIndexHandle::from(open))?;
                let attributes = TPMA_NV::try_from(public.attributes())?;
                Ok((public, attributes))
            })?;
            entries.push(NvEntry {
                index,
                name: held.name(open)?,
                attributes,
                size: public.data_size(),
            });
        }
        Ok(entries)
    }

    /// Removes the persistent object of that Name from a handle (TPM2_EvictControl); the owner's range only.
    pub fn evict(
        &self,
        handle: u32,
        expected: &Name,
        owner_auth: Option<&AuthValue>,
    ) -> Result<(), RemoveError> {
        let mut engine = self.engine();
        // The library's one entry for it must not be in use elsewhere.
        engine.let_go();
        let mut object = engine.open(handle)?;
        let open = object.handle();
        check_name(handle, object.name(open)?, expected)?;
        let gone = object.run_as(
            Hierarchy::Owner,
            owner_auth,
            Protect::Nothing,
            "TPM2_EvictControl",
            |context| {
                let place = Persistent::Persistent(PersistentTpmHandle::new(handle)?);
                context.evict_control(Provision::Owner, open, place)
            },
        );
        gone.map(drop).map_err(|error| by_owner(handle, error))
    }

    /// Removes the NV index of that Name (TPM2_NV_UndefineSpace).
    pub fn undefine_nv(
        &self,
        index: u32,
        expected: &Name,
        owner_auth: Option<&AuthValue>,
    ) -> Result<(), RemoveError> {
        let mut engine = self.engine();
        let mut held = engine.open_nv(index)?;
        let open = held.handle();
        check_name(index, held.name(open)?, expected)?;
        let gone = held.run_as(
            Hierarchy::Owner,
            owner_auth,
            Protect::Nothing,
            "TPM2_NV_UndefineSpace",
            |context| context.nv_undefine_space(Provision::Owner, NvIndexHandle::from(open)),
        );
        if gone.is_ok() {
            held.keep();
        }
        gone.map_err(|error| by_owner(index, error))
    }
}

fn check_name(handle: u32, found: Name, expected: &Name) -> Result<(), RemoveError> {
    if found == *expected {
        return Ok(());
    }
    Err(RemoveError::Another {
        handle,
        found,
        expected: expected.clone(),
    })
}

fn by_owner(handle: u32, error: CommandError) -> RemoveError {
    if error.is(BAD_AUTH) {
        return RemoveError::OwnerAuth { handle };
    }
    error.into()
}

impl Engine {
    /// The handles from `first` on, of the same kind (TPM 2.0 part 2, 7.2: the first byte).
    pub(crate) fn handles(&mut self, first: u32) -> Result<Vec<u32>, CommandError> {
        /// As many as fit into one answer of every TPM.
        const AT_ONCE: u32 = 64;
        let mut found: Vec<u32> = Vec::new();
        loop {
            let from = found.last().map_or(first, |last| last + 1);
            let (data, more) = self.run("TPM2_GetCapability", None, |context| {
                context.get_capability(CapabilityType::Handles, from, AT_ONCE)
            })?;
            let CapabilityData::Handles(list) = data else {
                return Ok(found);
            };
            let before = found.len();
            let same_kind = |handle: &u32| handle >> 24 == first >> 24;
            found.extend(list.into_inner().into_iter().map(u32::from).filter(same_kind));
            if !more || found.len() == before {
                return Ok(found);
            }
        }
    }

    /// An NV index, until the guard is dropped.
    pub(crate) fn open_nv(&mut self, index: u32) -> Result<Held<'_>, CommandError> {
        let handle = self.run("TPM2_NV_ReadPublic", None, |context| {
            context.tr_from_tpm_public(TpmHandle::NvIndex(NvIndexTpmHandle::new(index)?))
        })?;
        Ok(self.hold_open(handle))
    }
}
