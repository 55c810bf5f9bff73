//! From what a TPM is to what it shall be.
//!
//! Everything that takes an auth value is done while that is empty, and the new auth values are set last. So a run that is killed
//! anywhere is completed by the next from what the TPM shows, and no auth value has to be known for it (docs/decisions/0003).

use std::collections::{BTreeMap, BTreeSet};

use key_metadata::{AuthDelivery, Recipient, TpmHandle, TpmIdentity, TpmSetup};
use tpm::{Anchor, Holds};

use crate::obstacle::Obstacle;
use crate::state::{AuthState, Kept, Place, Protection, TpmState};
use crate::step::{Delivery, HierarchyName, Step};

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

#[cfg(test)]
#[path = "tests/plan.rs"]
mod tests;
