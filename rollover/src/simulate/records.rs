//! A zone's records as the tools would leave them: an operator does what the commands of a plan say, and the signer what the records say.

use std::collections::{BTreeMap, BTreeSet};

use key_metadata::{
    Action, Algorithm, Backup, Change, Extractability, KeyId, KeyRecord, KeyReference, KeyState, KeyTimes,
    Policy, PublicKey, Role, Step, Time, ZoneKeys, ZoneName,
};

use super::authority::{Key, RrsetName};
use super::chance::Chance;
use super::servers::Records;
use crate::plan::{Plan, PlannedStep};
use crate::schedule::{AlgorithmNumber, KeyIndex};

const TOOL: &str = "keyrite-rollover simulate";
const OPERATOR: &str = "simulated";

/// A zone's records, and the place of each key in the simulated world.
#[derive(Debug)]
pub struct ZoneRecords {
    /// The records.
    pub keys: ZoneKeys,
    places: BTreeMap<KeyId, KeyIndex>,
}

/// Why a command of a plan was not obeyed.
#[derive(Debug, thiserror::Error)]
pub enum ObeyError {
    /// No command that is known.
    #[error("the plan says '{0}', which is no step of a key")]
    Command(String),
    /// It names no key that is there.
    #[error("the plan says '{0}', and there is no such key")]
    NoKey(String),
    /// The key could not be made.
    #[error("no key is made of '{0}'")]
    Key(String),
}

impl ZoneRecords {
    /// The records of a zone as they are.
    pub fn new(keys: ZoneKeys) -> Self {
        let places = keys.keys().iter().enumerate();
        let places = places.map(|(place, key)| (key.id, KeyIndex(place))).collect();
        Self { keys, places }
    }

    /// Each key as the world knows it, in the order of their places.
    pub fn known(&self) -> Vec<Key> {
        self.keys.keys().iter().map(known).collect()
    }

    /// The place of a key in the world.
    pub fn place(&self, id: KeyId) -> Option<KeyIndex> {
        self.places.get(&id).copied()
    }

    /// The keys that are active and fit.
    pub fn active(&self, fits: impl Fn(&KeyRecord) -> bool) -> BTreeSet<KeyId> {
        let keys = self.keys.keys().iter();
        let active = keys.filter(|key| key.state == KeyState::Active && fits(key));
        active.map(|key| key.id).collect()
    }

    /// The record of a key of a plan, by its label.
    pub fn labelled(&self, label: &str) -> Option<KeyId> {
        let keys = self.keys.keys().iter();
        let mut labelled = keys.filter(|key| known(key).label == label);
        labelled.next().map(|key| key.id)
    }

    /// Does what the command of a step says.
    pub fn obey(
        &mut self,
        (plan, step): (&Plan, &PlannedStep),
        now: Time,
        chance: &mut Chance,
    ) -> Result<Vec<Key>, ObeyError> {
        let mut made = Vec::new();
        let Some(command) = &step.command else {
            return Ok(made);
        };
        let unknown = || ObeyError::Command(command.clone());
        if command.starts_with("keyrite-keyctl generate ") {
            let key = step.keys.first().and_then(|key| plan.schedule.keys.get(key.0));
            let key = key.ok_or_else(unknown)?;
            made.push(self.generate((key.role, key.algorithm), now, chance)?);
            return Ok(made);
        }
        for (step, tag) in steps_of(command).ok_or_else(unknown)? {
            let of_tag = |key: &&KeyRecord| key.key_tag() == tag && key.state != KeyState::Destroyed;
            let key = self.keys.keys().iter().find(of_tag);
            let mut key = key.ok_or_else(|| ObeyError::NoKey(command.clone()))?.clone();
            key.take(step, now);
            self.keys
                .replace(key, Change::new(now, step.action(), TOOL, OPERATOR));
        }
        Ok(made)
    }

    fn generate(
        &mut self,
        (role, algorithm): (Role, AlgorithmNumber),
        now: Time,
        chance: &mut Chance,
    ) -> Result<Key, ObeyError> {
        let failed = || ObeyError::Key(format!("a {role} of {algorithm}"));
        loop {
            let record = random_key((role, algorithm), now, chance).ok_or_else(failed)?;
            // As the tool does: a tag that another key has, or may have, is not taken.
            if self.keys.check_tags(&record, &[]).is_err() {
                continue;
            }
            let key = known(&record);
            self.places.insert(record.id, KeyIndex(self.places.len()));
            self.keys
                .add(record, Change::new(now, Action::Generate, TOOL, OPERATOR));
            return Ok(key);
        }
    }

