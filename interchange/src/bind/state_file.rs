//! `K*.state`: what `dnssec-policy` keeps of a key.

use std::fmt;
use std::path::Path;

use key_metadata::{KeyAlgorithm, Role, Time, ZoneName};

use super::LARGEST_KEY_FILE;
use super::key_file::readable;
use super::metadata::{STATE_ORDER, TIMES, UNUSED, is_one_of};
use crate::error::{FieldError, ReadError};
use crate::fields::{Field, Secrecy, fields, missing};
use crate::files::within;
use crate::records::algorithm_of;
use crate::report::{Losses, Lost, Reason};
use crate::states::{RecordState, RecordStates};
use crate::times::Times;

/// A `.state` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateFile {
    /// Zone and key tag of the comment that heads the file, where there is one.
    pub title: Option<(ZoneName, u16)>,
    /// The algorithm.
    pub algorithm: KeyAlgorithm,
    /// The size in bits.
    pub length: u16,
    /// How long the key is to be in use, in seconds; 0 is for ever.
    pub lifetime: Option<u32>,
    /// The tag of the key that it follows.
    pub predecessor: Option<u16>,
    /// The tag of the key that follows it.
    pub successor: Option<u16>,
    /// Whether it is a KSK, a ZSK or both; `dnssec-settime -s` writes files that do not say.
    pub role: Option<Role>,
    /// The times.
    pub times: Times,
    /// How far caches know its records.
    pub records: RecordStates,
}

/// The fields as they come, before it is clear that all are there.
#[derive(Default)]
struct Draft {
    title: Option<(ZoneName, u16)>,
    algorithm: Option<KeyAlgorithm>,
    length: Option<u16>,
    lifetime: Option<u32>,
    predecessor: Option<u16>,
    successor: Option<u16>,
    ksk: Option<Answer>,
    zsk: Option<Answer>,
    times: Times,
    records: RecordStates,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
}

impl StateFile {
    /// Reads the text of a `.state` file.
    pub fn parse(file: &Path, text: &str) -> Result<(Self, Vec<Lost>), ReadError> {
        within(file, text, LARGEST_KEY_FILE)?;
        let mut losses = Losses::of(file);
        let mut draft = Draft::default();
        for field in fields(file, text, Secrecy::Public) {
            draft.take(&field?, &mut losses)?;
        }
        let role = match (draft.ksk, draft.zsk) {
            (Some(Answer::Yes), Some(Answer::Yes)) => Some(Role::Csk),
            (Some(Answer::Yes), Some(Answer::No) | None) => Some(Role::Ksk),
            (Some(Answer::No) | None, Some(Answer::Yes)) => Some(Role::Zsk),
            (None, None) => None,
            (Some(Answer::No), Some(Answer::No) | None) | (None, Some(Answer::No)) => {
                return Err(missing(file, "'KSK: yes' or 'ZSK: yes'"));
            }
        };
        let state = Self {
            title: draft.title,
            algorithm: draft.algorithm.ok_or_else(|| missing(file, "Algorithm"))?,
            length: draft.length.ok_or_else(|| missing(file, "Length"))?,
            lifetime: draft.lifetime,
            predecessor: draft.predecessor,
            successor: draft.successor,
            role,
            times: draft.times,
            records: draft.records,
        };
        Ok((state, losses.lost))
    }
}

impl Draft {
    fn take(&mut self, field: &Field<'_>, losses: &mut Losses) -> Result<(), ReadError> {
        if field.name == ";" {
            return match title(field.value) {
                Some(title) => field.once(&mut self.title, title),
                None => losses.add(Some(field.line), "comment", field.quote(), Reason::Comment),
            };
        }
        // BIND's own readers take SyncPublish and SyncDelete here, too; it writes PublishCDS and DeleteCDS.
        let named = TIMES.iter().find(|name| {
            is_one_of(field.name, &[name.in_state])
                || field.name.starts_with("Sync") && is_one_of(field.name, &[name.in_private])
        });
        if let Some(name) = named {
            return match self.times.set(name.event, field.time()?) {
                None => Ok(()),
                Some(_) => Err(field.twice()),
            };
        }
        if let Some(since) = change(&mut self.records, field.name) {
            return field.once(since, field.time()?);
        }
        if let Some(state) = state(&mut self.records, field.name) {
            return field.once(
                state,
                field
                    .value
                    .parse()
                    .map_err(|error: FieldError| field.refused(error))?,
            );
        }
        let most = u64::from(u32::MAX);
        match field.name.to_ascii_lowercase().as_str() {
            "algorithm" => {
                let algorithm = algorithm_of(field.value).map_err(|error| field.refused(error))?;
                field.once(&mut self.algorithm, algorithm)
            }
            "length" => field.once(&mut self.length, field.number(65535)?),
            "lifetime" => field.once(&mut self.lifetime, field.number(most)?),
            "predecessor" => field.once(&mut self.predecessor, field.number(65535)?),
            "successor" => field.once(&mut self.successor, field.number(65535)?),
            "ksk" => field.once(&mut self.ksk, answer(field)?),
            "zsk" => field.once(&mut self.zsk, answer(field)?),
            name if is_one_of(name, &UNUSED) => {
                losses.add(Some(field.line), field.name, field.quote(), Reason::NoPlace)
            }
            _ => losses.add(Some(field.line), field.name, field.quote(), Reason::Unknown),
        }
    }
}

