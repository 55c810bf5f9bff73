//! What the state file says.

use std::path::Path;

use key_metadata::{KeyAlgorithm, Time, ZoneName};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use super::LARGEST_STATE;
use crate::error::{FieldError, Place, ReadError};
use crate::files::within;
use crate::json::{self, Entries, Shape};
use crate::quote::Quote;
use crate::report::{Losses, Lost};
use crate::times::from_epoch;

/// The keys of a zone as dnst keeps them.
#[derive(Clone, Debug, PartialEq)]
pub struct KeySet {
    /// The zone.
    pub zone: ZoneName,
    /// The keys, by the URI of the public part.
    pub keys: Vec<(String, Key)>,
    /// The rollovers under way.
    pub rolls: Vec<(RollType, RollState)>,
    /// The DNSKEY RRset with its signatures, a record each, where the file has it.
    pub dnskey_rrset: Vec<String>,
    /// What stands around it.
    pub wrapping: Wrapping,
}

/// What a file has around the key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapping {
    /// Nothing: the key set by itself, as the library `domain` writes it.
    KeySet,
    /// The state file of `dnst keyset`, with the RRsets that it makes.
    State,
}

/// A key.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// The URI of the private part: `file:` or `kmip:`.
    pub private: Option<String>,
    /// Set where dnst does not delete the files of the key with it.
    pub decoupled: bool,
    /// What it is for, and its flags.
    pub kind: Kind,
    /// Its algorithm.
    pub algorithm: KeyAlgorithm,
    /// Its tag.
    pub tag: u16,
    /// Its times.
    pub stamps: Stamps,
}

/// What a key is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A KSK.
    Ksk(Flags),
    /// A ZSK.
    Zsk(Flags),
    /// A CSK, as KSK and as ZSK.
    Csk(Flags, Flags),
    /// A public key of another signer.
    Include(Flags),
}

/// Where a key is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flags {
    /// A rollover can bring it in.
    pub available: bool,
    /// It is on its way out.
    pub old: bool,
    /// It signs.
    pub signer: bool,
    /// Its DNSKEY is in the zone.
    pub present: bool,
    /// Its DS is to be at the parent.
    pub at_parent: bool,
}

/// The times of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stamps {
    /// When it was made.
    pub creation: Option<Stamp>,
    /// When its DNSKEY came into the zone.
    pub published: Option<Stamp>,
    /// When its DNSKEY was on every server.
    pub visible: Option<Stamp>,
    /// When its DS was on every server of the parent.
    pub ds_visible: Option<Stamp>,
    /// When its signatures were on every server.
    pub rrsig_visible: Option<Stamp>,
    /// When its DNSKEY left the zone.
    pub withdrawn: Option<Stamp>,
}

/// Time since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Whole seconds.
    pub secs: u64,
    /// Billionths of a second besides.
    pub nanos: u32,
}

/// The kinds of rollover, in dnst's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the format's")]
pub enum RollType {
    KskRoll,
    KskDoubleDsRoll,
    ZskRoll,
    ZskDoubleSignatureRoll,
    CskRoll,
    AlgorithmRoll,
}

/// How far a rollover is; with the TTL that is waited for, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the format's")]
pub enum RollState {
    Propagation1,
    CacheExpire1(u32),
    Propagation2,
    CacheExpire2(u32),
    Done,
}

#[derive(Deserialize)]
struct SetDocument {
    name: String,
    keys: Entries<KeyDocument>,
    rollstates: Entries<RollState>,
}

#[derive(Serialize, Deserialize)]
struct KeyDocument {
    privref: Option<String>,
    #[serde(default)]
    decoupled: bool,
    keytype: Kind,
    algorithm: Word,
    key_tag: u16,
    timestamps: Stamps,
}

/// An algorithm's number; its mnemonic is taken, too.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Word {
    Number(u8),
    Text(String),
}

#[derive(Deserialize)]
struct StateDocument {
    keyset: SetDocument,
    #[serde(default)]
    dnskey_rrset: Vec<String>,
}

const FLAGS: Shape = Shape::Object(&[
    ("available", Shape::Read),
    ("old", Shape::Read),
    ("signer", Shape::Read),
    ("present", Shape::Read),
    ("at_parent", Shape::Read),
]);
const STAMP: Shape = Shape::Object(&[("secs", Shape::Read), ("nanos", Shape::Read)]);
const SET: Shape = Shape::Object(&[
    ("name", Shape::Read),
    (
        "keys",
        Shape::Map(&Shape::Object(&[
            ("privref", Shape::Read),
            ("decoupled", Shape::Read),
            ("algorithm", Shape::Read),
            ("key_tag", Shape::Read),
            (
                "keytype",
                Shape::Object(&[
                    ("Ksk", FLAGS),
                    ("Zsk", FLAGS),
                    ("Include", FLAGS),
                    ("Csk", Shape::List(&FLAGS)),
                ]),
            ),
            (
                "timestamps",
                Shape::Object(&[
                    ("creation", STAMP),
                    ("published", STAMP),
                    ("visible", STAMP),
                    ("ds_visible", STAMP),
                    ("rrsig_visible", STAMP),
                    ("withdrawn", STAMP),
                ]),
            ),
        ])),
    ),
    ("rollstates", Shape::Read),
]);
const STATE: Shape = Shape::Object(&[
    ("keyset", SET),
    ("dnskey_rrset", Shape::Read),
    ("ds_rrset", Shape::Unused),
    ("cds_rrset", Shape::Unused),
    ("ns_rrset", Shape::Unused),
    ("apex_remove", Shape::Unused),
    ("apex_extra", Shape::Unused),
    ("cron_next", Shape::Unused),
    ("kmip", Shape::Unused),
    ("internal", Shape::Unused),
]);

