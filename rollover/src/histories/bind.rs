//! BIND's keys.
//!
//! **A key without a `.state`** is used as its times say, by `dnssec-signzone -S` or `auto-dnssec maintain`: its DNSKEY is in the zone from Publish
//! (or Activate, if that is earlier or alone) to Delete, it signs from Activate to Inactive or Delete, it has the REVOKE bit from Revoke on.
//!
//! **A key with a `.state`** is named's, by `dnssec-policy`. Active, Retired and Removed are what named planned when the key was made; what it did
//! is in the states and their change times, which know only the last change (measured with BIND 9.18.49):
//!
//! | state | the change was |
//! |---|---|
//! | DNSKEY rumoured | at DNSKEYChange |
//! | DNSKEY omnipresent, unretentive | in: at Published |
//! | DNSKEY unretentive | out: at DNSKEYChange |
//! | DNSKEY hidden again | out: from when DS and ZRRSIG of the key were hidden, before which named withdraws no DNSKEY, to DNSKEYChange |
//! | ZRRSIG rumoured | in: at ZRRSIGChange, and Dsgn until all is signed, if another key's signatures are replaced |
//! | ZRRSIG omnipresent | in: from Active to ZRRSIGChange less the Removed - Retired that named waits |
//!
//! A KSK signs the DNSKEY RRset for as long as its DNSKEY is in the zone. A goal of omnipresent means that no successor is there: Retired and
//! Removed are no plan then, since named retires no key without one. With a goal of hidden they are; a KSK's DNSKEY goes no sooner than
//! Removed - Retired after its DS did, which named waits for.
//!
//! **The DS** comes between PublishCDS and DSPublish, when it was seen; it goes between the successor's PublishCDS and DSRemoved. Where it was not
//! seen yet, it takes Dreg from PublishCDS or, if named still waits, from now. Where there is no PublishCDS, Activate and Inactive count, since a
//! KSK is active when its DS is there (RFC 7583 3.3.1), with Dreg on top.

use interchange::{Event, ForeignKey, RecordState};
use key_metadata::{Span, Time, ZoneName};

use super::draft::{Draft, Part, Window};
use super::{Circumstances, HistoryError, Reading, ToldKey};
use crate::schedule::KeyIndex;

/// The schedule of a zone's key files, as of `now`.
pub fn schedule(
    zone: &ZoneName,
    keys: &[ForeignKey],
    around: &Circumstances,
    now: Time,
) -> Result<Reading, HistoryError> {
    let told: Vec<ToldKey> = keys
        .iter()
        .filter(|key| key.zone == *zone)
        .map(ToldKey::from)
        .collect();
    let reader = Reader {
        keys: &told,
        around,
        now,
    };
    let mut draft = Draft::default();
    for key in &told {
        let index = draft.key(key.role, key.tag, key.algorithm);
        reader.key(&mut draft, index, key);
    }
    draft.finish(zone, around)
}

struct Reader<'a> {
    keys: &'a [ToldKey],
    around: &'a Circumstances,
    now: Time,
}

/// When something comes and when it goes.
type Stay = (Option<Window>, Option<Window>);

