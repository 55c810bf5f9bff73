//! From what a TPM is to what it shall be: a plan is data, which is shown, kept, and then followed.
//!
//! Everything that takes an auth value is done while that is empty, and the new auth values are set last. So a run that is killed
//! anywhere is completed by the next from what the TPM shows, and no auth value has to be known for it.

use std::collections::{BTreeMap, BTreeSet};

use key_metadata::{AuthDelivery, Recipient, Time, TpmHandle, TpmIdentity, TpmSetup};
use serde::{Deserialize, Serialize};
use tpm::{Anchor, Holds};

use crate::state::{AuthState, Kept, Place, Protection, TpmState};
use crate::step::{Delivery, HierarchyName, Step};

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

/// What somebody wants of a TPM.
#[derive(Clone, Debug)]
pub struct Wishes {
    /// As `site.yaml` sets it up.
    pub setup: TpmSetup,
    /// Who gets what is not sealed.
    pub custodians: BTreeMap<String, Recipient>,
    /// Handles and indices of others that may be removed.
    pub remove: BTreeSet<String>,
    /// What to do with the whole of it.
    pub start: Start,
    /// Handles at which the site's PINs are sealed.
    pub sealed_pins: BTreeSet<TpmHandle>,
}

/// From where to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// From what is there.
    AsItIs,
    /// From what is there, though the site knows another TPM.
    AnotherTpm,
    /// From a cleared TPM.
    Cleared,
}

/// What is known beside the TPM's own answers.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The hierarchies whose auth value is at hand: given, or sealed in the TPM by an earlier run.
    pub auths: BTreeSet<HierarchyName>,
    /// The hierarchies whose auth value an earlier run delivered.
    pub delivered: BTreeSet<HierarchyName>,
    /// The handles at which an auth value is sealed.
    pub sealed: BTreeSet<TpmHandle>,
    /// Who the TPM is, if it was provisioned.
    pub identity: Option<TpmIdentity>,
    /// Whether there is a report of an earlier run.
    pub reported: bool,
    /// Whether an earlier run was stopped part-way.
    pub interrupted: bool,
    /// The template of the endorsement key to be used.
    pub endorsement_key: String,
    /// The Name that the storage root key will have, where the TPM could be asked.
    pub storage_root_key: Option<String>,
}

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

/// The steps from `state` to what is wished for, or every reason why there are none.
pub fn steps(state: &TpmState, known: &Known, wishes: &Wishes) -> Result<Vec<Step>, Vec<Obstacle>> {
    let mut planner = Planner {
        state: state.clone(),
        known: known.clone(),
        wishes,
        steps: Vec::new(),
        obstacles: Vec::new(),
    };
    planner.start();
    if !planner.obstacles.is_empty() {
        return Err(planner.obstacles);
    }
    planner.removals();
    planner.check_places();
    planner.auths();
    planner.objects();
    planner.finish();
    if planner.obstacles.is_empty() {
        Ok(planner.steps)
    } else {
        Err(planner.obstacles)
    }
}

/// The state as it will be after the steps so far.
struct Planner<'w> {
    state: TpmState,
    known: Known,
    wishes: &'w Wishes,
    steps: Vec<Step>,
    obstacles: Vec<Obstacle>,
}

