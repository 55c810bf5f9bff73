//! DNSKEY RRsets that come signed, by a KSK that is kept apart: with the CDS and CDNSKEY RRsets beside them, and the RRSIG records of all three.
//!
//! A file is in zone file format. One that has several for times one after another, as Knot DNS's keymgr writes a signed key response, has a line that
//! begins with `;; SignedKeyResponse` before each.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use domain::base::iana::Rtype;
use domain::rdata::Dnskey;
use key_metadata::{Advice, KeyRecord, Time, ZoneName};
use zone::{ReadError, Records, Rrsig};

use crate::expiration::near;
use crate::signing_key::dnskey_rdata;

/// How the line begins that is before each of several.
const SEPARATOR: &str = ";; SignedKeyResponse";
/// No file has more octets: years of them have less.
const MOST_OCTETS: u64 = 16 << 20;

/// A signed DNSKEY RRset, and what comes with it.
#[derive(Debug)]
pub struct SignedKeys {
    pub(crate) records: Records,
    file: PathBuf,
    line: u32,
    /// When all its signatures are valid.
    pub inception: Time,
    /// Until when they are.
    pub expiration: Time,
}

/// Why there is no signed DNSKEY RRset for a zone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignedKeysError {
    /// A file or folder.
    #[error("cannot read {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file that is too long.
    #[error("{} has more than {MOST_OCTETS} octets", path.display())]
    TooLong {
        /// Which.
        path: PathBuf,
    },
    /// No zone file.
    #[error(transparent)]
    Syntax(#[from] ReadError),
    /// A record that is not of a signed DNSKEY RRset, or none that is.
    #[error("{}:{line}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u32,
        /// What is wrong.
        reason: String,
    },
    /// There is none.
    #[error("the KSK of {zone} is kept apart, and {} has no DNSKEY RRset that it signed", folder.display())]
    None {
        /// The zone.
        zone: ZoneName,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// None for now.
    #[error("no signed DNSKEY RRset of {zone} is valid at {now}: they are from {first} to {last}")]
    NotNow {
        /// The zone.
        zone: ZoneName,
        /// When it is.
        now: Time,
        /// When the first one begins.
        first: Time,
        /// When the last one ends.
        last: Time,
    },
    /// None with the keys that the zone has now.
    #[error("{}:{line}: this DNSKEY RRset {difference}, by the key file of {zone}", path.display())]
    OtherKeys {
        /// The zone.
        zone: ZoneName,
        /// The file.
        path: PathBuf,
        /// The line.
        line: u32,
        /// What is too much and too little.
        difference: String,
    },
}

impl Advice for SignedKeysError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Syntax(error) => error.hint(),
            Self::None { folder, .. } => Some(format!(
                "put what the KSK's ceremony signed into {}",
                folder.display()
            )),
            Self::NotNow { .. } => {
                Some("have the next ones signed; until then the last signed zone stays".to_owned())
            }
            Self::OtherKeys { .. } => Some(
                "take the steps of keys when what is signed has them, or have it signed with the keys that there are"
                    .to_owned(),
            ),
            Self::Io { .. } | Self::TooLong { .. } | Self::Content { .. } => None,
        }
    }

    fn is_credential(&self) -> bool {
        false
    }
}

impl SignedKeys {
    /// The one of the files of a folder that is valid now and has the keys that the zone has: of several the one that began last.
    pub fn choose(
        folder: &Path,
        zone: &ZoneName,
        keys: &[KeyRecord],
        now: Time,
    ) -> Result<Self, SignedKeysError> {
        let mut all = Vec::new();
        for path in files(folder)? {
            all.append(&mut Self::read(&path, zone, now)?);
        }
        let times = |time: fn(&Self) -> Time| all.iter().map(time);
        let first = times(|one| one.inception).min();
        let Some((first, last)) = first.zip(times(|one| one.expiration).max()) else {
            return Err(SignedKeysError::None {
                zone: zone.clone(),
                folder: folder.to_owned(),
            });
        };
        all.retain(|one| one.inception <= now && now < one.expiration);
        all.sort_by_key(|one| one.inception);
        let published = keys.iter().filter(|key| key.state.in_zone());
        let expected: BTreeSet<Vec<u8>> = published.map(dnskey_rdata).collect();
        let Some(latest) = all.last() else {
            return Err(SignedKeysError::NotNow {
                zone: zone.clone(),
                now,
                first,
                last,
            });
        };
        let other_keys = SignedKeysError::OtherKeys {
            zone: zone.clone(),
            path: latest.file.clone(),
            line: latest.line,
            difference: difference(&latest.keys(), &expected),
        };
        let fitting = all.into_iter().rfind(|one| one.keys() == expected);
        fitting.ok_or(other_keys)
    }

