//! The one way in which a native key can leave its TPM, as the key's policy has it.

use sha2::{Digest as _, Sha256};
use tss_esapi::Error;
use tss_esapi::attributes::{ObjectAttributes, ObjectAttributesBuilder};
use tss_esapi::structures::{Digest, Public};

use crate::name::Name;
use crate::recovery::RecoveryParent;

/// TPM_CC_PolicySecret and TPM_CC_PolicyDuplicationSelect.
const POLICY_SECRET: u32 = 0x0000_0151;
const POLICY_DUPLICATION_SELECT: u32 = 0x0000_0188;
/// TPM_RH_OWNER, which is its own Name (TPM 2.0 part 1, 16).
const OWNER: u32 = 0x4000_0001;
/// includeObject: the policy is in the key, whose Name it would change.
const WITHOUT_OBJECT: u8 = 0;

/// Who has to agree.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    /// The TPM's owner.
    Owner,
    /// Nobody: for a key that is made to be tried out.
    Nobody,
}

/// Where a key was made.
#[derive(Clone, Copy)]
pub(crate) enum Origin {
    /// In a TPM, whose random numbers it is (sensitiveDataOrigin).
    Tpm,
    /// Elsewhere.
    Outside,
}

/// To whom a key may leave, and who has to agree. Whoever may only use the key, such as a signer with its auth value, cannot take it out.
#[derive(Clone)]
pub(crate) struct Exit {
    pub(crate) consent: Consent,
    /// The Name of the new parent.
    to: Name,
}

impl Exit {
    pub(crate) fn by_owner(parent: &RecoveryParent) -> Self {
        Self {
            consent: Consent::Owner,
            to: parent.name(),
        }
    }

    pub(crate) fn unguarded(parent: &RecoveryParent) -> Self {
        Self {
            consent: Consent::Nobody,
            to: parent.name(),
        }
    }

    /// The digest of TPM2_PolicySecret with the owner's authorisation, then TPM2_PolicyDuplicationSelect (TPM 2.0 part 3, 23.4 and 23.15).
    pub(crate) fn policy(&self) -> [u8; 32] {
        let mut policy = [0; 32];
        match self.consent {
            Consent::Owner => {
                policy = digest(&[&policy, &POLICY_SECRET.to_be_bytes(), &OWNER.to_be_bytes()]);
                // The policy's reference, which is empty (23.2.3).
                policy = digest(&[&policy]);
            }
            Consent::Nobody => {}
        }
        digest(&[
            &policy,
            &POLICY_DUPLICATION_SELECT.to_be_bytes(),
            self.to.as_bytes(),
            &[WITHOUT_OBJECT],
        ])
    }

    /// The attributes of a signing key that leaves so. Without encryptedDuplication, which its parent would need too.
    pub(crate) fn attributes(origin: Origin) -> Result<ObjectAttributes, Error> {
        let of_tpm = match origin {
            Origin::Tpm => true,
            Origin::Outside => false,
        };
        ObjectAttributesBuilder::new()
            .with_sensitive_data_origin(of_tpm)
            .with_user_with_auth(true)
            .with_sign_encrypt(true)
            .build()
    }

    /// Whether that is the public area of a key that leaves so, and in no other way.
    pub(crate) fn is_of(&self, public: &Public) -> bool {
        let attributes = attributes(public);
        let mut origins = [Origin::Tpm, Origin::Outside].into_iter();
        let same = origins.any(|origin| Self::attributes(origin).is_ok_and(|wanted| wanted == attributes));
        same && policy(public).as_slice() == self.policy()
    }
}

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    Sha256::digest(parts.concat()).into()
}

pub(crate) fn attributes(public: &Public) -> ObjectAttributes {
    match public {
        Public::Rsa {
            object_attributes, ..
        }
        | Public::Ecc {
            object_attributes, ..
        }
        | Public::KeyedHash {
            object_attributes, ..
        }
        | Public::SymCipher {
            object_attributes, ..
        } => *object_attributes,
    }
}

pub(crate) fn policy(public: &Public) -> &Digest {
    match public {
        Public::Rsa { auth_policy, .. }
        | Public::Ecc { auth_policy, .. }
        | Public::KeyedHash { auth_policy, .. }
        | Public::SymCipher { auth_policy, .. } => auth_policy,
    }
}
