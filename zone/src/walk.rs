//! The names of a zone, and what each is: authoritative, a zone cut, or below one.

use std::ops::Range;

use domain::base::iana::Rtype;

use crate::WireName;
use crate::records::{Record, Records};

/// What a name is in its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The zone's own data.
    Authoritative,
    /// Where another zone begins: it has NS records, and is not the apex.
    Cut,
    /// Below a zone cut: glue, or what cannot be reached.
    BelowCut,
    /// Below a DNAME, which stands for it (RFC 6672 2.4).
    BelowDname,
    /// The owner of an NSEC3 record, and of nothing else but its RRSIG records.
    Nsec3,
    /// Not in the zone at all.
    Outside,
}

impl Standing {
    /// Whether the name has an NSEC record, or an NSEC3 record of its hash.
    pub(crate) const fn is_in_chain(self) -> bool {
        matches!(self, Self::Authoritative | Self::Cut)
    }
}

/// A name, with its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Their places in the zone.
    pub records: Range<usize>,
    /// What it is.
    pub standing: Standing,
}

/// The records of one owner and type.
#[derive(Clone, Copy)]
pub struct Set<'a> {
    records: &'a Records,
    from: usize,
    to: usize,
}

/// Every name that has records, in canonical order.
pub fn nodes(records: &Records) -> Vec<Node> {
    let mut nodes = Vec::new();
    let (mut cut, mut dname): (Option<WireName<'_>>, Option<WireName<'_>>) = (None, None);
    let mut from = 0;
    while let Some(first) = records.get(from) {
        let owner = first.owner();
        let same = |record: &Record<'_>| record.owner() == owner;
        let to = from + records.from(from).take_while(same).count();
        let of_name = || records.from(from).take(to - from);
        let has = |rtype| of_name().any(|record| record.rtype() == rtype);
        let standing = if !first.is_in_zone() {
            Standing::Outside
        } else if cut.is_some_and(|cut| owner.is_within(cut)) {
            Standing::BelowCut
        } else if is_nsec3(of_name()) {
            // Also below a DNAME at the apex.
            Standing::Nsec3
        } else if dname.is_some_and(|dname| owner.is_within(dname)) {
            Standing::BelowDname
        } else if owner != records.apex() && has(Rtype::NS) {
            cut = Some(owner);
            Standing::Cut
        } else {
            if has(Rtype::DNAME) {
                dname = Some(owner);
            }
            Standing::Authoritative
        };
        nodes.push(Node {
            records: from..to,
            standing,
        });
        from = to;
    }
    nodes
}

/// Whether there is an NSEC3 record, and nothing but what goes with it.
fn is_nsec3<'a>(records: impl Iterator<Item = Record<'a>>) -> bool {
    let mut found = false;
    for record in records {
        match record.rtype() {
            Rtype::NSEC3 => found = true,
            Rtype::RRSIG => {}
            _ => return false,
        }
    }
    found
}

impl Records {
    /// The records from a place on.
    pub fn from(&self, place: usize) -> impl Iterator<Item = Record<'_>> {
        (place..self.len()).map_while(|place| self.get(place))
    }

    /// The name of the apex, which comes first.
    pub fn apex_node(&self) -> Node {
        let is_apex = |record: &Record<'_>| record.owner() == self.apex();
        Node {
            records: 0..self.iter().take_while(is_apex).count(),
            standing: Standing::Authoritative,
        }
    }

    /// The RRset whose first record is at a place.
    pub fn set(&self, place: usize) -> Set<'_> {
        let first = self.at(place);
        let same = |record: &Record<'_>| record.rtype() == first.rtype() && record.owner() == first.owner();
        Set {
            records: self,
            from: place,
            to: place + self.from(place).take_while(same).count(),
        }
    }

    /// The RRsets of a name.
    pub fn sets(&self, node: &Node) -> impl Iterator<Item = Set<'_>> {
        let mut from = node.records.start;
        let end = node.records.end;
        std::iter::from_fn(move || {
            let first = self.get(from).filter(|_| from < end)?;
            let same = |record: &Record<'_>| record.rtype() == first.rtype();
            let to = from + self.from(from).take(end - from).take_while(same).count();
            let set = Set {
                records: self,
                from,
                to,
            };
            from = to;
            Some(set)
        })
    }
}

impl<'a> Set<'a> {
    /// Its records, in canonical order.
    pub fn records(self) -> impl ExactSizeIterator<Item = Record<'a>> {
        // Each place is of a record.
        (self.from..self.to).map(move |place| self.records.at(place))
    }

    /// Their places in the zone.
    pub const fn places(self) -> Range<usize> {
        self.from..self.to
    }

    /// The place of the first.
    pub(crate) const fn place(self) -> usize {
        self.from
    }

    /// The first of them: there is one.
    pub fn first(self) -> Record<'a> {
        self.records.at(self.from)
    }

    /// Its type.
    pub fn rtype(self) -> Rtype {
        self.first().rtype()
    }

    /// Its owner.
    pub fn owner(self) -> WireName<'a> {
        self.first().owner()
    }

    /// Its TTL, in seconds: the first record's.
    pub fn ttl(self) -> u32 {
        self.first().ttl()
    }
}