    /// All of a file. `now` tells which 136 years its dates are of (RFC 4034 3.1.5).
    fn read(path: &Path, zone: &ZoneName, now: Time) -> Result<Vec<Self>, SignedKeysError> {
        let failed = |source| SignedKeysError::Io {
            path: path.to_owned(),
            source,
        };
        if fs::metadata(path).map_err(failed)?.len() > MOST_OCTETS {
            return Err(SignedKeysError::TooLong {
                path: path.to_owned(),
            });
        }
        let text = fs::read(path).map_err(failed)?;
        let mut parts: Vec<(usize, Vec<u8>)> = vec![(0, Vec::new())];
        for (line, octets) in text.split_inclusive(|octet| *octet == b'\n').enumerate() {
            if octets.starts_with(SEPARATOR.as_bytes()) {
                parts.push((line, Vec::new()));
            }
            if let Some((_, part)) = parts.last_mut() {
                part.extend_from_slice(octets);
            }
        }
        let several = parts.len() > 1;
        // What is before the first line of several is none.
        let parts = parts.into_iter().skip(usize::from(several));
        let read = parts.map(|(line, part)| Self::of(&part, path, line, (zone, now)));
        read.filter_map(Result::transpose).collect()
    }

    /// What is between two such lines; behind the last one nothing is.
    fn of(
        text: &[u8],
        path: &Path,
        line: usize,
        (zone, now): (&ZoneName, Time),
    ) -> Result<Option<Self>, SignedKeysError> {
        // So many lines are before it.
        let records = Records::parse(&[&b"\n".repeat(line), text].concat(), path, zone)?;
        if records.is_empty() {
            return Ok(None);
        }
        let first = u32::try_from(line + 1).map_or(1, |line| line);
        let content = |line: Option<u32>, reason: String| SignedKeysError::Content {
            path: path.to_owned(),
            line: line.map_or(first, |line| line),
            reason,
        };
        let (mut inception, mut expiration) = (None, None);
        let mut covered = BTreeSet::new();
        for record in records.iter() {
            if record.owner() != records.apex() {
                return Err(content(
                    record.line(),
                    format!("{} is not the zone {zone}", record.owner()),
                ));
            }
            match record.rtype() {
                Rtype::DNSKEY | Rtype::CDS | Rtype::CDNSKEY => {}
                Rtype::RRSIG => {
                    let rrsig = Rrsig::new(record.rdata())
                        .ok_or_else(|| content(record.line(), "the RRSIG is cut short".to_owned()))?;
                    covered.insert(rrsig.covered().to_int());
                    let [begins, ends] = [rrsig.inception(), rrsig.expiration()].map(|time| near(time, now));
                    inception = inception.max(Some(begins));
                    expiration = Some(expiration.map_or(ends, |before: Time| before.min(ends)));
                }
                other => {
                    let reason = format!(
                        "a signed DNSKEY RRset comes with CDS, CDNSKEY and RRSIG records, not {other}"
                    );
                    return Err(content(record.line(), reason));
                }
            }
        }
        for set in records
            .sets(&records.apex_node())
            .filter(|set| set.rtype() != Rtype::RRSIG)
        {
            if !covered.contains(&set.rtype().to_int()) {
                let reason = format!("the {} records have no RRSIG", set.rtype());
                return Err(content(set.first().line(), reason));
            }
        }
        let has_keys = covered.contains(&Rtype::DNSKEY.to_int());
        let (Some(inception), Some(expiration), true) = (inception, expiration, has_keys) else {
            return Err(content(None, "there is no signed DNSKEY RRset".to_owned()));
        };
        Ok(Some(Self {
            line: first,
            file: path.to_owned(),
            records,
            inception,
            expiration,
        }))
    }

    /// RDATA of the DNSKEY records.
    fn keys(&self) -> BTreeSet<Vec<u8>> {
        let keys = self
            .records
            .iter()
            .filter(|record| record.rtype() == Rtype::DNSKEY);
        keys.map(|record| record.rdata().to_vec()).collect()
    }
}

/// The files of a folder by name, without those that begin with a dot; none, where there is no folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>, SignedKeysError> {
    let failed = |source| SignedKeysError::Io {
        path: folder.to_owned(),
        source,
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !is_hidden && entry.path().is_file() {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// In words, by key tags.
fn difference(found: &BTreeSet<Vec<u8>>, expected: &BTreeSet<Vec<u8>>) -> String {
    let tags = |keys: Vec<&Vec<u8>>| {
        let tags: Vec<_> = keys.iter().filter_map(|rdata| tag(rdata)).collect();
        tags.join(", ")
    };
    let lacks: Vec<_> = expected.difference(found).collect();
    let surplus: Vec<_> = found.difference(expected).collect();
    match (lacks.is_empty(), surplus.is_empty()) {
        (false, true) => format!("lacks key {}", tags(lacks)),
        (true, _) => format!("has key {} too many", tags(surplus)),
        (false, false) => format!("lacks key {} and has {} too many", tags(lacks), tags(surplus)),
    }
}

fn tag(rdata: &[u8]) -> Option<String> {
    let [high, low, protocol, algorithm, key @ ..] = rdata else {
        return None;
    };
    let flags = u16::from_be_bytes([*high, *low]);
    let dnskey = Dnskey::new(flags, *protocol, (*algorithm).into(), key).ok()?;
    Some(dnskey.key_tag().to_string())
}
