//! `keys/<zone>.yaml`: the keys of one zone.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::history::{Change, HistoryEntry, HistoryError, contradictions};
use crate::key_id::KeyId;
use crate::key_record::{Document, KeyRecord};
use crate::pending::Pending;
use crate::site::TokenName;
use crate::version::Version1;
use crate::yaml::{self, YamlError};
use crate::zone_name::ZoneName;

/// The keys of one zone, in the order in which they were made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ZoneKeys {
    version: Version1,
    zone: ZoneName,
    #[schemars(with = "Vec<Document>")]
    keys: Vec<KeyRecord>,
    /// What was begun in a token and is not among the keys yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pending: Vec<Pending>,
    /// Everything that was done to the keys, oldest first.
    #[serde(default)]
    history: Vec<HistoryEntry>,
}

/// Why a text does not hold the keys of a zone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ZoneKeysError {
    /// Not the YAML that it must be.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// The keys of another zone.
    #[error("zone: these are the keys of {found}, not of {expected}")]
    OtherZone {
        /// The zone that the file is named for.
        expected: ZoneName,
        /// The zone that it names.
        found: ZoneName,
    },
    /// One id for two keys.
    #[error("keys: {0} is there twice")]
    SameId(KeyId),
    /// The keys are not what the history says.
    #[error(transparent)]
    History(#[from] HistoryError),
}

/// A key that cannot be added, because another key of the zone has one of its tags.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("key tag {tag} is taken: {by}")]
pub struct TagClash {
    /// The tag.
    pub tag: u16,
    /// What has it.
    pub by: String,
}

impl ZoneKeys {
    /// A zone without keys.
    pub const fn new(zone: ZoneName) -> Self {
        Self {
            version: Version1,
            zone,
            keys: Vec::new(),
            pending: Vec::new(),
            history: Vec::new(),
        }
    }

    /// Reads the text of the file of `zone`, whose keys must be as the history left them.
    pub fn from_yaml(text: &str, zone: &ZoneName) -> Result<Self, ZoneKeysError> {
        let (keys, contradictions) = Self::from_yaml_with_contradictions(text, zone)?;
        match contradictions.into_iter().next() {
            Some(first) => Err(first.into()),
            None => Ok(keys),
        }
    }

    /// Reads the text of the file of `zone`, and tells what in it the history does not account for.
    pub fn from_yaml_with_contradictions(
        text: &str,
        zone: &ZoneName,
    ) -> Result<(Self, Vec<HistoryError>), ZoneKeysError> {
        let keys: Self = yaml::parse(text)?;
        if keys.zone != *zone {
            return Err(ZoneKeysError::OtherZone {
                expected: zone.clone(),
                found: keys.zone,
            });
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = keys.keys.iter().find(|key| !seen.insert(key.id)) {
            return Err(ZoneKeysError::SameId(twice.id));
        }
        let contradictions = contradictions(zone, &keys.keys, &keys.history);
        Ok((keys, contradictions))
    }

    /// The zone.
    pub const fn zone(&self) -> &ZoneName {
        &self.zone
    }

    /// The keys.
    pub fn keys(&self) -> &[KeyRecord] {
        &self.keys
    }

    /// Whether a new key's tags are free: neither its tag nor its revoked tag is the tag or revoked tag of a key that is or can come into
    /// the zone, nor one of `foreign`.
    pub fn check_tags(&self, new: &KeyRecord, foreign: &[u16]) -> Result<(), TagClash> {
        let tags = [new.key_tag(), new.revoked_key_tag()];
        for old in self.keys.iter().filter(|old| old.id != new.id) {
            if let Some(&tag) = tags
                .iter()
                .find(|tag| [old.key_tag(), old.revoked_key_tag()].contains(tag))
            {
                let by = format!("{} {} of zone {} has it", old.role, old.id, self.zone);
                return Err(TagClash { tag, by });
            }
        }
        match tags.into_iter().find(|tag| foreign.contains(tag)) {
            Some(tag) => Err(TagClash {
                tag,
                by: "it is among the zone's foreign-key-tags".to_owned(),
            }),
            None => Ok(()),
        }
    }

    /// The key of that id.
    pub fn key(&self, id: KeyId) -> Option<&KeyRecord> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// Whether the zone was signed, and is signed no more: all its keys are out of it.
    pub fn is_signed_no_more(&self) -> bool {
        let is_there = |key: &KeyRecord| key.state.in_zone() || key.signs_zone();
        self.keys.iter().any(|key| key.times.active.is_some()) && !self.keys.iter().any(is_there)
    }

    /// Adds a new key, as `change` made it.
    pub fn add(&mut self, key: KeyRecord, change: Change) {
        self.enter(&key, change);
        self.keys.push(key);
    }

    /// Puts `key` in the place of the record of its id, as `change` left it. A key that is not there stays so.
    pub fn replace(&mut self, key: KeyRecord, change: Change) {
        if let Some(place) = self.keys.iter().position(|old| old.id == key.id) {
            self.enter(&key, change);
            self.keys[place] = key;
        }
    }

    fn enter(&mut self, key: &KeyRecord, change: Change) {
        let entry = HistoryEntry::new(&self.zone, key, change, self.history.last());
        self.history.push(entry);
    }

    /// What was done to the keys, oldest first.
    pub fn history(&self) -> &[HistoryEntry] {
        &self.history
    }

    /// The digest of the last entry of the history, which vouches for all of it; `None` where nothing was done yet.
    pub fn head(&self) -> Option<Digest> {
        self.history.last().map(|entry| entry.digest)
    }

    /// What was begun in a token and not brought to its end.
    pub fn pending(&self) -> &[Pending] {
        &self.pending
    }

    /// Notes what is about to be begun in a token.
    pub fn begin(&mut self, pending: Pending) {
        self.pending.push(pending);
    }

    /// Takes out what was begun for that key in that token: it is at its end. What was begun for it in another token stays, such as a restore.
    pub fn settle(&mut self, id: KeyId, token: &TokenName) {
        self.pending
            .retain(|pending| pending.id != id || pending.token != *token);
    }
}
