//! A list and the DNSKEY records of its keys, together.

use std::collections::HashMap;

use key_metadata::KeyState;

use super::list::{ListedKey, ListedState, Listing};
use crate::error::ReadError;
use crate::key::{ForeignKey, PrivatePart};
use crate::quote::Quote;
use crate::records::{Dnskey, Index, check_size};
use crate::report::{Import, Losses, Reason};
use crate::states::{RecordState, RecordStates};
use crate::times::Times;

/// The keys of a list, each with the record of the same zone, algorithm and tag. Records that no key of the list has are passed over.
///
/// OpenDNSSEC prints no time at which anything happened. A CSK whose two halves are in different states is taken for published, the state
/// that promises least of a key in the zone.
pub fn import(listing: Listing, records: &[Dnskey]) -> Result<Import, ReadError> {
    let mut losses = Losses::of(&listing.file);
    losses.lost = listing.lost;
    let mut import = Import::default();
    let records = Index::of(records);
    let states: HashMap<_, _> = listing
        .records
        .iter()
        .map(|told| ((&told.zone, told.role, told.id.as_slice()), told.records))
        .collect();
    for key in listing.keys {
        let record = records.find(&key.zone, key.algorithm, key.role, key.tag)?;
        check_size(&listing.file, key.size, record)?;
        let states = states
            .get(&(&key.zone, key.role, key.id.as_slice()))
            .map_or_else(RecordStates::default, |states| *states);
        losses.add(
            None,
            &format!("next transition of key {}", key.tag),
            Quote::of(&key.next),
            Reason::NoPlace,
        )?;
        let state = match state(&key, &states) {
            Ok(state) => state,
            Err(state) => {
                losses.add(
                    None,
                    &format!("state of key {}", key.tag),
                    Quote::of(&key.state.to_string()),
                    Reason::NoPlace,
                )?;
                state
            }
        };
        import.keys.push(ForeignKey {
            zone: key.zone,
            role: key.role,
            public_key: record.public_key.clone(),
            revocation: record.revocation,
            ttl: record.ttl,
            times: Times::default(),
            state: Some(state),
            records: states,
            lifetime: None,
            predecessor: None,
            successor: None,
            private: PrivatePart::Keystore {
                id: key.id,
                repository: Some(key.repository),
            },
            source: listing.file.clone(),
        });
    }
    import.lost = losses.lost;
    Ok(import)
}

/// Our word for the state; the error is what a word that we have none for comes nearest to.
fn state(key: &ListedKey, records: &RecordStates) -> Result<KeyState, KeyState> {
    match key.state {
        ListedState::Generate => Ok(KeyState::Generated),
        ListedState::Publish => Ok(KeyState::Published),
        ListedState::Ready => Ok(KeyState::Ready),
        ListedState::Active => Ok(KeyState::Active),
        ListedState::Retire => Ok(KeyState::Retired),
        ListedState::Mixed | ListedState::Unknown => Err(match records.dnskey.state {
            Some(RecordState::Hidden) => KeyState::Generated,
            Some(RecordState::Rumoured | RecordState::Omnipresent | RecordState::Unretentive) | None => {
                KeyState::Published
            }
        }),
    }
}
