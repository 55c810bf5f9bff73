//! OpenDNSSEC: what `ods-enforcer key list` tells (measured with OpenDNSSEC 2.1.12).
//!
//! It prints no time at which anything happened, and of what is to come only texts in local time. So there is no history and no plan in it: the
//! schedule is of what caches can hold from `now` on. `--debug` tells it for each record; a key without such a line is taken by its state.
//!
//! | state | the record |
//! |---|---|
//! | omnipresent | was there all along |
//! | rumoured | came this moment, so that any cache can lack it; signatures of the zone take Dsgn, a DS takes Dreg |
//! | unretentive | went this moment, in the same way |
//! | hidden | is not there |
//!
//! What comes and what goes of one kind of record does so in one change, as the enforcer makes it.

use std::collections::HashMap;

use interchange::opendnssec::{ListedKey, ListedState, Listing};
use interchange::{RecordChange, RecordState, RecordStates};
use key_metadata::{Role, Span, Time, ZoneName};

use super::draft::{Draft, Part, Window};
use super::{Circumstances, HistoryError, Reading};
use crate::schedule::AlgorithmNumber;

/// The schedule of a zone's keys in a list, as of `now`, when the list was made.
pub fn schedule(
    zone: &ZoneName,
    listing: &Listing,
    around: &Circumstances,
    now: Time,
) -> Result<Reading, HistoryError> {
    let told: HashMap<_, _> = listing
        .records
        .iter()
        .filter(|told| told.zone == *zone)
        .map(|told| ((told.role, told.id.as_slice()), told.records))
        .collect();
    let before = Window::at(now.before(Span::from_seconds(1)));
    let mut draft = Draft::default();
    for key in listing.keys.iter().filter(|key| key.zone == *zone) {
        let index = draft.key(key.role, key.tag, AlgorithmNumber(key.algorithm.number()));
        let records = told.get(&(key.role, key.id.as_slice())).copied();
        if records.is_none() {
            let label = draft.label(index).to_owned();
            draft.assume(format!(
                "how far caches know the records of {label} is not told: it is taken from its state, {}; 'key list --debug' tells it",
                key.state
            ));
        }
        let records = records.map_or_else(|| by_state(key), |records| records);
        for (part, change, until) in [
            (Part::Dnskey, records.dnskey, Span::from_seconds(0)),
            (Part::DnskeyRrsig, records.key_signatures, Span::from_seconds(0)),
            (Part::ZoneRrsig, records.zone_signatures, around.dsgn),
            (Part::Ds, records.ds, around.registration_delay),
        ] {
            let changes = Window::at(now).within(until);
            match change.state {
                None | Some(RecordState::Hidden) => {}
                Some(RecordState::Omnipresent) => draft.comes(index, part, before),
                Some(RecordState::Rumoured) => draft.comes(index, part, changes),
                Some(RecordState::Unretentive) => {
                    draft.comes(index, part, before);
                    draft.goes(index, part, changes);
                }
            }
        }
    }
    draft.finish_at(zone, around, before.from)
}

/// What is sure of a key of which only the state is told.
fn by_state(key: &ListedKey) -> RecordStates {
    use RecordState::{Hidden, Omnipresent, Rumoured, Unretentive};
    let of = |states: [RecordState; 4]| {
        let [dnskey, key_signatures, zone_signatures, ds] = states;
        let change = |is_its: bool, state| RecordChange {
            state: is_its.then_some(state),
            since: None,
        };
        RecordStates {
            goal: None,
            dnskey: change(true, dnskey),
            key_signatures: change(key.role.signs_dnskey(), key_signatures),
            zone_signatures: change(key.role.signs_zone(), zone_signatures),
            ds: change(key.role.signs_dnskey(), ds),
        }
    };
    of(match key.state {
        ListedState::Generate => [Hidden, Hidden, Hidden, Hidden],
        ListedState::Publish => [Rumoured, Rumoured, Hidden, Hidden],
        ListedState::Ready => [Omnipresent, Omnipresent, Hidden, Rumoured],
        ListedState::Active => [Omnipresent, Omnipresent, Omnipresent, Omnipresent],
        ListedState::Retire => [Omnipresent, Omnipresent, Unretentive, Unretentive],
        ListedState::Mixed | ListedState::Unknown => match key.role {
            Role::Ksk | Role::Csk => [Omnipresent, Omnipresent, Rumoured, Rumoured],
            Role::Zsk => [Rumoured, Rumoured, Rumoured, Hidden],
        },
    })
}
