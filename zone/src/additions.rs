//! Records that come into a zone that was read, leave it, or change.

use domain::base::iana::Rtype;
use rayon::prelude::*;

use crate::WireName;
use crate::pieces::FileIndex;
use crate::reader::Scanned;
use crate::records::{Entry, Record, Records};

/// Where the RDATA of a record that was added is, whatever is added behind it.
#[derive(Clone, Copy, Debug)]
pub struct RdataAt {
    at: usize,
    length: u16,
}

impl Records {
    /// Keeps the records that `keep` wants.
    pub fn retain(&mut self, mut keep: impl FnMut(Record<'_>) -> bool) {
        let mut entries = std::mem::take(&mut self.entries);
        entries.retain(|entry| keep(self.record(entry)));
        self.entries = entries;
    }

    /// Gives the record at a place another TTL, in seconds.
    pub fn set_ttl(&mut self, place: usize, ttl: u32) {
        if let Some(entry) = self.entries.get_mut(place) {
            entry.ttl = ttl;
        }
    }

    /// The RDATA of the record at a place. It must not come before or behind another of its RRset by what is changed.
    pub fn rdata_mut(&mut self, place: usize) -> Option<&mut [u8]> {
        let entry = self.entries.get(place)?;
        let at = entry.at + usize::from(entry.owner_length);
        self.octets.get_mut(at..at + usize::from(entry.rdata_length))
    }

    /// Makes room for so many records of about so many octets that will be added.
    pub fn reserve(&mut self, count: usize, octets: usize) {
        self.added.reserve_exact(count);
        self.octets.reserve_exact(count * octets);
    }

    /// Adds a record; it is seen after [`Self::settle`]. RDATA has at most 65,535 octets.
    pub fn push(&mut self, owner: WireName<'_>, rtype: Rtype, ttl: u32, rdata: &[u8]) {
        let from = self.octets.len();
        self.octets.extend_from_slice(owner.octets());
        self.octets.extend_from_slice(rdata);
        let record = Scanned {
            at: 0,
            owner_length: owner.octets().len() as u8,
            rdata_length: rdata.len() as u16,
            rtype,
            ttl: Some(ttl),
            line: 0,
        };
        let entry = self.entry(from, &record, ttl, FileIndex(0));
        self.added.push(entry);
    }

    /// The same with the owner of the record at a place, which is one.
    pub fn push_at(&mut self, place: usize, rtype: Rtype, ttl: u32, rdata: &[u8]) -> RdataAt {
        let entry = self.entries[place];
        let at = self.octets.len();
        self.octets
            .extend_from_within(entry.at..entry.at + usize::from(entry.owner_length));
        self.octets.extend_from_slice(rdata);
        self.added.push(Entry {
            at,
            line: 0,
            ttl,
            rtype: rtype.to_int(),
            rdata_length: rdata.len() as u16,
            ..entry
        });
        RdataAt {
            at: at + usize::from(entry.owner_length),
            length: rdata.len() as u16,
        }
    }

    /// RDATA that was added.
    pub fn rdata_at(&self, place: RdataAt) -> &[u8] {
        &self.octets[place.at..place.at + usize::from(place.length)]
    }

    /// Puts what was added in its place: places of before are others now.
    pub fn settle(&mut self) {
        let mut added = std::mem::take(&mut self.added);
        let mut entries = std::mem::take(&mut self.entries);
        added.par_sort_unstable_by(|one, other| self.order(one, other).then(one.at.cmp(&other.at)));
        // Both are in order: they are merged from the end, in the room that the added ones need.
        let (mut old, mut new) = (entries.len(), added.len());
        entries.reserve_exact(new);
        entries.extend_from_slice(&added);
        for to in (0..entries.len()).rev() {
            let Some(last) = new.checked_sub(1) else {
                break;
            };
            let is_old = old > 0 && self.order(&entries[old - 1], &added[last]).is_gt();
            entries[to] = match is_old {
                true => {
                    old -= 1;
                    entries[old]
                }
                false => {
                    new = last;
                    added[last]
                }
            };
        }
        self.entries = entries;
    }
}
