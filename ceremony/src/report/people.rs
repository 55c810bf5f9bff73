//! Who was there, and when.

use key_metadata::Time;
use serde::Serialize;

use crate::log::{Body, Did, Entry};
use crate::script::Seat;

/// Somebody in a seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PersonSeen {
    /// The seat.
    pub seat: Seat,
    /// The name.
    pub name: String,
    /// The initials.
    pub initials: String,
    /// The principal in allowed_signers; null for one who does not sign.
    pub principal: Option<String>,
    /// When they were there.
    pub stays: Vec<Stay>,
}

/// A time that somebody was there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Stay {
    /// From when.
    pub from: Time,
    /// Until when; null where it was until the end.
    pub until: Option<Time>,
    /// The line of the sign-in.
    pub line: u64,
    /// The line of the leaving.
    pub left: Option<u64>,
}

/// The people of these entries, in the order in which they signed in. Another name in the same seat is another one.
pub fn people(entries: &[(u64, &Entry)]) -> Vec<PersonSeen> {
    let mut people: Vec<PersonSeen> = Vec::new();
    for &(line, entry) in entries {
        let Body::Step(done) = &entry.body else { continue };
        if let Did::Attend { people: came } = &done.did {
            for person in came {
                leave(&mut people, &person.seat, entry.t, line);
                let stay = Stay {
                    from: entry.t,
                    until: None,
                    line,
                    left: None,
                };
                let again = people.iter_mut().find(|seen| {
                    (&seen.seat, &seen.name, &seen.initials, &seen.principal)
                        == (&person.seat, &person.name, &person.initials, &person.principal)
                });
                match again {
                    Some(seen) => seen.stays.push(stay),
                    None => people.push(PersonSeen {
                        seat: person.seat.clone(),
                        name: person.name.clone(),
                        initials: person.initials.clone(),
                        principal: person.principal.clone(),
                        stays: vec![stay],
                    }),
                }
            }
        } else if let Did::Leave { seats } = &done.did {
            for seat in seats {
                leave(&mut people, seat, entry.t, line);
            }
        }
    }
    people
}

fn leave(people: &mut [PersonSeen], seat: &Seat, at: Time, line: u64) {
    let of_seat = people.iter_mut().filter(|seen| seen.seat == *seat);
    let stays = of_seat.flat_map(|seen| &mut seen.stays);
    for stay in stays.filter(|stay| stay.until.is_none()) {
        stay.until = Some(at);
        stay.left = Some(line);
    }
}