/// 'This is the state of key 45427, for example.net.'
fn title(comment: &str) -> Option<(ZoneName, u16)> {
    let (tag, zone) = comment
        .strip_prefix("This is the state of key ")?
        .split_once(", for ")?;
    Some((zone.trim().parse().ok()?, tag.parse().ok()?))
}

fn answer(field: &Field<'_>) -> Result<Answer, ReadError> {
    match field.value.to_ascii_lowercase().as_str() {
        "yes" | "true" | "1" => Ok(Answer::Yes),
        "no" | "false" | "0" => Ok(Answer::No),
        _ => Err(field.refused(FieldError::Word(field.quote(), "yes and no"))),
    }
}

/// In the order in which BIND writes them.
fn change<'a>(records: &'a mut RecordStates, name: &str) -> Option<&'a mut Option<Time>> {
    Some(match name.to_ascii_lowercase().as_str() {
        "dnskeychange" => &mut records.dnskey.since,
        "zrrsigchange" => &mut records.zone_signatures.since,
        "krrsigchange" => &mut records.key_signatures.since,
        "dschange" => &mut records.ds.since,
        _ => return None,
    })
}

fn state<'a>(records: &'a mut RecordStates, name: &str) -> Option<&'a mut Option<RecordState>> {
    Some(match name.to_ascii_lowercase().as_str() {
        "dnskeystate" => &mut records.dnskey.state,
        "zrrsigstate" => &mut records.zone_signatures.state,
        "krrsigstate" => &mut records.key_signatures.state,
        "dsstate" => &mut records.ds.state,
        "goalstate" => &mut records.goal,
        _ => return None,
    })
}

impl fmt::Display for StateFile {
    /// The file, as BIND writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((zone, tag)) = &self.title {
            writeln!(
                f,
                "; This is the state of key {tag}, for {}",
                zone.with_final_dot()
            )?;
        }
        writeln!(
            f,
            "Algorithm: {}\nLength: {}",
            self.algorithm.number(),
            self.length
        )?;
        let numbers = [
            ("Lifetime", self.lifetime),
            ("Predecessor", self.predecessor.map(u32::from)),
            ("Successor", self.successor.map(u32::from)),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                writeln!(f, "{name}: {number}")?;
            }
        }
        if let Some(role) = self.role {
            let word = |yes| if yes { "yes" } else { "no" };
            writeln!(
                f,
                "KSK: {}\nZSK: {}",
                word(role.signs_dnskey()),
                word(role.signs_zone())
            )?;
        }
        for event in STATE_ORDER {
            let name = TIMES
                .iter()
                .find(|name| name.event == event)
                .map(|name| name.in_state);
            if let (Some(name), Some(time)) = (name, self.times.get(event)) {
                writeln!(f, "{name}: {}", readable(time))?;
            }
        }
        let records = &self.records;
        let changes = [
            ("DNSKEY", records.dnskey),
            ("ZRRSIG", records.zone_signatures),
            ("KRRSIG", records.key_signatures),
            ("DS", records.ds),
        ];
        for (name, change) in changes {
            if let Some(since) = change.since {
                writeln!(f, "{name}Change: {}", readable(since))?;
            }
        }
        for (name, change) in changes {
            if let Some(state) = change.state {
                writeln!(f, "{name}State: {state}")?;
            }
        }
        match records.goal {
            Some(goal) => writeln!(f, "GoalState: {goal}"),
            None => Ok(()),
        }
    }
}
