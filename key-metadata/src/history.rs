//! What was done to the keys of a zone: a list that only grows, in which every entry vouches for those before it.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::gate::Rule;
use crate::key_id::KeyId;
use crate::key_record::KeyRecord;
use crate::time::Time;
use crate::zone_name::ZoneName;

/// A change of a key's record, by whom and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Time,
    /// What.
    pub action: Action,
    /// The tool and its version.
    pub tool: String,
    /// Who ran it, as far as the tool could know.
    pub operator: String,
    /// Why, where a reason was given.
    pub reason: Option<String>,
    /// The rules that said no and were overridden, for that reason.
    pub overrides: Vec<Rule>,
    /// The id of the ceremony in which it was done.
    pub ceremony: Option<String>,
}

/// What can be done to a key's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The pair was made in its token.
    Generate,
    /// It was taken over from another tool.
    Import,
    /// It was found in its token after the run that made it was interrupted.
    Adopt,
    /// It signs the zone, in which its DNSKEY is not.
    PreActivate,
    /// Its DNSKEY goes into the zone.
    Publish,
    /// Its DNSKEY and its signatures go into the zone.
    Introduce,
    /// Its DS was given to the parent.
    Submit,
    /// Its DS was seen at every server of the parent.
    Register,
    /// It signs.
    Activate,
    /// Its DS is to leave the parent, and it signs on.
    RetireActive,
    /// Its DS is to leave the parent, and the zone is to have none.
    GoInsecure,
    /// It signs no more.
    Retire,
    /// Its DS was seen gone from every server of the parent.
    Deregister,
    /// Its DNSKEY leaves the zone, and its signatures or its DS stay.
    Withdraw,
    /// It is published with the REVOKE bit (RFC 5011).
    Revoke,
    /// Its DNSKEY leaves the zone.
    Remove,
    /// Its private part was destroyed in its token.
    Destroy,
    /// It was put into a backup bundle, or a bundle that holds it passed a drill.
    BackUp,
    /// Its record had been changed by other means, and somebody answers for what it says.
    Accept,
}

/// An entry of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HistoryEntry {
    /// When.
    pub at: Time,
    /// Of which key.
    pub key: KeyId,
    /// What.
    pub action: Action,
    /// The tool and its version.
    pub tool: String,
    /// Who ran it, as far as the tool could know.
    pub operator: String,
    /// Why, where a reason was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The rules that said no and were overridden, for that reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Rule>,
    /// The id of the ceremony in which it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceremony: Option<String>,
    /// SHA-256 of the key's record as it was left: of its entry in the file as JSON with sorted names and no blanks (RFC 8785).
    pub record: Digest,
    /// SHA-256 of this entry, as such JSON, without this field, and with `zone` and, but for the first, `previous`: the entry before.
    pub digest: Digest,
}

/// Why a file is not what its history says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// An entry was changed, or one before it was changed, added or taken out.
    #[error("history: entry {number} ({action} of {key} at {at}) does not follow from what stands before it")]
    Broken {
        /// Its place, from 1.
        number: usize,
        /// What it says.
        action: Action,
        /// Of which key.
        key: KeyId,
        /// When.
        at: Time,
    },
    /// A record is not as the history left it.
    #[error("key {key} is not as its last change ({action} at {at} by {operator}) left it")]
    Changed {
        /// The key.
        key: KeyId,
        /// Its last change.
        action: Action,
        /// When.
        at: Time,
        /// Who.
        operator: String,
    },
    /// A key that the history does not know.
    #[error("key {0} is in no entry of the history")]
    Unknown(KeyId),
    /// A key that the history knows and the file has not.
    #[error("key {0} is in the history and not among the keys")]
    Missing(KeyId),
}

impl Change {
    /// A change for which no reason is given.
    pub fn new(at: Time, action: Action, tool: &str, operator: impl Into<String>) -> Self {
        Self {
            at,
            action,
            tool: tool.to_owned(),
            operator: operator.into(),
            reason: None,
            overrides: Vec::new(),
            ceremony: None,
        }
    }
}

/// Of the JSON of a value: sorted names, no blanks (RFC 8785, as far as it goes for texts and whole numbers).
fn digest_of(value: &serde_json::Value) -> Digest {
    Digest::of(value.to_string().as_bytes())
}

/// Of a key's record.
fn digest_of_record(key: &KeyRecord) -> Digest {
    // What is written to a file can be written to a value.
    digest_of(&serde_json::to_value(key).map_or(serde_json::Value::Null, |value| value))
}

impl HistoryEntry {
    /// The entry about `key` as it is now, after `previous`.
    pub(crate) fn new(zone: &ZoneName, key: &KeyRecord, change: Change, previous: Option<&Self>) -> Self {
        let mut entry = Self {
            at: change.at,
            key: key.id,
            action: change.action,
            tool: change.tool,
            operator: change.operator,
            reason: change.reason,
            overrides: change.overrides,
            ceremony: change.ceremony,
            record: digest_of_record(key),
            digest: Digest::ZERO,
        };
        entry.digest = entry.expected(zone, previous.map(|previous| previous.digest));
        entry
    }

    /// The digest that this entry must have after that one.
    fn expected(&self, zone: &ZoneName, previous: Option<Digest>) -> Digest {
        let mut value = serde_json::to_value(self).map_or(serde_json::Value::Null, |value| value);
        if let Some(fields) = value.as_object_mut() {
            fields.remove("digest");
            fields.insert("zone".to_owned(), zone.to_string().into());
            if let Some(previous) = previous {
                fields.insert("previous".to_owned(), previous.to_string().into());
            }
        }
        digest_of(&value)
    }
}

/// All that contradicts the history; nothing, where the file is as Keyrite left it.
pub(crate) fn contradictions(
    zone: &ZoneName,
    keys: &[KeyRecord],
    history: &[HistoryEntry],
) -> Vec<HistoryError> {
    let mut errors = Vec::new();
    let mut previous = None;
    let mut last: BTreeMap<KeyId, &HistoryEntry> = BTreeMap::new();
    for (index, entry) in history.iter().enumerate() {
        if entry.expected(zone, previous) != entry.digest {
            errors.push(HistoryError::Broken {
                number: index + 1,
                action: entry.action,
                key: entry.key,
                at: entry.at,
            });
            // One break is told once: what follows is held against what stands there.
        }
        previous = Some(entry.digest);
        last.insert(entry.key, entry);
    }
    for key in keys {
        match last.remove(&key.id) {
            None => errors.push(HistoryError::Unknown(key.id)),
            Some(entry) if entry.record != digest_of_record(key) => errors.push(HistoryError::Changed {
                key: key.id,
                action: entry.action,
                at: entry.at,
                operator: entry.operator.clone(),
            }),
            Some(_) => {}
        }
    }
    errors.extend(last.into_keys().map(HistoryError::Missing));
    errors
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Generate => "generate",
            Self::Import => "import",
            Self::Adopt => "adopt",
            Self::PreActivate => "pre-activate",
            Self::Publish => "publish",
            Self::Introduce => "introduce",
            Self::Submit => "submit",
            Self::Register => "register",
            Self::Activate => "activate",
            Self::RetireActive => "retire-active",
            Self::GoInsecure => "go-insecure",
            Self::Retire => "retire",
            Self::Deregister => "deregister",
            Self::Withdraw => "withdraw",
            Self::Revoke => "revoke",
            Self::Remove => "remove",
            Self::Destroy => "destroy",
            Self::BackUp => "back-up",
            Self::Accept => "accept",
        })
    }
}
