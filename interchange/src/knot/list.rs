//! `keymgr -j ZONE list`, of Knot 3.2 to 3.4.

use std::path::{Path, PathBuf};

use key_metadata::{KeyAlgorithm, Role, Time, ZoneName};
use serde::{Deserialize, Serialize};

use super::LARGEST_LIST;
use crate::error::{FieldError, Place, ReadError};
use crate::json::{self, Shape};
use crate::quote::Quote;
use crate::report::{Losses, Lost, Reason};
use crate::times::{Event, Times, from_epoch};

/// A key as `keymgr` lists it: all but its public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedKey {
    /// The zone.
    pub zone: ZoneName,
    /// Its id: the CKA_ID in a token, or the name of a PEM file. 1 to 64 bytes.
    pub id: Vec<u8>,
    /// What it is for.
    pub role: Role,
    /// Its tag.
    pub tag: u16,
    /// Its algorithm.
    pub algorithm: KeyAlgorithm,
    /// Its size in bits.
    pub size: u16,
    /// Where its private part is.
    pub custody: Custody,
    /// Its times. Only Knot 3.4 tells when it was made.
    pub times: Times,
}

/// What Knot says of the private part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Custody {
    /// In the keystore.
    Keystore,
    /// Knot never had it.
    PublicOnly,
    /// It should be in the keystore, and is not.
    Missing,
}

/// What a list has.
#[derive(Debug)]
pub struct Listing {
    /// The keys.
    pub keys: Vec<ListedKey>,
    /// What is not in them.
    pub lost: Vec<Lost>,
    /// The file that it was read from.
    pub file: PathBuf,
}

/// The names of the times, in the order of the list.
const TIMES: [(&str, Event); 10] = [
    ("created", Event::Generated),
    ("pre-active", Event::PreActive),
    ("publish", Event::Published),
    ("ready", Event::Ready),
    ("active", Event::Active),
    ("retire-active", Event::RetireActive),
    ("retire", Event::Retired),
    ("post-active", Event::PostActive),
    ("revoke", Event::Revoked),
    ("remove", Event::Removed),
];

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Entry {
    zone: String,
    id: String,
    ksk: bool,
    zsk: bool,
    tag: u16,
    algorithm: u8,
    size: u16,
    public_only: bool,
    #[serde(default)]
    missing: bool,
    created: Option<Moment>,
    pre_active: Option<Moment>,
    publish: Option<Moment>,
    ready: Option<Moment>,
    active: Option<Moment>,
    retire_active: Option<Moment>,
    retire: Option<Moment>,
    post_active: Option<Moment>,
    revoke: Option<Moment>,
    remove: Option<Moment>,
}

/// Seconds since 1970, or with `list iso` a text.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Moment {
    Seconds(i64),
    Text(String),
}

const SHAPE: Shape = Shape::List(&Shape::Object(&[
    ("zone", Shape::Read),
    ("id", Shape::Read),
    ("ksk", Shape::Read),
    ("zsk", Shape::Read),
    ("tag", Shape::Read),
    ("algorithm", Shape::Read),
    ("size", Shape::Read),
    ("public-only", Shape::Read),
    ("missing", Shape::Read),
    ("created", Shape::Read),
    ("pre-active", Shape::Read),
    ("publish", Shape::Read),
    ("ready", Shape::Read),
    ("active", Shape::Read),
    ("retire-active", Shape::Read),
    ("retire", Shape::Read),
    ("post-active", Shape::Read),
    ("revoke", Shape::Read),
    ("remove", Shape::Read),
]));

impl Listing {
    /// Reads the output of `keymgr -j ZONE list`, with or without `iso`.
    pub fn parse(file: &Path, text: &str) -> Result<Self, ReadError> {
        let mut losses = Losses::of(file);
        let entries: Vec<Entry> = json::read(file, text, LARGEST_LIST, &SHAPE, &mut losses)?;
        let mut keys = Vec::new();
        for (index, entry) in entries.into_iter().enumerate() {
            keys.push(key(file, index, entry, &mut losses)?);
        }
        Ok(Self {
            keys,
            lost: losses.lost,
            file: file.to_owned(),
        })
    }
}

