//! `keys/<zone>.yaml`: the keys of one zone.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::key_id::KeyId;
use crate::key_record::{Document, KeyRecord};
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
        }
    }

    /// Reads the text of the file of `zone`.
    pub fn from_yaml(text: &str, zone: &ZoneName) -> Result<Self, ZoneKeysError> {
        let keys: Self = yaml::parse(text)?;
        if keys.zone != *zone {
            return Err(ZoneKeysError::OtherZone {
                expected: zone.clone(),
                found: keys.zone,
            });
        }
        let mut seen = BTreeSet::new();
        match keys.keys.iter().find(|key| !seen.insert(key.id)) {
            Some(twice) => Err(ZoneKeysError::SameId(twice.id)),
            None => Ok(keys),
        }
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
        for old in &self.keys {
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

    /// Adds a new key.
    pub fn add(&mut self, key: KeyRecord) {
        self.keys.push(key);
    }
}