impl Planner<'_> {
    fn start(&mut self) {
        let pinned = self
            .known
            .identity
            .as_ref()
            .map(|identity| identity.storage_root_key.to_string());
        let same = pinned.is_none() || self.state.storage_root_key.name() == pinned.as_deref();
        match (self.wishes.start, pinned) {
            (Start::AsItIs, Some(expected)) if !same => {
                self.obstacles.push(Obstacle::AnotherTpm { expected });
            }
            (Start::AnotherTpm, Some(storage_root_key)) if !same => {
                self.set_aside(storage_root_key);
            }
            (Start::Cleared, pinned) => self.clear(pinned),
            (Start::AsItIs | Start::AnotherTpm, _) => {}
        }
    }

    fn set_aside(&mut self, storage_root_key: String) {
        self.steps.push(Step::SetAside { storage_root_key });
        self.known.identity = None;
        self.known.reported = false;
        // An age file of another TPM opens nothing here.
        self.known.delivered.clear();
    }

    fn clear(&mut self, pinned: Option<String>) {
        let destroys: Vec<Kept> = self
            .state
            .persistent
            .iter()
            .chain(&self.state.nv)
            .filter(|kept| owners(kept))
            .cloned()
            .collect();
        let auths = [
            self.state.owner_auth,
            self.state.endorsement_auth,
            self.state.lockout_auth,
        ];
        // A TPM that is clear already is not cleared again: the run before this one did it.
        if destroys.is_empty() && auths.iter().all(|auth| *auth == AuthState::Empty) && pinned.is_none() {
            return;
        }
        if self.state.clear_disabled {
            self.obstacles.push(Obstacle::ClearDisabled);
            return;
        }
        if !self.is_open(HierarchyName::Lockout) && !self.known.auths.contains(&HierarchyName::Lockout) {
            self.obstacles.push(self.unknown(HierarchyName::Lockout));
            return;
        }
        if let Some(storage_root_key) = pinned {
            self.set_aside(storage_root_key);
        }
        self.steps.push(Step::Clear { destroys });
        let state = &mut self.state;
        state.persistent.retain(|kept| !owners(kept));
        state.nv.retain(|kept| !owners(kept));
        (state.owner_auth, state.endorsement_auth, state.lockout_auth) =
            (AuthState::Empty, AuthState::Empty, AuthState::Empty);
        state.in_lockout = false;
        state.storage_root_key = Place::Absent;
        state.attestation_key = Place::Absent;
        state.log_index = Place::Absent;
        state.log_counter = Place::Absent;
        self.known.delivered.clear();
        self.known.sealed.clear();
        self.known.storage_root_key = None;
    }

    fn removals(&mut self) {
        for place in &self.wishes.remove {
            let is_ours =
                |(handle, at): (String, &mut Place)| handle == *place && matches!(at, Place::Ours { .. });
            let in_use =
                |handle: &TpmHandle| handle.to_string() == *place && self.known.sealed.contains(handle);
            let ours = self.in_use().iter().any(in_use) || self.places().into_iter().any(is_ours);
            let mut all = self.state.persistent.iter().chain(&self.state.nv);
            let kept = match all.find(|kept| kept.handle == *place).cloned() {
                Some(kept) if !ours => kept,
                // A run that was killed had removed it, or had put ours in its place already; or the clear takes it.
                _ if self.known.interrupted || self.wishes.start == Start::Cleared => continue,
                Some(_) => {
                    self.obstacles.push(Obstacle::NotForeign { place: place.clone() });
                    continue;
                }
                None => {
                    self.obstacles
                        .push(Obstacle::NothingToRemove { place: place.clone() });
                    continue;
                }
            };
            if !owners(&kept) {
                self.obstacles
                    .push(Obstacle::NotTheOwners { place: place.clone() });
                continue;
            }
            for (handle, at) in self.places() {
                if handle == kept.handle {
                    *at = Place::Absent;
                }
            }
            self.known
                .sealed
                .retain(|handle| handle.to_string() != kept.handle);
            self.state.persistent.retain(|other| *other != kept);
            self.steps.push(Step::Remove(kept));
        }
    }

    /// The handles at which the site seals something.
    fn in_use(&self) -> Vec<TpmHandle> {
        let auths = HierarchyName::ALL
            .into_iter()
            .filter_map(|hierarchy| match self.delivery(hierarchy) {
                AuthDelivery::Sealed(handle) => Some(handle),
                AuthDelivery::Custodians => None,
            });
        auths.chain(self.wishes.sealed_pins.iter().copied()).collect()
    }

    /// The four places of ours, by handle or index.
    fn places(&mut self) -> [(String, &mut Place); 4] {
        let setup = &self.wishes.setup;
        let state = &mut self.state;
        [
            (TpmHandle::SRK.to_string(), &mut state.storage_root_key),
            (setup.attestation_key.to_string(), &mut state.attestation_key),
            (setup.log_index.to_string(), &mut state.log_index),
            (setup.log_counter.to_string(), &mut state.log_counter),
        ]
    }

    fn check_places(&mut self) {
        let mut obstacles = Vec::new();
        for (place, at) in self.places() {
            match at {
                Place::Foreign { name } => obstacles.push(Obstacle::Foreign {
                    place,
                    name: name.clone(),
                }),
                Place::Unproved { name } => obstacles.push(Obstacle::Unproved {
                    place,
                    name: name.clone(),
                }),
                Place::Absent | Place::Ours { .. } => {}
            }
        }
        for hierarchy in HierarchyName::ALL {
            let AuthDelivery::Sealed(handle) = self.delivery(hierarchy) else {
                continue;
            };
            let there = self
                .state
                .persistent
                .iter()
                .find(|kept| kept.handle == handle.to_string());
            if let Some(kept) = there.filter(|_| !self.known.sealed.contains(&handle)) {
                obstacles.push(Obstacle::Foreign {
                    place: kept.handle.clone(),
                    name: kept.name.clone(),
                });
            }
        }
        self.obstacles.extend(obstacles);
    }

    /// Whether a hierarchy's auth value is empty.
    fn is_open(&self, hierarchy: HierarchyName) -> bool {
        let auth = match hierarchy {
            HierarchyName::Owner => self.state.owner_auth,
            HierarchyName::Endorsement => self.state.endorsement_auth,
            HierarchyName::Lockout => self.state.lockout_auth,
        };
        auth == AuthState::Empty
    }

    fn unknown(&self, hierarchy: HierarchyName) -> Obstacle {
        Obstacle::UnknownAuth {
            hierarchy,
            delivered: self.known.delivered.contains(&hierarchy),
        }
    }

    /// Empties the auth values that something below takes, or that are to be replaced.
    fn auths(&mut self) {
        for hierarchy in HierarchyName::ALL {
            if self.is_open(hierarchy) {
                continue;
            }
            let delivered = self.known.delivered.contains(&hierarchy);
            if delivered && !self.needs(hierarchy) {
                continue;
            }
            if self.known.auths.contains(&hierarchy) {
                self.steps.push(Step::EmptyAuth { hierarchy });
                match hierarchy {
                    HierarchyName::Owner => self.state.owner_auth = AuthState::Empty,
                    HierarchyName::Endorsement => self.state.endorsement_auth = AuthState::Empty,
                    HierarchyName::Lockout => self.state.lockout_auth = AuthState::Empty,
                }
            } else {
                self.obstacles.push(self.unknown(hierarchy));
            }
        }
    }

    /// Whether something below takes that hierarchy's auth value.
    fn needs(&self, hierarchy: HierarchyName) -> bool {
        let absent = |place: &Place| *place == Place::Absent;
        let state = &self.state;
        match hierarchy {
            HierarchyName::Owner => {
                let removes = self.steps.iter().any(|step| matches!(step, Step::Remove(_)));
                let seals = HierarchyName::ALL.into_iter().any(|other| {
                    matches!(self.delivery(other), AuthDelivery::Sealed(handle) if !self.known.sealed.contains(&handle))
                });
                let places = [
                    &state.storage_root_key,
                    &state.attestation_key,
                    &state.log_index,
                    &state.log_counter,
                ];
                removes || seals || places.into_iter().any(absent)
            }
            HierarchyName::Endorsement => absent(&state.attestation_key) || !self.is_identified(),
            HierarchyName::Lockout => {
                state.in_lockout || !state.clear_disabled || state.protection != Protection::OURS
            }
        }
    }

    /// Whether the attestation key and the anchors are those that the identity has.
    fn is_identified(&self) -> bool {
        let Some(identity) = &self.known.identity else {
            return false;
        };
        let setup = &self.wishes.setup;
        let is = |place: &Place, name: String| matches!(place, Place::Ours { name: found } if *found == name);
        let key = &identity.attestation_key;
        is(&self.state.attestation_key, key.name.to_string())
            && key.handle == setup.attestation_key
            && identity.log_index.index == setup.log_index
            && is(&self.state.log_counter, identity.log_counter.name.to_string())
            && matches!(self.state.log_index, Place::Ours { .. })
    }

    fn delivery(&self, hierarchy: HierarchyName) -> AuthDelivery {
        match hierarchy {
            HierarchyName::Owner => self.wishes.setup.owner_auth,
            HierarchyName::Endorsement => self.wishes.setup.endorsement_auth,
            HierarchyName::Lockout => self.wishes.setup.lockout_auth,
        }
    }

    /// What is made and set while the auth values are empty.
    fn objects(&mut self) {
        let setup = &self.wishes.setup;
        if self.state.in_lockout {
            self.steps.push(Step::LiftLockout);
        }
        let identified = self.is_identified();
        // The storage for them is what a full TPM lacks, and nothing but a try tells: so they come first.
        let name = |anchor: Anchor, index| {
            anchor
                .name(index, Holds::Nothing)
                .map_or_else(String::new, |name| name.to_string())
        };
        if self.state.log_index == Place::Absent {
            let index = setup.log_index;
            self.steps.push(Step::DefineLogIndex {
                index,
                name: name(Anchor::Log, index),
            });
        }
        if self.state.log_counter == Place::Absent {
            let index = setup.log_counter;
            self.steps.push(Step::DefineLogCounter {
                index,
                name: name(Anchor::Counter, index),
            });
        }
        if self.state.storage_root_key == Place::Absent {
            self.steps.push(Step::MakeStorageRootKey {
                handle: TpmHandle::SRK,
                name: self.known.storage_root_key.clone(),
            });
        }
        if self.state.attestation_key == Place::Absent {
            self.steps.push(Step::MakeAttestationKey {
                handle: setup.attestation_key,
                under: self.known.endorsement_key.clone(),
            });
        }
        if !identified {
            self.steps.push(Step::Identify {
                attestation_key: setup.attestation_key,
                under: self.known.endorsement_key.clone(),
                log_counter: setup.log_counter,
            });
        }
        if self.state.protection != Protection::OURS {
            self.steps.push(Step::SetProtection(Protection::OURS));
        }
        if !self.state.clear_disabled {
            self.steps.push(Step::DisableClear);
        }
    }

    /// The auth values, last, and the report.
    fn finish(&mut self) {
        for hierarchy in HierarchyName::ALL {
            if !self.is_open(hierarchy) {
                continue;
            }
            let to = match self.delivery(hierarchy) {
                AuthDelivery::Sealed(handle) => Delivery::Sealed(handle),
                AuthDelivery::Custodians if self.wishes.custodians.is_empty() => {
                    self.obstacles.push(Obstacle::Nobody { hierarchy });
                    continue;
                }
                AuthDelivery::Custodians => Delivery::Custodians(self.wishes.custodians.clone()),
            };
            self.steps.push(Step::SetAuth { hierarchy, to });
        }
        if !self.steps.is_empty() || !self.known.reported {
            self.steps.push(Step::Report);
        }
    }
}

