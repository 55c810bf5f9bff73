//! The two NV indices that anchor a ceremony's log: one that is extended, one that counts.
//!
//! Both are written only by the one command that they are for, which their policy names, and by nobody's password; so they need no
//! dictionary-attack protection, and work in a lockout. Whoever reaches the TPM reads them: what they hold is public.

use std::fmt;

use key_metadata::{Advice, NvIndex, Tcti};
use sha2::{Digest as _, Sha256};
use tss_esapi::Error;
use tss_esapi::attributes::NvIndexAttributesBuilder;
use tss_esapi::constants::{CommandCode, NvIndexType};
use tss_esapi::handles::NvIndexTpmHandle;
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::resource_handles::Provision;
use tss_esapi::structures::{Digest, NvPublic, NvPublicBuilder};
use tss_esapi::tss2_esys::TPMA_NV;

use crate::auth::AuthValue;
use crate::command::CommandError;
use crate::engine::Engine;
use crate::hierarchy::Hierarchy;
use crate::name::Name;
use crate::policy::command_policy;
use crate::response::{BAD_AUTH, NV_DEFINED, NV_SPACE};
use crate::session::Protect;
use crate::tpm::Tpm;

/// One of the log's two anchors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Anchor {
    /// The index that each entry is extended into: 32 bytes, SHA-256.
    Log,
    /// The counter that rises with every seal: 8 bytes.
    Counter,
}

/// What is at the place of an anchor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnchorState {
    /// Nothing.
    Absent,
    /// The anchor.
    Ours {
        /// Its Name.
        name: Name,
        /// Whether it holds anything yet.
        holds: Holds,
    },
    /// Something else.
    Foreign {
        /// Its Name.
        name: Name,
    },
}

/// Whether an anchor was written (TPMA_NV_WRITTEN); its Name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Not yet: a log index has no digest, a counter no number.
    Nothing,
    /// It was.
    Something,
}

/// Why an anchor was not made or used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorError {
    /// Something is at its place (TPM_RC_NV_DEFINED, 0x14c).
    #[error("the NV index {index} of the TPM at {tcti} is taken")]
    Taken {
        /// The TPM.
        tcti: Tcti,
        /// The index.
        index: NvIndex,
    },
    /// The TPM's non-volatile storage is full (TPM_RC_NV_SPACE, 0x14b).
    #[error("the TPM at {tcti} has no space for the NV index {index}")]
    NoSpace {
        /// The TPM.
        tcti: Tcti,
        /// The index.
        index: NvIndex,
    },
    /// The owner hierarchy has an auth value (TPM_RC_BAD_AUTH, 0x9a2), and none or another one was given.
    #[error("the TPM at {tcti} refused the owner auth that defining {index} takes")]
    OwnerAuth {
        /// The TPM.
        tcti: Tcti,
        /// The index.
        index: NvIndex,
    },
    /// Nothing is at its place.
    #[error("the TPM at {tcti} has no {anchor} at {index}")]
    Absent {
        /// The TPM.
        tcti: Tcti,
        /// Which anchor.
        anchor: Anchor,
        /// The index.
        index: NvIndex,
    },
    /// Something else is at its place.
    #[error("what the TPM at {tcti} has at {index}, of the name {name}, is not the {anchor}")]
    Foreign {
        /// The TPM.
        tcti: Tcti,
        /// Which anchor.
        anchor: Anchor,
        /// The index.
        index: NvIndex,
        /// The Name of what is there.
        name: Name,
    },
    /// It was never written.
    #[error("the {anchor} {index} of the TPM at {tcti} holds nothing yet")]
    Unwritten {
        /// The TPM.
        tcti: Tcti,
        /// Which anchor.
        anchor: Anchor,
        /// The index.
        index: NvIndex,
    },
    /// The TPM gave less or more than the anchor holds.
    #[error("the TPM at {tcti} gave {length} bytes for the {anchor} {index}")]
    Length {
        /// The TPM.
        tcti: Tcti,
        /// Which anchor.
        anchor: Anchor,
        /// The index.
        index: NvIndex,
        /// How many.
        length: usize,
    },
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Advice for AnchorError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Taken { .. } => {
                Some("name another index in site.yaml, or have it removed: --remove INDEX".to_owned())
            }
            Self::NoSpace { .. } => Some(
                "list what is kept with keyrite-tpm-init check, and have removed what nobody needs: --remove HANDLE"
                    .to_owned(),
            ),
            Self::OwnerAuth { .. } => Some("give the owner auth by --owner-auth".to_owned()),
            Self::Absent { .. } => Some("make it first: keyrite-tpm-init provision".to_owned()),
            Self::Foreign { .. } => {
                Some("check that this is the ceremony's TPM: keyrite-tpm-init check".to_owned())
            }
            Self::Unwritten { .. } | Self::Length { .. } => None,
            Self::Command(error) => error.hint(),
        }
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::OwnerAuth { .. } => true,
            Self::Taken { .. }
            | Self::NoSpace { .. }
            | Self::Absent { .. }
            | Self::Foreign { .. }
            | Self::Unwritten { .. }
            | Self::Length { .. } => false,
            Self::Command(error) => error.is_credential(),
        }
    }
}

