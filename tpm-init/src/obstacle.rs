//! What stands between a TPM and what it shall be.

use crate::step::HierarchyName;

/// Why a TPM cannot be made what it shall be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// An auth value is set that is not known.
    #[error("the TPM has {} {hierarchy} auth that is not known{}", article(*.hierarchy), owner(*.delivered))]
    UnknownAuth {
        /// Whose.
        hierarchy: HierarchyName,
        /// Whether an earlier run delivered it.
        delivered: bool,
    },
    /// Something of others is where something of ours is to be.
    #[error("{place} is taken by something foreign, with the Name {name}")]
    Foreign {
        /// Handle or index.
        place: String,
        /// The Name of what is there.
        name: String,
    },
    /// What looks like ours cannot be proved.
    #[error("the key at {place}, with the Name {name}, cannot be compared without the owner auth")]
    Unproved {
        /// Handle.
        place: String,
        /// Its Name.
        name: String,
    },
    /// Nobody is there to get an auth value.
    #[error("there is nobody to give the {hierarchy} auth to")]
    Nobody {
        /// Whose.
        hierarchy: HierarchyName,
    },
    /// TPM2_Clear is disabled.
    #[error("the TPM does not let itself be cleared")]
    ClearDisabled,
    /// The site knows another TPM under this name.
    #[error(
        "this is not the TPM that the site was set up with: its storage root key had the Name {expected}"
    )]
    AnotherTpm {
        /// The Name that is pinned.
        expected: String,
    },
    /// It is ours, and in use.
    #[error("what is at {place} is Keyrite's own; it is not removed")]
    NotForeign {
        /// Handle or index.
        place: String,
    },
    /// What was to be removed is not there.
    #[error("there is nothing to remove at {place}")]
    NothingToRemove {
        /// Handle or index.
        place: String,
    },
    /// It is not the owner's to remove.
    #[error("what is at {place} was put there by the manufacturer or the firmware; it is not removed")]
    NotTheOwners {
        /// Handle or index.
        place: String,
    },
}

fn article(hierarchy: HierarchyName) -> &'static str {
    match hierarchy {
        HierarchyName::Owner | HierarchyName::Endorsement => "an",
        HierarchyName::Lockout => "a",
    }
}

fn owner(delivered: bool) -> &'static str {
    if delivered {
        "; the custodians have it"
    } else {
        "; it is owned by someone else"
    }
}

impl key_metadata::Advice for Obstacle {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::UnknownAuth {
                hierarchy,
                delivered: true,
            } => format!("have a custodian open it, and give it: --{hierarchy}-auth fd:NUMBER or file:PATH"),
            Self::UnknownAuth {
                hierarchy: HierarchyName::Lockout,
                ..
            } => {
                "give it by --lockout-auth only if it is certain: a wrong one blocks the hierarchy; else clear the TPM in the \
                 firmware's set-up"
                    .to_owned()
            }
            Self::UnknownAuth { hierarchy, .. } => format!(
                "give it by --{hierarchy}-auth; or clear the TPM: provision --clear, with the lockout auth if that is set, or in \
                 the firmware's set-up"
            ),
            Self::Foreign { place, .. } => format!(
                "name another place in site.yaml, or see what it is (keyrite-tpm-init check) and have it removed: --remove {place}"
            ),
            Self::Unproved { .. } => "give the owner auth by --owner-auth".to_owned(),
            Self::Nobody { hierarchy } => format!(
                "list custodians in site.yaml, with their age recipients, or seal it: setup: {{{hierarchy}-auth: tpm:HANDLE}}"
            ),
            Self::ClearDisabled => "clear it in the firmware's set-up, at the machine itself".to_owned(),
            Self::AnotherTpm { .. } => {
                "connect the right one; or give the old one up: provision --another-tpm".to_owned()
            }
            Self::NothingToRemove { .. } => "see what is there: keyrite-tpm-init check".to_owned(),
            Self::NotTheOwners { .. } => "name another place in site.yaml".to_owned(),
            Self::NotForeign { .. } => "to start over, clear the TPM: provision --clear".to_owned(),
        })
    }

    fn is_credential(&self) -> bool {
        match self {
            Self::UnknownAuth { .. } | Self::Unproved { .. } => true,
            Self::Foreign { .. }
            | Self::Nobody { .. }
            | Self::ClearDisabled
            | Self::AnotherTpm { .. }
            | Self::NothingToRemove { .. }
            | Self::NotForeign { .. }
            | Self::NotTheOwners { .. } => false,
        }
    }
}