fn key(file: &Path, index: usize, entry: Entry, losses: &mut Losses) -> Result<ListedKey, ReadError> {
    let at = |field: &str, source: FieldError| ReadError::Field {
        place: Place::at(file, None, format!("[{index}].{field}")),
        source,
    };
    let times = [
        entry.created,
        entry.pre_active,
        entry.publish,
        entry.ready,
        entry.active,
        entry.retire_active,
        entry.retire,
        entry.post_active,
        entry.revoke,
        entry.remove,
    ];
    let mut known = Times::default();
    for ((name, event), moment) in TIMES.iter().zip(times) {
        if let Some(time) = moment
            .map(time)
            .transpose()
            .map_err(|source| at(name, source))?
            .flatten()
        {
            known.set(*event, time);
        }
    }
    let role = match (entry.ksk, entry.zsk) {
        (true, true) => Role::Csk,
        (true, false) => Role::Ksk,
        (false, true) => Role::Zsk,
        (false, false) => return Err(at("ksk", FieldError::Form("a key that is a KSK, a ZSK or both"))),
    };
    let custody = match (entry.public_only, entry.missing) {
        (false, false) => Custody::Keystore,
        (false, true) => Custody::Missing,
        (true, false) => Custody::PublicOnly,
        (true, true) => {
            losses.add(
                None,
                &format!("[{index}].missing"),
                Quote::of("true"),
                Reason::NoPlace,
            )?;
            Custody::PublicOnly
        }
    };
    let zone = entry.zone.parse();
    Ok(ListedKey {
        zone: zone.map_err(|_| {
            at(
                "zone",
                FieldError::Word(Quote::of(&entry.zone), "the names that a zone can have"),
            )
        })?,
        id: id(&entry.id).map_err(|source| at("id", source))?,
        role,
        tag: entry.tag,
        algorithm: entry
            .algorithm
            .to_string()
            .parse()
            .map_err(|error: key_metadata::algorithm::AlgorithmError| at("algorithm", error.into()))?,
        size: entry.size,
        custody,
        times: known,
    })
}

/// 1 to 64 bytes in hex.
pub(crate) fn id(text: &str) -> Result<Vec<u8>, FieldError> {
    let bytes = hex::decode(text)
        .ok()
        .filter(|bytes| (1..=64).contains(&bytes.len()));
    bytes.ok_or_else(|| FieldError::Hex(Quote::of(text)))
}

/// Zero is no time.
fn time(moment: Moment) -> Result<Option<Time>, FieldError> {
    const FORM: &str = "seconds since 1970, or of `list iso`";
    let refused = |text: &str| FieldError::Time(Quote::of(text), FORM);
    let seconds = match &moment {
        Moment::Seconds(seconds) => *seconds,
        Moment::Text(text) => {
            let time: Time = text.parse().map_err(|_| refused(text))?;
            time.unix_seconds()
        }
    };
    if seconds == 0 {
        return Ok(None);
    }
    from_epoch(seconds).map(Some).ok_or_else(|| match &moment {
        Moment::Seconds(seconds) => refused(&seconds.to_string()),
        Moment::Text(text) => refused(text),
    })
}

/// The list as Knot 3.4 prints it.
pub fn render(keys: &[ListedKey]) -> Result<String, serde_json::Error> {
    let entry = |key: &ListedKey| {
        let time = |event| {
            Some(Moment::Seconds(
                key.times.get(event).map_or(0, Time::unix_seconds),
            ))
        };
        Entry {
            zone: key.zone.with_final_dot(),
            id: hex::encode(&key.id),
            ksk: key.role.signs_dnskey(),
            zsk: key.role.signs_zone(),
            tag: key.tag,
            algorithm: key.algorithm.number(),
            size: key.size,
            public_only: key.custody == Custody::PublicOnly,
            missing: key.custody == Custody::Missing,
            created: time(Event::Generated),
            pre_active: time(Event::PreActive),
            publish: time(Event::Published),
            ready: time(Event::Ready),
            active: time(Event::Active),
            retire_active: time(Event::RetireActive),
            retire: time(Event::Retired),
            post_active: time(Event::PostActive),
            revoke: time(Event::Revoked),
            remove: time(Event::Removed),
        }
    };
    serde_json::to_string_pretty(&keys.iter().map(entry).collect::<Vec<_>>())
}