impl Anchor {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Log, Self::Counter];

    /// The command that writes it.
    pub(crate) fn command(self) -> CommandCode {
        match self {
            Self::Log => CommandCode::NvExtend,
            Self::Counter => CommandCode::NvIncrement,
        }
    }

    fn kind(self) -> NvIndexType {
        match self {
            Self::Log => NvIndexType::Extend,
            Self::Counter => NvIndexType::Counter,
        }
    }

    /// How many bytes it holds.
    pub(crate) const fn size(self) -> u16 {
        match self {
            Self::Log => 32,
            Self::Counter => 8,
        }
    }

    /// Its public area as it is defined.
    fn public(self, index: NvIndex) -> Result<NvPublic, Error> {
        let attributes = NvIndexAttributesBuilder::new()
            .with_nv_index_type(self.kind())
            .with_policy_write(true)
            .with_auth_read(true)
            .with_owner_read(true)
            .with_no_da(true)
            .build()?;
        NvPublicBuilder::new()
            .with_nv_index(NvIndexTpmHandle::new(index.number())?)
            .with_index_name_algorithm(HashingAlgorithm::Sha256)
            .with_index_attributes(attributes)
            .with_index_auth_policy(Digest::try_from(command_policy(self.command()).as_slice())?)
            .with_data_area_size(self.size().into())
            .build()
    }

    /// The Name that it has at that index before and after its first write: the digest of TPMS_NV_PUBLIC (TPM 2.0 part 1, 16).
    pub fn name(self, index: NvIndex, holds: Holds) -> Option<Name> {
        let public = self.public(index).ok()?;
        let written = match holds {
            Holds::Nothing => 0,
            Holds::Something => WRITTEN,
        };
        let mut area = Vec::with_capacity(46);
        area.extend(index.number().to_be_bytes());
        area.extend(SHA256);
        area.extend((TPMA_NV::try_from(public.attributes()).ok()? | written).to_be_bytes());
        area.extend(32_u16.to_be_bytes());
        area.extend(command_policy(self.command()));
        area.extend(self.size().to_be_bytes());
        Name::try_from([&SHA256[..], &Sha256::digest(&area)].concat().as_slice()).ok()
    }
}

/// TPM_ALG_SHA256.
const SHA256: [u8; 2] = [0x00, 0x0b];
/// TPMA_NV_WRITTEN.
const WRITTEN: u32 = 1 << 29;

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Log => "log index",
            Self::Counter => "log counter",
        })
    }
}

impl Tpm {
    /// What is at the place of an anchor.
    pub fn anchor(&self, anchor: Anchor, index: NvIndex) -> Result<AnchorState, CommandError> {
        self.engine().anchor(anchor, index)
    }

    /// Makes an anchor.
    pub fn define_anchor(
        &self,
        anchor: Anchor,
        index: NvIndex,
        owner_auth: Option<&AuthValue>,
    ) -> Result<(), AnchorError> {
        let mut engine = self.engine();
        let made = engine.run_as(
            Hierarchy::Owner,
            owner_auth,
            // Its own auth value is empty; so are both parameters that could be hidden.
            Protect::Nothing,
            "TPM2_NV_DefineSpace",
            |context| context.nv_define_space(Provision::Owner, None, anchor.public(index)?),
        );
        let tcti = engine.tcti.clone();
        match made {
            Ok(handle) => {
                engine.close(handle.into());
                Ok(())
            }
            Err(error) if error.is(NV_DEFINED) => Err(AnchorError::Taken { tcti, index }),
            Err(error) if error.is(NV_SPACE) => Err(AnchorError::NoSpace { tcti, index }),
            Err(error) if error.is(BAD_AUTH) => Err(AnchorError::OwnerAuth { tcti, index }),
            Err(error) => Err(error.into()),
        }
    }
}

impl Engine {
    fn anchor(&mut self, anchor: Anchor, index: NvIndex) -> Result<AnchorState, CommandError> {
        if !self.is_there(index.number())? {
            return Ok(AnchorState::Absent);
        }
        let mut held = self.open_nv(index.number())?;
        let open = held.handle();
        let name = held.name(open)?;
        for holds in [Holds::Nothing, Holds::Something] {
            if anchor.name(index, holds).as_ref() == Some(&name) {
                return Ok(AnchorState::Ours { name, holds });
            }
        }
        Ok(AnchorState::Foreign { name })
    }

    /// Whether the anchor, which is there, holds anything yet. What it is not is never read as if it were, nor written.
    pub(crate) fn own_anchor(&mut self, anchor: Anchor, index: NvIndex) -> Result<Holds, AnchorError> {
        let state = self.anchor(anchor, index)?;
        let tcti = self.tcti.clone();
        match state {
            AnchorState::Ours { holds, .. } => Ok(holds),
            AnchorState::Absent => Err(AnchorError::Absent { tcti, anchor, index }),
            AnchorState::Foreign { name } => Err(AnchorError::Foreign {
                tcti,
                anchor,
                index,
                name,
            }),
        }
    }
}