impl KeySet {
    /// Reads the text of a state file, or of a key set by itself.
    pub fn parse(file: &Path, text: &str) -> Result<(Self, Vec<Lost>), ReadError> {
        within(file, text, LARGEST_STATE)?;
        let mut losses = Losses::of(file);
        let is_state = matches!(
            serde_json::from_str(text),
            Ok(serde_json::Value::Object(object)) if object.contains_key("keyset")
        );
        let (set, dnskey_rrset, wrapping) = if is_state {
            let state: StateDocument = json::read(file, text, LARGEST_STATE, &STATE, &mut losses)?;
            (state.keyset, state.dnskey_rrset, Wrapping::State)
        } else {
            let set = json::read(file, text, LARGEST_STATE, &SET, &mut losses)?;
            (set, Vec::new(), Wrapping::KeySet)
        };
        let at = |field: String, source| ReadError::Field {
            place: Place::at(file, None, field),
            source,
        };
        let zone = set.name.parse();
        let name = || FieldError::Word(Quote::of(&set.name), "the names that a zone can have");
        let mut keys = Vec::new();
        for (index, (public, key)) in set.keys.0.into_iter().enumerate() {
            if has_credential(&public) || key.privref.as_deref().is_some_and(has_credential) {
                return Err(at(format!("keys[{index}]"), FieldError::Credential));
            }
            let tag = key.key_tag;
            let key = key
                .read()
                .map_err(|(field, source)| at(format!("keys[{index}], tag {tag}, {field}"), source))?;
            keys.push((public, key));
        }
        let mut rolls = Vec::new();
        for (name, state) in set.rollstates.0 {
            let roll = RollType::deserialize(
                serde::de::value::StrDeserializer::<serde::de::value::Error>::new(&name),
            );
            let roll = roll.map_err(|_| {
                at(
                    "rollstates".to_owned(),
                    FieldError::Word(Quote::of(&name), "dnst's kinds of rollover"),
                )
            })?;
            rolls.push((roll, state));
        }
        let set = Self {
            zone: zone.map_err(|_| at("name".to_owned(), name()))?,
            keys,
            rolls,
            dnskey_rrset,
            wrapping,
        };
        Ok((set, losses.lost))
    }

    /// The file, on one line.
    pub fn render(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// Whether a URI has a user name or a password (RFC 3986 3.2.1).
pub(super) fn has_credential(uri: &str) -> bool {
    let authority = uri.split_once("://").map_or("", |(_, rest)| rest);
    let end = authority.find(['/', '?', '#']).map_or(authority.len(), |end| end);
    authority[..end].contains('@')
}

impl KeyDocument {
    fn read(self) -> Result<Key, (&'static str, FieldError)> {
        let word = match &self.algorithm {
            Word::Number(number) => number.to_string(),
            Word::Text(text) => text.clone(),
        };
        let algorithm = crate::records::algorithm_of(&word).map_err(|source| ("algorithm", source))?;
        let stamps = &self.timestamps;
        let all = [
            ("creation", stamps.creation),
            ("published", stamps.published),
            ("visible", stamps.visible),
            ("ds_visible", stamps.ds_visible),
            ("rrsig_visible", stamps.rrsig_visible),
            ("withdrawn", stamps.withdrawn),
        ];
        for (field, stamp) in all {
            if stamp.is_some_and(|stamp| stamp.time().is_none()) {
                return Err((
                    field,
                    FieldError::Form(
                        "seconds up to the end of the year 9999, and less than a billion nanoseconds",
                    ),
                ));
            }
        }
        Ok(Key {
            private: self.privref,
            decoupled: self.decoupled,
            kind: self.keytype,
            algorithm,
            tag: self.key_tag,
            stamps: self.timestamps,
        })
    }
}

impl Stamp {
    /// The second; `None` where it is none.
    pub fn time(self) -> Option<Time> {
        let seconds = i64::try_from(self.secs)
            .ok()
            .filter(|_| self.nanos < 1_000_000_000);
        seconds.and_then(from_epoch)
    }
}

impl Serialize for KeySet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Set<'a>(&'a KeySet);
        struct Keys<'a>(&'a [(String, Key)]);
        struct Rolls<'a>(&'a [(RollType, RollState)]);

        impl Serialize for Set<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(Some(3))?;
                map.serialize_entry("name", &self.0.zone)?;
                map.serialize_entry("keys", &Keys(&self.0.keys))?;
                map.serialize_entry("rollstates", &Rolls(&self.0.rolls))?;
                map.end()
            }
        }

        impl Serialize for Keys<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().map(|(public, key)| {
                    let document = KeyDocument {
                        privref: key.private.clone(),
                        decoupled: key.decoupled,
                        keytype: key.kind.clone(),
                        algorithm: Word::Number(key.algorithm.number()),
                        key_tag: key.tag,
                        timestamps: key.stamps,
                    };
                    (public, document)
                }))
            }
        }

        impl Serialize for Rolls<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().copied())
            }
        }

        match self.wrapping {
            Wrapping::KeySet => Set(self).serialize(serializer),
            Wrapping::State => {
                let nothing: [&str; 0] = [];
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("keyset", &Set(self))?;
                map.serialize_entry("dnskey_rrset", &self.dnskey_rrset)?;
                for rrset in ["ds_rrset", "cds_rrset", "ns_rrset", "apex_remove", "apex_extra"] {
                    map.serialize_entry(rrset, &nothing)?;
                }
                map.serialize_entry("cron_next", &None::<Stamp>)?;
                map.serialize_entry("internal", &serde_json::Map::new())?;
                map.end()
            }
        }
    }
}