/// Whether it is the owner's to remove, and goes with TPM2_Clear: objects of the owner's and the endorsement range, and the owner's NV indices (TCG Registry of
/// Reserved TPM 2.0 Handles 2.2 and 2.3).
fn owners(kept: &Kept) -> bool {
    let number = kept
        .handle
        .strip_prefix("0x")
        .and_then(|digits| u32::from_str_radix(digits, 16).ok());
    matches!(
        number,
        Some(0x8100_0000..=0x817f_ffff | 0x0180_0000..=0x01bf_ffff)
    )
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Protection;

    fn name(number: u8) -> String {
        format!("000b{}", format!("{number:02x}").repeat(32))
    }

    fn fresh() -> TpmState {
        TpmState {
            manufacturer: "IFX".to_owned(),
            vendor: "SLB9672".to_owned(),
            firmware: "15.22.0.0".to_owned(),
            revision: 159,
            owner_auth: AuthState::Empty,
            endorsement_auth: AuthState::Empty,
            lockout_auth: AuthState::Empty,
            in_lockout: false,
            clear_disabled: false,
            protection: Protection {
                tries: 3,
                forgiven_after: 1000,
                lockout_blocked_for: 1000,
            },
            storage_root_key: Place::Absent,
            attestation_key: Place::Absent,
            log_index: Place::Absent,
            log_counter: Place::Absent,
            persistent: Vec::new(),
            nv: Vec::new(),
        }
    }

    fn wishes() -> Wishes {
        Wishes {
            setup: TpmSetup::default(),
            custodians: [("ana".to_owned(), "age1xyz".parse().unwrap())].into(),
            remove: BTreeSet::new(),
            start: Start::AsItIs,
            sealed_pins: BTreeSet::new(),
        }
    }

    fn kinds(steps: &[Step]) -> Vec<String> {
        let words = |step: &Step| step.to_string().split(' ').take(3).collect::<Vec<_>>().join(" ");
        steps.iter().map(words).collect()
    }

    #[test]
    fn a_fresh_tpm_gets_everything_and_the_auth_values_last() {
        let steps = steps(&fresh(), &Known::default(), &wishes()).unwrap();
        assert_eq!(
            kinds(&steps),
            [
                "define the log",
                "define the log",
                "make the storage",
                "make an attestation",
                "prove the attestation",
                "lock after 32",
                "disable TPM2_Clear but",
                "draw the endorsement",
                "draw the lockout",
                "draw the owner",
                "check everything and"
            ]
        );
    }

    #[test]
    fn nothing_is_done_twice() {
        let mut state = fresh();
        let ours = |number| Place::Ours { name: name(number) };
        (state.owner_auth, state.endorsement_auth, state.lockout_auth) =
            (AuthState::Set, AuthState::Set, AuthState::Set);
        (state.storage_root_key, state.attestation_key) = (ours(1), ours(2));
        (state.log_index, state.log_counter) = (ours(3), ours(4));
        (state.clear_disabled, state.protection) = (true, Protection::OURS);
        let mut known = Known {
            delivered: HierarchyName::ALL.into(),
            identity: Some(identity()),
            reported: true,
            ..Known::default()
        };
        assert_eq!(steps(&state, &known, &wishes()), Ok(Vec::new()));
        // A run that was killed before its report has only that left.
        known.reported = false;
        assert_eq!(steps(&state, &known, &wishes()), Ok(vec![Step::Report]));
        // What drifted is put right only with the auth value that it takes, which is replaced.
        known.reported = true;
        state.log_index = Place::Absent;
        let obstacles = steps(&state, &known, &wishes()).unwrap_err();
        assert_eq!(
            obstacles,
            [
                Obstacle::UnknownAuth {
                    hierarchy: HierarchyName::Endorsement,
                    delivered: true
                },
                Obstacle::UnknownAuth {
                    hierarchy: HierarchyName::Owner,
                    delivered: true
                }
            ]
        );
        known.auths = [HierarchyName::Owner, HierarchyName::Endorsement].into();
        let steps = steps(&state, &known, &wishes()).unwrap();
        assert_eq!(
            kinds(&steps),
            [
                "empty the endorsement",
                "empty the owner",
                "define the log",
                "prove the attestation",
                "draw the endorsement",
                "draw the owner",
                "check everything and"
            ]
        );
    }

    fn identity() -> TpmIdentity {
        TpmIdentity::from_yaml(&format!(
            "version: 1\nstorage-root-key: {}\nendorsement-key: {{template: P-256, spki-sha256: aa}}\n\
             attestation-key: {{handle: '0x81010020', name: {}, public-key: aa, proved: 2026-11-23T10:00:00Z}}\n\
             log-index: {{index: '0x01800020', name: {}}}\nlog-counter: {{index: '0x01800021', name: {}, risen-to: 2}}\n",
            name(1),
            name(2),
            name(3),
            name(4)
        ))
        .unwrap()
    }

    /// Whatever step a run is killed behind: the next run plans the rest of it, and nothing else.
    #[test]
    fn what_is_left_is_what_was_planned() {
        let known = Known::default();
        let plan = Plan {
            version: 1,
            tpm: "tpm".to_owned(),
            made: "2026-11-23T10:00:00Z".parse().unwrap(),
            before: fresh(),
            steps: steps(&fresh(), &known, &wishes()).unwrap(),
        };
        let (mut state, mut known) = (fresh(), known);
        known.interrupted = true;
        for done in 0..plan.steps.len() {
            let left = steps(&state, &known, &wishes()).unwrap();
            assert_eq!(left, plan.steps[done..], "behind step {done}");
            plan.check(&state, &left).unwrap();
            apply(&plan.steps[done], &mut state, &mut known);
        }
        // Somebody else's object, or another firmware, is not in the plan.
        let mut other = state.clone();
        other.persistent.push(Kept {
            handle: "0x81000002".to_owned(),
            name: name(9),
            what: "a signing key".to_owned(),
        });
        assert!(
            plan.check(&other, &[])
                .unwrap_err()
                .to_string()
                .contains("0x81000002 is new")
        );
        let mut other = fresh();
        other.firmware = "15.23.0.0".to_owned();
        assert!(plan.check(&other, &plan.steps).is_err());
        assert!(plan.check(&fresh(), &[Step::LiftLockout]).is_err());
    }

    fn apply(step: &Step, state: &mut TpmState, known: &mut Known) {
        let ours = |number| Place::Ours { name: name(number) };
        match step {
            Step::MakeStorageRootKey { .. } => state.storage_root_key = ours(1),
            Step::MakeAttestationKey { .. } => state.attestation_key = ours(2),
            Step::DefineLogIndex { .. } => state.log_index = ours(3),
            Step::DefineLogCounter { .. } => state.log_counter = ours(4),
            Step::Identify { .. } => known.identity = Some(identity()),
            Step::SetProtection(protection) => state.protection = *protection,
            Step::DisableClear => state.clear_disabled = true,
            Step::SetAuth { hierarchy, .. } => {
                known.delivered.insert(*hierarchy);
                match hierarchy {
                    HierarchyName::Owner => state.owner_auth = AuthState::Set,
                    HierarchyName::Endorsement => state.endorsement_auth = AuthState::Set,
                    HierarchyName::Lockout => state.lockout_auth = AuthState::Set,
                }
            }
            Step::Report => known.reported = true,
            other => panic!("not in the plan of a fresh TPM: {other}"),
        }
    }

    #[test]
    fn what_is_foreign_stays_until_it_is_named() {
        let mut state = fresh();
        state.storage_root_key = Place::Foreign { name: name(7) };
        let kept = Kept {
            handle: "0x81000001".to_owned(),
            name: name(7),
            what: "a storage key".to_owned(),
        };
        state.persistent.push(kept.clone());
        let known = Known::default();
        let mut wishes = wishes();
        assert!(matches!(
            steps(&state, &known, &wishes).unwrap_err()[..],
            [Obstacle::Foreign { .. }]
        ));
        wishes.remove.insert("0x81000001".to_owned());
        let planned = steps(&state, &known, &wishes).unwrap();
        assert_eq!(planned[0], Step::Remove(kept));
        assert_eq!(planned[0].consent().unwrap().1, "07070707");
        wishes.remove = ["0x81000009".to_owned()].into();
        assert!(
            steps(&state, &known, &wishes)
                .unwrap_err()
                .contains(&Obstacle::NothingToRemove {
                    place: "0x81000009".to_owned()
                })
        );
    }

    #[test]
    fn another_tpm_and_an_owned_one() {
        let known = Known {
            identity: Some(identity()),
            reported: true,
            ..Known::default()
        };
        let mut wishes = wishes();
        assert!(matches!(
            steps(&fresh(), &known, &wishes).unwrap_err()[..],
            [Obstacle::AnotherTpm { .. }]
        ));
        wishes.start = Start::AnotherTpm;
        assert!(matches!(
            steps(&fresh(), &known, &wishes).unwrap()[0],
            Step::SetAside { .. }
        ));
        let mut owned = fresh();
        owned.lockout_auth = AuthState::Set;
        wishes.start = Start::Cleared;
        assert!(matches!(
            steps(&owned, &Known::default(), &wishes).unwrap_err()[0],
            Obstacle::UnknownAuth { .. }
        ));
        let known = Known {
            auths: [HierarchyName::Lockout].into(),
            ..Known::default()
        };
        let planned = steps(&owned, &known, &wishes).unwrap();
        assert_eq!(planned[0].consent().unwrap().1, "clear");
        // What the clear emptied needs no emptying.
        assert!(!planned.iter().any(|step| matches!(step, Step::EmptyAuth { .. })));
        owned.clear_disabled = true;
        assert_eq!(
            steps(&owned, &known, &wishes).unwrap_err()[0],
            Obstacle::ClearDisabled
        );
    }

    #[test]
    fn nobody_to_give_it_to() {
        let mut wishes = wishes();
        wishes.custodians.clear();
        let obstacles = steps(&fresh(), &Known::default(), &wishes).unwrap_err();
        assert_eq!(obstacles.len(), 3);
        wishes.setup.owner_auth = "tpm:0x81020010".parse().unwrap();
        wishes.setup.endorsement_auth = "tpm:0x81020011".parse().unwrap();
        wishes.setup.lockout_auth = "tpm:0x81020012".parse().unwrap();
        assert!(steps(&fresh(), &Known::default(), &wishes).is_ok());
    }
}
