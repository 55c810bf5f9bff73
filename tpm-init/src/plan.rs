//! A plan is data: it is shown, kept, and then followed.

use std::collections::BTreeSet;

use key_metadata::Time;
use serde::{Deserialize, Serialize};

use crate::state::{Kept, TpmState};
use crate::step::{Delivery, Step};

/// What is to be done to a TPM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Plan {
    /// Always 1.
    pub version: u32,
    /// The TPM's name in `site.yaml`.
    pub tpm: String,
    /// When it was made.
    pub made: Time,
    /// What the TPM is before.
    pub before: TpmState,
    /// What is done, in this order; nothing where all is as it shall be.
    pub steps: Vec<Step>,
}

/// Why a TPM is not one that a plan can be followed on, from where it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the TPM does not match the plan: {0}")]
pub struct Mismatch(String);

impl key_metadata::Advice for Mismatch {
    fn hint(&self) -> Option<String> {
        Some("look at what changed, and make a new plan: keyrite-tpm-init plan --out FILE".to_owned())
    }

    fn is_credential(&self) -> bool {
        false
    }
}

impl Plan {
    /// Whether `left`, planned from `state`, is what is left of this plan: nothing that it does not have, on the same TPM, with nothing new in it
    /// that this plan did not put there.
    pub fn check(&self, state: &TpmState, left: &[Step]) -> Result<(), Mismatch> {
        let before = &self.before;
        let who = |state: &TpmState| {
            (
                state.manufacturer.clone(),
                state.vendor.clone(),
                state.firmware.clone(),
            )
        };
        if who(state) != who(before) {
            return Err(Mismatch(format!(
                "it is {} {} {}, and the plan is for {} {} {}",
                state.manufacturer,
                state.vendor,
                state.firmware,
                before.manufacturer,
                before.vendor,
                before.firmware
            )));
        }
        if let Some(step) = left.iter().find(|step| !self.steps.contains(step)) {
            return Err(Mismatch(format!("the plan does not {step}")));
        }
        let removed = |kept: &Kept| {
            self.steps.iter().any(|step| match step {
                Step::Remove(gone) => gone == kept,
                Step::Clear { destroys } => destroys.contains(kept),
                Step::SetAside { .. }
                | Step::EmptyAuth { .. }
                | Step::LiftLockout
                | Step::MakeStorageRootKey { .. }
                | Step::MakeAttestationKey { .. }
                | Step::DefineLogIndex { .. }
                | Step::DefineLogCounter { .. }
                | Step::Identify { .. }
                | Step::SetProtection(_)
                | Step::DisableClear
                | Step::SetAuth { .. }
                | Step::Report => false,
            })
        };
        let all = |state: &TpmState| [state.persistent.clone(), state.nv.clone()].concat();
        let (then, now) = (all(before), all(state));
        if let Some(gone) = then.iter().find(|kept| !now.contains(kept) && !removed(kept)) {
            return Err(Mismatch(format!(
                "{} at {} is gone or has changed",
                gone.what, gone.handle
            )));
        }
        let made = self.places_made();
        if let Some(new) = now
            .iter()
            .find(|kept| !then.contains(kept) && !made.contains(&kept.handle))
        {
            return Err(Mismatch(format!("{} at {} is new", new.what, new.handle)));
        }
        Ok(())
    }

    /// The handles and indices that this plan puts something at.
    fn places_made(&self) -> BTreeSet<String> {
        let made = self.steps.iter().filter_map(|step| match step {
            Step::MakeStorageRootKey { handle, .. } | Step::MakeAttestationKey { handle, .. } => {
                Some(handle.to_string())
            }
            Step::DefineLogIndex { index, .. } | Step::DefineLogCounter { index, .. } => {
                Some(index.to_string())
            }
            // Its Name changes with the first write.
            Step::Identify { log_counter, .. } => Some(log_counter.to_string()),
            Step::SetAuth {
                to: Delivery::Sealed(handle),
                ..
            } => Some(handle.to_string()),
            Step::SetAside { .. }
            | Step::Clear { .. }
            | Step::EmptyAuth { .. }
            | Step::LiftLockout
            | Step::Remove(_)
            | Step::SetProtection(_)
            | Step::DisableClear
            | Step::SetAuth {
                to: Delivery::Custodians(_),
                ..
            }
            | Step::Report => None,
        });
        made.collect()
    }
}
