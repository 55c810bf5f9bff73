//! dnst: the state of `dnst keyset`, with what it was told that somebody saw.
//!
//! | what | comes | goes |
//! |---|---|---|
//! | DNSKEY | published | withdrawn |
//! | RRSIG of the DNSKEY RRset, by a KSK or CSK | published | withdrawn |
//! | RRSIG of the zone, by a ZSK or CSK | from visible, which dnst waits for, to rrsig_visible | with the successor's |
//! | DS | from visible to ds_visible, or in a double-DS rollover before published | with the successor's |
//!
//! dnst does not keep when it told the signer or the parent to change, nor the TTL that it was told to wait for (it takes 0): hence the windows. A
//! key that signs or has its DS at the parent, with no time for it, does so within Dsgn or Dreg from now, if a rollover brings it in; else it has
//! done so from when it was visible.

use interchange::dnst::{Flags, Key, KeySet, Kind, RollType, Stamp};
use key_metadata::{Role, Time};

use super::draft::{Draft, Part, Window};
use super::{Circumstances, HistoryError, Reading};
use crate::schedule::{AlgorithmNumber, KeyIndex};

/// The schedule of a key set, as of `now`.
pub fn schedule(set: &KeySet, around: &Circumstances, now: Time) -> Result<Reading, HistoryError> {
    let mut draft = Draft::default();
    let keys: Vec<Told> = set
        .keys
        .iter()
        .map(|(_, key)| Told::of(key, set, around, now))
        .collect();
    for (place, key) in keys.iter().enumerate() {
        let index = draft.key(key.role, key.tag, key.algorithm);
        key.put(&mut draft, index, &keys[place + 1..], &keys[..place]);
    }
    draft.finish(&set.zone, around)
}

/// Whether a key is in use, as a KSK or as a ZSK.
#[derive(Clone, Copy)]
enum Use {
    /// It is not.
    None,
    /// It was, before any rollover that is under way.
    Old,
    /// A rollover brings it in.
    New,
}

/// A key, and what its stamps and flags come to.
struct Told {
    role: Role,
    tag: u16,
    algorithm: AlgorithmNumber,
    dnskey: Option<Window>,
    withdrawn: Option<Window>,
    ds: Option<Window>,
    signs: Option<Window>,
    /// As a KSK and as a ZSK: whether its successor takes over, or has.
    old: [bool; 2],
}

impl Told {
    fn of(key: &Key, set: &KeySet, around: &Circumstances, now: Time) -> Self {
        let unused = Flags::default();
        let (role, ksk, zsk) = match key.kind {
            Kind::Ksk(flags) => (Role::Ksk, flags, unused),
            Kind::Zsk(flags) => (Role::Zsk, unused, flags),
            Kind::Csk(ksk, zsk) => (Role::Csk, ksk, zsk),
            // A key of another signer: it is published, and nothing else is known of it.
            Kind::Include(_) => (Role::Zsk, unused, unused),
        };
        let time = |stamp: Option<Stamp>| stamp.and_then(Stamp::time);
        let stamps = &key.stamps;
        let (published, visible) = (time(stamps.published), time(stamps.visible));
        let begun = visible.or(published).or(time(stamps.creation));
        let came = |used, seen: Option<Time>, wait| match (seen, used) {
            (Some(seen), _) => {
                let from = begun.filter(|begun| *begun <= seen).or(time(stamps.creation));
                Some(Window::between(from.map_or(seen, |from| from.min(seen)), seen))
            }
            (None, Use::Old) => Some(Window::at(begun.map_or(now, |begun| begun))),
            (None, Use::New) => Some(Window::between(begun.map_or(now, |begun| begun), now.after(wait))),
            (None, Use::None) => None,
        };
        let rolls = |does: fn(RollType) -> bool| set.rolls.iter().any(|(roll, _)| does(*roll));
        let at_parent = match (ksk.at_parent, ksk.old || !rolls(of_ksks)) {
            (true, true) => Use::Old,
            (true, false) => Use::New,
            (false, _) => Use::None,
        };
        let signer = match (zsk.signer, zsk.old || !rolls(of_zsks)) {
            (true, true) => Use::Old,
            (true, false) => Use::New,
            (false, _) => Use::None,
        };
        Self {
            role,
            tag: key.tag,
            algorithm: AlgorithmNumber(key.algorithm.number()),
            dnskey: published.map(Window::at),
            withdrawn: time(stamps.withdrawn).map(Window::at),
            ds: came(at_parent, time(stamps.ds_visible), around.registration_delay)
                .filter(|_| role.signs_dnskey()),
            signs: came(signer, time(stamps.rrsig_visible), around.dsgn).filter(|_| role.signs_zone()),
            old: [ksk.old && !ksk.at_parent, zsk.old && !zsk.signer],
        }
    }

    /// Puts it into the draft; `others` are all other keys.
    fn put(&self, draft: &mut Draft, key: KeyIndex, after: &[Self], before: &[Self]) {
        let others = || {
            after
                .iter()
                .chain(before)
                .filter(|other| other.algorithm == self.algorithm)
        };
        let next = |own: Window, of: fn(&Self) -> Option<Window>| {
            let next = others().filter_map(of).filter(|next| *next > own).min();
            next.or(self.withdrawn)
        };
        let [no_ds, no_signer] = self.old;
        let parts = [
            (Part::Dnskey, self.dnskey, self.withdrawn),
            (
                Part::DnskeyRrsig,
                self.dnskey.filter(|_| self.role.signs_dnskey()),
                self.withdrawn,
            ),
            (
                Part::Ds,
                self.ds,
                self.ds
                    .filter(|_| no_ds)
                    .and_then(|own| next(own, |other| other.ds)),
            ),
            (
                Part::ZoneRrsig,
                self.signs,
                self.signs
                    .filter(|_| no_signer)
                    .and_then(|own| next(own, |other| other.signs)),
            ),
        ];
        for (part, begins, ends) in parts {
            if let Some(begins) = begins {
                draft.comes(key, part, begins);
                if let Some(ends) = ends {
                    draft.goes(key, part, ends);
                }
            }
        }
    }
}

const fn of_ksks(roll: RollType) -> bool {
    match roll {
        RollType::KskRoll | RollType::KskDoubleDsRoll | RollType::CskRoll | RollType::AlgorithmRoll => true,
        RollType::ZskRoll | RollType::ZskDoubleSignatureRoll => false,
    }
}

const fn of_zsks(roll: RollType) -> bool {
    match roll {
        RollType::ZskRoll
        | RollType::ZskDoubleSignatureRoll
        | RollType::CskRoll
        | RollType::AlgorithmRoll => true,
        RollType::KskRoll | RollType::KskDoubleDsRoll => false,
    }
}
