//! One thing that is done to a TPM.

use std::collections::BTreeMap;
use std::fmt;

use key_metadata::{NvIndex, Recipient, TpmHandle};
use serde::{Deserialize, Serialize};

use crate::state::{Kept, Protection};

/// A step of a plan. Two runs that plan the same step do the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", tag = "do")]
pub enum Step {
    /// Puts aside the site's files about the TPM that was here before.
    SetAside {
        /// The Name of that TPM's storage root key.
        storage_root_key: String,
    },
    /// TPM2_Clear.
    Clear {
        /// What it destroys.
        destroys: Vec<Kept>,
    },
    /// Empties an auth value that was given, so that the bit for it tells how far a run came.
    EmptyAuth {
        /// Whose.
        hierarchy: HierarchyName,
    },
    /// TPM2_DictionaryAttackLockReset.
    LiftLockout,
    /// Removes something of others.
    Remove(Kept),
    /// Makes the storage root key.
    MakeStorageRootKey {
        /// Where.
        handle: TpmHandle,
        /// The Name that it will have; absent where only a cleared TPM tells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// Makes the attestation key.
    MakeAttestationKey {
        /// Where.
        handle: TpmHandle,
        /// The template of the endorsement key that it is made under.
        under: String,
    },
    /// Defines the log's index.
    DefineLogIndex {
        /// Where.
        index: NvIndex,
        /// The Name that it will have.
        name: String,
    },
    /// Defines the log's counter.
    DefineLogCounter {
        /// Where.
        index: NvIndex,
        /// The Name that it will have.
        name: String,
    },
    /// Proves the attestation key by a credential, sees the counter rise, and writes down who this TPM is.
    Identify {
        /// The attestation key.
        attestation_key: TpmHandle,
        /// The template of the endorsement key.
        under: String,
        /// The counter.
        log_counter: NvIndex,
    },
    /// TPM2_DictionaryAttackParameters.
    SetProtection(Protection),
    /// TPM2_ClearControl.
    DisableClear,
    /// Draws an auth value, delivers it, and then sets it.
    SetAuth {
        /// Whose.
        hierarchy: HierarchyName,
        /// To whom.
        to: Delivery,
    },
    /// Looks at everything again and writes the report.
    Report,
}

/// Who gets an auth value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// Custodians, by name, in one age file that each of them can open.
    Custodians(BTreeMap<String, Recipient>),
    /// The TPM itself, sealed.
    Sealed(TpmHandle),
}

/// A hierarchy, as plans and files name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HierarchyName {
    /// Persistent objects and NV indices.
    Owner,
    /// Endorsement keys.
    Endorsement,
    /// The dictionary-attack protection, and clearing.
    Lockout,
}

impl HierarchyName {
    /// All, in the order in which their auth values are set: the owner's last, since sealing takes it.
    pub const ALL: [Self; 3] = [Self::Endorsement, Self::Lockout, Self::Owner];

    /// The hierarchy as the TPM knows it.
    pub const fn hierarchy(self) -> tpm::Hierarchy {
        match self {
            Self::Owner => tpm::Hierarchy::Owner,
            Self::Endorsement => tpm::Hierarchy::Endorsement,
            Self::Lockout => tpm::Hierarchy::Lockout,
        }
    }
}

impl fmt::Display for HierarchyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hierarchy().fmt(f)
    }
}

impl Step {
    /// What has to be typed before it is done, and the question; `None` for what destroys nothing.
    pub fn consent(&self) -> Option<(String, String)> {
        match self {
            Self::Clear { destroys } => Some((
                match destroys.len() {
                    1 => {
                        "clear the TPM, with one thing that it keeps, and all keys under its owner".to_owned()
                    }
                    count => format!(
                        "clear the TPM, with {count} things that it keeps, and all keys under its owner"
                    ),
                },
                "clear".to_owned(),
            )),
            Self::Remove(kept) => Some((
                format!("remove {} at {}, Name {}", kept.what, kept.handle, kept.name),
                last_digits(&kept.name),
            )),
            Self::SetAside { storage_root_key } => Some((
                format!(
                    "give up the TPM with the storage root key {storage_root_key}: what it sealed and its keys are lost to this site"
                ),
                last_digits(storage_root_key),
            )),
            Self::EmptyAuth { .. }
            | Self::LiftLockout
            | Self::MakeStorageRootKey { .. }
            | Self::MakeAttestationKey { .. }
            | Self::DefineLogIndex { .. }
            | Self::DefineLogCounter { .. }
            | Self::Identify { .. }
            | Self::SetProtection(_)
            | Self::DisableClear
            | Self::SetAuth { .. }
            | Self::Report => None,
        }
    }
}

/// The last eight hex digits of a Name: enough to have looked at it.
fn last_digits(name: &str) -> String {
    name.get(name.len().saturating_sub(8)..)
        .map_or_else(String::new, ToOwned::to_owned)
}

impl fmt::Display for Step {
    /// In the infinitive, to follow "would".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetAside { storage_root_key } => write!(
                f,
                "put aside the files of the TPM with the storage root key {storage_root_key}"
            ),
            Self::Clear { destroys } => {
                write!(f, "clear the TPM; this destroys all keys under its owner, and:")?;
                destroys
                    .iter()
                    .try_for_each(|kept| write!(f, "\n    {} {}, Name {}", kept.handle, kept.what, kept.name))
            }
            Self::EmptyAuth { hierarchy } => {
                write!(
                    f,
                    "empty the {hierarchy} auth, which is at hand, until a new one is set"
                )
            }
            Self::LiftLockout => f.write_str("lift the lockout, and forgive all wrong tries"),
            Self::Remove(kept) => write!(f, "remove {} at {}, Name {}", kept.what, kept.handle, kept.name),
            Self::MakeStorageRootKey { handle, name } => {
                write!(
                    f,
                    "make the storage root key at {handle}{}",
                    with_name(name.as_deref())
                )
            }
            Self::MakeAttestationKey { handle, under } => write!(
                f,
                "make an attestation key (P-256) at {handle}, under the endorsement key {under}"
            ),
            Self::DefineLogIndex { index, name } => {
                write!(f, "define the log index {index}{}", with_name(Some(name)))
            }
            Self::DefineLogCounter { index, name } => {
                write!(f, "define the log counter {index}{}", with_name(Some(name)))
            }
            Self::Identify {
                attestation_key,
                log_counter,
                ..
            } => write!(
                f,
                "prove the attestation key {attestation_key} by a credential, and raise the counter {log_counter}"
            ),
            Self::SetProtection(Protection {
                tries,
                forgiven_after,
                lockout_blocked_for,
            }) => write!(
                f,
                "lock after {tries} wrong tries, forgive one every {forgiven_after} s, block a wrong lockout auth for {lockout_blocked_for} s"
            ),
            Self::DisableClear => f.write_str("disable TPM2_Clear but for physical presence"),
            Self::SetAuth { hierarchy, to } => {
                write!(f, "draw the {hierarchy} auth, 32 bytes, ")?;
                match to {
                    Delivery::Custodians(custodians) => {
                        let names: Vec<_> = custodians.keys().cloned().collect();
                        write!(f, "encrypt it to {}, and set it", names.join(" and "))
                    }
                    Delivery::Sealed(handle) => write!(f, "seal it at {handle}, and set it"),
                }
            }
            Self::Report => f.write_str("check everything and write the report"),
        }
    }
}

fn with_name(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!(", Name {name}"))
}