    /// What an RRset has by the records.
    pub fn wanted(&self, name: RrsetName) -> Records {
        let those = |fits: &dyn Fn(&KeyRecord) -> bool| -> BTreeSet<KeyIndex> {
            let keys = self.keys.keys().iter().filter(|key| fits(key));
            keys.filter_map(|key| self.place(key.id)).collect()
        };
        match name {
            RrsetName::Ds => Records {
                keys: those(&KeyRecord::wants_ds),
                ..Records::default()
            },
            RrsetName::Dnskey => Records {
                keys: those(&|key| key.state.in_zone()),
                revoked: those(&|key| key.state == KeyState::Revoked),
                signers: those(&KeyRecord::signs_dnskey),
            },
            RrsetName::Data(_) => Records {
                signers: those(&KeyRecord::signs_zone),
                ..Records::default()
            },
        }
    }
}

fn known(record: &KeyRecord) -> Key {
    Key {
        label: format!("{} {}", record.role, record.key_tag()),
        role: record.role,
        algorithm: AlgorithmNumber(record.algorithm().number()),
    }
}

/// The steps that a command of `keyrite-keyctl` takes, and the tags of their keys: `VERB --zone ZONE --key TAG`, or
/// `together --zone ZONE VERB:TAG...`.
fn steps_of(command: &str) -> Option<Vec<(Step, u16)>> {
    let mut words = command.split(' ');
    let ("keyrite-keyctl", verb, "--zone", _) = (words.next()?, words.next()?, words.next()?, words.next()?)
    else {
        return None;
    };
    let step_of = |verb: &str| Step::ALL.into_iter().find(|step| step.to_string() == verb);
    let steps = |word: &str| {
        let (verb, tag) = word.split_once(':')?;
        Some((step_of(verb)?, tag.parse().ok()?))
    };
    match verb {
        "together" => words.map(steps).collect(),
        _ => match (words.next()?, words.next()?.parse().ok()?) {
            ("--key", tag) => Some(vec![(step_of(verb)?, tag)]),
            (_, _) => None,
        },
    }
}

/// A key that nobody has: random bytes where a public key would be.
fn random_key(
    (role, algorithm): (Role, AlgorithmNumber),
    now: Time,
    chance: &mut Chance,
) -> Option<KeyRecord> {
    let algorithm = Algorithm::from_number(algorithm.0).ok()?;
    let mut bytes = [0; 256];
    for part in bytes.chunks_mut(8) {
        part.copy_from_slice(&chance.number().to_be_bytes());
    }
    bytes[0] |= 0x80;
    let mut id = [0; 16];
    id.copy_from_slice(&bytes[240..]);
    let curve = |length| PublicKey::from_dnskey(algorithm, &bytes[..length]);
    let public_key = match algorithm {
        Algorithm::RsaSha256 | Algorithm::RsaSha512 => PublicKey::rsa(algorithm, &bytes, &[1, 0, 1]),
        Algorithm::EcdsaP256Sha256 => curve(64),
        Algorithm::EcdsaP384Sha384 => curve(96),
        Algorithm::Ed25519 => curve(32),
    };
    Some(KeyRecord {
        id: KeyId::from_random(id),
        role,
        public_key: public_key.ok()?,
        reference: "tpm2:simulated".parse::<KeyReference>().ok()?,
        state: KeyState::Generated,
        times: KeyTimes::generated(now),
        backup: Backup::none(Extractability::Never),
    })
}

/// A zone whose keys were taken over from elsewhere, one of each role that a policy has.
pub fn taken_over(zone: &ZoneName, policy: &Policy, since: Time, seed: u64) -> Option<ZoneKeys> {
    let mut chance = Chance::of_seed(seed);
    let mut keys = ZoneKeys::new(zone.clone());
    let roles: &[Role] = match policy.key(Role::Csk) {
        Some(_) => &[Role::Csk],
        None => &[Role::Ksk, Role::Zsk],
    };
    for role in roles {
        let number = policy.key(*role)?.algorithm.number();
        let mut key = random_key((*role, AlgorithmNumber(number)), since, &mut chance)?;
        key.times.published = Some(since);
        key.times.active = Some(since);
        key.state = KeyState::Active;
        keys.add(key, Change::new(since, Action::Import, TOOL, OPERATOR));
    }
    Some(keys)
}