impl Reader<'_> {
    fn key(&self, draft: &mut Draft, index: KeyIndex, key: &ToldKey) {
        let dnskey = self.dnskey(key);
        put(draft, index, Part::Dnskey, dnskey);
        if key.role.signs_dnskey() {
            put(draft, index, Part::DnskeyRrsig, self.dnskey_rrsig(key, dnskey));
            let ds = self.ds(key);
            put(draft, index, Part::Ds, ds);
            if let (Some(begins), false) = (ds.0, self.is_ds_told(key)) {
                let label = draft.label(index).to_owned();
                draft.assume(format!(
                    "nothing tells when the DS of {label} comes: it is taken to do so between {} and {}, within Dreg of its activation",
                    begins.from, begins.by
                ));
            }
        }
        if key.role.signs_zone() {
            put(
                draft,
                index,
                Part::ZoneRrsig,
                (self.signs_zone(key), self.zone_unsigned(key)),
            );
        }
        if let (Some(revoked), Some(_)) = (key.time(Event::Revoked), dnskey.0) {
            draft.comes(index, Part::Revoked, Window::at(revoked));
        }
    }

    /// When its DNSKEY is in the zone.
    fn dnskey(&self, key: &ToldKey) -> Stay {
        let change = key.records.dnskey;
        let published = key.time(Event::Published);
        let Some(state) = change.state else {
            let published = [published, key.time(Event::Active)].into_iter().flatten().min();
            return (
                published.map(Window::at),
                key.time(Event::Removed).map(Window::at),
            );
        };
        let begins = match state {
            RecordState::Rumoured => change.since.or(published),
            RecordState::Omnipresent | RecordState::Unretentive => published.or(change.since),
            RecordState::Hidden if goes(key) => {
                published.filter(|published| change.since.is_none_or(|since| *published <= since))
            }
            RecordState::Hidden => published.map(|published| published.max(self.now)),
        };
        let begins = begins.map(Window::at);
        let ends = match state {
            RecordState::Unretentive => change.since.map(Window::at),
            RecordState::Hidden if goes(key) => self.withdrawn(key),
            RecordState::Hidden | RecordState::Rumoured | RecordState::Omnipresent if goes(key) => {
                self.to_be_withdrawn(key)
            }
            RecordState::Hidden | RecordState::Rumoured | RecordState::Omnipresent => None,
        };
        (begins, ends)
    }

    /// When the DNSKEY of a key went whose DNSKEY has left the caches since.
    fn withdrawn(&self, key: &ToldKey) -> Option<Window> {
        let by = key.records.dnskey.since?;
        let before = [key.records.ds, key.records.zone_signatures]
            .into_iter()
            .filter(|record| record.state == Some(RecordState::Hidden))
            .filter_map(|record| record.since)
            .max();
        let from = before
            .or(key.time(Event::Removed))
            .map_or(by, |from| from.min(by));
        Some(Window::between(from, by))
    }

    /// When it is to go.
    fn to_be_withdrawn(&self, key: &ToldKey) -> Option<Window> {
        let planned = key.time(Event::Removed)?.max(self.now);
        let after_ds = self.ds(key).1.map(|gone| gone.by.after(self.waits(key)));
        Some(Window::at(after_ds.map_or(planned, |after| after.max(planned))))
    }

    /// What named waits from when a key retires until it removes it: Iret, as named computed it.
    fn waits(&self, key: &ToldKey) -> Span {
        match (key.time(Event::Retired), key.time(Event::Removed)) {
            (Some(retired), Some(removed)) => removed.since(retired),
            (None, _) | (_, None) => Span::from_seconds(0),
        }
    }

    fn dnskey_rrsig(&self, key: &ToldKey, dnskey: Stay) -> Stay {
        if key.records.key_signatures.state.is_some() {
            return dnskey;
        }
        (
            key.time(Event::Active).map(Window::at),
            stops(key).map(Window::at),
        )
    }

    /// When the zone is signed with it. Another key's signatures are replaced one by one; a zone without any is signed at once.
    fn signs_zone(&self, key: &ToldKey) -> Option<Window> {
        let change = key.records.zone_signatures;
        let active = key.time(Event::Active);
        let begins = match change.state {
            None => active.map(Window::at),
            Some(RecordState::Rumoured) => change.since.or(active).map(Window::at),
            Some(RecordState::Omnipresent) => {
                let latest = change.since.map(|since| since.before(self.waits(key)));
                let active = active.or(change.since)?;
                Some(Window::between(active, latest.map_or(active, |latest| latest)))
            }
            Some(RecordState::Unretentive) => active.map(Window::at),
            Some(RecordState::Hidden) if goes(key) => active
                .filter(|active| change.since.is_none_or(|since| *active <= since))
                .map(Window::at),
            Some(RecordState::Hidden) => active.map(|active| Window::at(active.max(self.now))),
        };
        let begins = begins?;
        match self.replaced(key).map(|old| self.ceases(old)).max() {
            Some(ceases) => {
                let by = ceases.map_or(begins.by, |ceases| ceases.max(begins.by));
                Some(Window::between(begins.from, by).within(self.around.dsgn))
            }
            None => Some(begins),
        }
    }

    /// When nothing is signed with it any more: in the change that its successor comes with.
    fn zone_unsigned(&self, key: &ToldKey) -> Option<Window> {
        if let Some(next) = self.replacing(key) {
            return self.signs_zone(next);
        }
        let change = key.records.zone_signatures;
        let retired = stops(key);
        let ceases = match change.state {
            None => retired,
            Some(RecordState::Unretentive) => change.since.or(retired),
            Some(RecordState::Hidden) if goes(key) => retired.or(change.since),
            Some(RecordState::Rumoured | RecordState::Omnipresent | RecordState::Hidden) if goes(key) => {
                retired.map(|retired| retired.max(self.now))
            }
            Some(RecordState::Rumoured | RecordState::Omnipresent | RecordState::Hidden) => None,
        };
        ceases.map(|ceases| Window::at(ceases).within(self.around.dsgn))
    }

    /// When a key without a `.state` stops signing. named's own keys do when their successor takes over.
    fn ceases(&self, key: &ToldKey) -> Option<Time> {
        match key.records.zone_signatures.state {
            Some(_) => None,
            None => stops(key),
        }
    }

    /// The key whose signatures replace those of `key`.
    fn replacing(&self, key: &ToldKey) -> Option<&ToldKey> {
        let may = |next: &&ToldKey| {
            next.role.signs_zone() && next.algorithm == key.algorithm && next.tag != key.tag
        };
        if !key.role.signs_zone() {
            return None;
        }
        if key.records.zone_signatures.state.is_some() {
            let tag = key.successor.filter(|_| goes(key))?;
            let has_begun = |next: &&ToldKey| {
                next.records.zone_signatures.since.is_some() || next.time(Event::Active).is_some()
            };
            return self
                .keys
                .iter()
                .filter(may)
                .filter(has_begun)
                .find(|next| next.tag == tag);
        }
        let (begins, ceases) = (key.time(Event::Active)?, stops(key)?);
        self.keys
            .iter()
            .filter(may)
            .filter_map(|next| Some((next.time(Event::Active)?, next)))
            .filter(|(active, next)| {
                (begins..=ceases).contains(active) && stops(next).is_none_or(|stops| stops > ceases)
            })
            .max_by_key(|(active, _)| *active)
            .map(|(_, next)| next)
    }

    /// The keys whose signatures those of `key` replace.
    fn replaced<'b>(&'b self, key: &'b ToldKey) -> impl Iterator<Item = &'b ToldKey> {
        self.keys
            .iter()
            .filter(move |old| self.replacing(old).is_some_and(|next| std::ptr::eq(next, key)))
    }

    fn is_ds_told(&self, key: &ToldKey) -> bool {
        key.records.ds.state.is_some()
            || [Event::CdsPublished, Event::DsSeen]
                .iter()
                .any(|event| key.time(*event).is_some())
    }

    /// When its DS is at the parent.
    fn ds(&self, key: &ToldKey) -> Stay {
        let dreg = self.around.registration_delay;
        let change = key.records.ds;
        let asked = key.time(Event::CdsPublished);
        let never_had_one =
            change.state == Some(RecordState::Hidden) && goes(key) && key.time(Event::DsSeen).is_none();
        if never_had_one || !key.role.signs_dnskey() {
            return (None, None);
        }
        let waiting = matches!(change.state, Some(RecordState::Rumoured | RecordState::Hidden));
        let begins = match (key.time(Event::DsSeen), asked.or_else(|| key.time(Event::Active))) {
            (Some(seen), Some(from)) => Some(Window::between(from.min(seen), seen)),
            (Some(seen), None) => Some(Window::at(seen)),
            (None, Some(from)) if change.state == Some(RecordState::Omnipresent) => {
                Some(Window::between(from, change.since.map_or(from, |since| since)))
            }
            (None, Some(from)) if waiting => Some(Window::between(from, from.max(self.now).after(dreg))),
            (None, Some(from)) => Some(Window::at(from).within(dreg)),
            (None, None) => None,
        };
        (begins, begins.and_then(|begins| self.ds_goes(key, begins)))
    }

    fn ds_goes(&self, key: &ToldKey, begins: Window) -> Option<Window> {
        let dreg = self.around.registration_delay;
        let change = key.records.ds;
        if change.state.is_some() && !goes(key) {
            return None;
        }
        let next = key
            .successor
            .and_then(|tag| {
                self.keys
                    .iter()
                    .find(|next| next.tag == tag && next.algorithm == key.algorithm)
            })
            .and_then(|next| next.time(Event::CdsPublished));
        let asked = match change.state {
            Some(RecordState::Unretentive) => change.since,
            Some(RecordState::Hidden | RecordState::Rumoured | RecordState::Omnipresent) | None => next
                .or_else(|| key.time(Event::CdsRemoved))
                .or_else(|| key.time(Event::Retired)),
        };
        let asked = asked.map(|asked| asked.max(begins.from));
        match (key.time(Event::DsGone), asked) {
            (Some(gone), Some(from)) => Some(Window::between(from.min(gone), gone)),
            (Some(gone), None) => Some(Window::at(gone)),
            (None, Some(from)) if change.state == Some(RecordState::Hidden) => {
                Some(Window::between(from, change.since.map_or(from, |since| since)))
            }
            (None, Some(from)) if change.state.is_some() => {
                Some(Window::between(from, from.max(self.now).after(dreg)))
            }
            (None, Some(from)) => Some(Window::at(from).within(dreg)),
            (None, None) => None,
        }
    }
}

/// When it is not to sign any more, by its times.
fn stops(key: &ToldKey) -> Option<Time> {
    let times = [key.time(Event::Retired), key.time(Event::Removed)];
    times.into_iter().flatten().min()
}

/// Whether named takes the key out.
fn goes(key: &ToldKey) -> bool {
    key.records.goal == Some(RecordState::Hidden)
}

fn put(draft: &mut Draft, key: KeyIndex, part: Part, (begins, ends): Stay) {
    if let Some(begins) = begins {
        draft.comes(key, part, begins);
        if let Some(ends) = ends {
            draft.goes(key, part, ends);
        }
    }
}
