//! What keeps sealed data from those who ask for it.

use key_metadata::{PolicyDigest, TpmHandle};
use tss_esapi::Error;
use tss_esapi::attributes::ObjectAttributesBuilder;
use tss_esapi::constants::CommandCode;
use tss_esapi::interface_types::algorithm::{HashingAlgorithm, PublicAlgorithm};
use tss_esapi::structures::{Digest, KeyedHashScheme, Public, PublicBuilder, PublicKeyedHashParameters};

use crate::command::CommandError;
use crate::engine::Engine;
use crate::persistent::{PersistentKind, kind};
use crate::policy::command_policy;
use crate::tpm::Tpm;

/// What keeps sealed data from those who ask for it, beside the TPM that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// The TPM's lockout: it gives nothing back while it is locked. The password is empty.
    Lockout,
    /// A policy that allows TPM2_Unseal; there is no password, so nothing that a lockout would have to protect.
    Unseal,
    /// A policy of that digest: where it is [`crate::Authority::policy_digest`], that authority must have approved the machine's state. There
    /// is no password here either.
    Policy(PolicyDigest),
}

impl Guard {
    /// The guard that a public area says; `None` for one that we make nothing under.
    pub(crate) fn of(public: &Public) -> Option<Self> {
        if public.object_attributes().user_with_auth() {
            return Some(Self::Lockout);
        }
        let policy = <[u8; 32]>::try_from(public.auth_policy().as_slice()).ok()?;
        Some(if policy == command_policy(CommandCode::Unseal) {
            Self::Unseal
        } else {
            Self::Policy(PolicyDigest(policy))
        })
    }

    /// The public area of data that is sealed so, bound to this TPM and parent.
    pub(crate) fn template(self) -> Result<Public, Error> {
        let attributes = ObjectAttributesBuilder::new()
            .with_fixed_tpm(true)
            .with_fixed_parent(true);
        let policy = match self {
            Self::Lockout => Digest::default(),
            Self::Unseal => command_policy(CommandCode::Unseal).as_slice().try_into()?,
            Self::Policy(digest) => digest.0.as_slice().try_into()?,
        };
        let attributes = match self {
            Self::Lockout => attributes.with_user_with_auth(true),
            Self::Unseal | Self::Policy(_) => attributes.with_no_da(true),
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
}

impl Tpm {
    /// What guards the data that is sealed at a persistent handle; `None` where there is none, or a guard of another kind.
    pub fn guard(&self, handle: TpmHandle) -> Result<Option<Guard>, CommandError> {
        self.engine().guard(handle)
    }
}

impl Engine {
    fn guard(&mut self, handle: TpmHandle) -> Result<Option<Guard>, CommandError> {
        if !self.is_there(handle.number())? {
            return Ok(None);
        }
        let mut object = self.open(handle.number())?;
        let open = object.handle();
        let public = object.read_public(open)?;
        Ok(match kind(&public) {
            PersistentKind::SealedData => Guard::of(&public),
            PersistentKind::StorageKey | PersistentKind::SigningKey | PersistentKind::OtherKey => None,
        })
    }
}
